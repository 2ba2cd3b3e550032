# SPDX-License-Identifier: MIT
# The tables of hypercalls -> lists for X macros: headers, handlers, rows, hypercalls.
#   include header                        which declares the structs that rows name
#   call NR name mask                     mask: bits of argument 0 that name the operation
#   OP name struct dir arg who handler    dir: in, out, inout or -; arg: register with the address
/^#/ || NF == 0 { next }
$1 == "include" {
    includes = includes sprintf("#include <%s>\n", $2)
    next
}
$1 == "call" {
    name = $3
    number = $2
    calls = calls sprintf("HC_CALL(%s, %s, %s)\n", $2, name, $4)
    rows = rows (open ? "HC_ROWS_END\n" : "") sprintf("HC_ROWS(%s)\n", name)
    open = 1
    next
}
{
    if (NF != 7) {
        printf "%s:%d: 7 fields wanted, %d found\n", FILENAME, FNR, NF > "/dev/stderr"
        exit 1
    }
    size = $3 == "-" ? "0" : "sizeof(struct " $3 ")"
    dir = $4 == "in" ? "HC_IN" : $4 == "out" ? "HC_OUT" : $4 == "inout" ? "HC_IN | HC_OUT" : "0"
    rows = rows sprintf("HC_ROW(%s, %s, %s, %d, HC_WHO_%s, %s)\n", $1, size, dir, $5, $6, $7)
    names = names sprintf("HC_NAME(%s, %s, \"%s\")\n", number, $1, $2)
    if (!seen[$7]++)
        protos = protos sprintf("HC_HANDLER(%s)\n", $7)
}
END {
    printf "#ifdef HC_INCLUDES\n%s#endif\n", includes
    printf "#ifdef HC_HANDLER\n%s#endif\n", protos
    printf "#ifdef HC_ROW\n%sHC_ROWS_END\n#endif\n", rows
    printf "#ifdef HC_NAME\n%s#endif\n", names
    printf "#ifdef HC_CALL\n%s#endif\n", calls
}
