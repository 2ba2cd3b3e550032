# SPDX-License-Identifier: MIT
# nm -n -> assembly of the table that panic() uses to name addresses: addresses
# (linked) and names, in the same order, one after the other.
BEGIN {
    n = 0
    print ".section .rodata.symbols, \"a\""
}
$2 ~ /^[tT]$/ && $3 !~ /^[$.]/ {
    off[n] = $1
    name[n++] = $3
}
END {
    print ".globl symbol_count\n.balign 8\nsymbol_count: .quad " n + 0
    print ".globl symbol_addresses\nsymbol_addresses:"
    for (i = 0; i < n; i++)
        print ".quad 0x" off[i]
    print ".globl symbol_names\nsymbol_names:"
    for (i = 0; i < n; i++)
        print ".asciz \"" name[i] "\""
    print ".byte 0"
}
