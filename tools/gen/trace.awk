# SPDX-License-Identifier: MIT
# trace.tbl -> TRACE_EVENT(name, format) list, for an X macro.
# A row: name, then the format of a line for two 64-bit arguments.
/^#/ || NF == 0 { next }
{
    name = $1
    sub(/^[^ \t]+[ \t]+/, "")
    gsub(/"/, "\\\"")
    printf "TRACE_EVENT(%s, \"%s\")\n", name, $0
}
