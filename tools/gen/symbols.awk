# SPDX-License-Identifier: MIT
# nm -n -> assembly of the table that panic() uses to name addresses: addresses
# (linked) and names, in the same order, one after the other.
BEGIN {
    n = 0
    print ".section .rodata.symbols, \"a\""
}
$2 ~ /^[tT]$/ && $3 !~ /^[$.]/ {
    off[n] = $1
    sub(/\.(lto_priv|constprop|isra|part|cold).*/, "", $3) # what the compiler did to it
    name[n++] = $3
}
END {
    print ".globl symbol_base\n.balign 8\nsymbol_base: .quad 0x" (n ? off[0] : 0)
    print ".globl symbol_count\nsymbol_count: .long " n + 0
    print ".globl symbol_offsets\nsymbol_offsets:"
    for (i = 0; i < n; i++)
        print ".long 0x" off[i] " - 0x" off[0]
    print ".globl symbol_names\nsymbol_names:"
    for (i = 0; i < n; i++)
        print ".asciz \"" name[i] "\""
    print ".byte 0"
}
