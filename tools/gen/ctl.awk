# SPDX-License-Identifier: MIT
# Tables of what a toolstack calls -> lists for X macros: headers, layouts, handlers, rows.
#   include header                     which declares the structs that rows name
#   layout struct FIRST LAST SIZE own:wire:bytes ...
#                                      callers of these versions have SIZE bytes in place of the
#                                      struct: what is at `wire` there belongs to `own`; the rest is 0
#   table NAME FIRST LAST              rows of one hypercall, and which versions it accepts
#   NR name struct dir target handler  dir: in, out, inout or -; target: dom or -
/^#/ || NF == 0 { next }
$1 == "include" {
    includes = includes sprintf("#include <%s>\n", $2)
    next
}
$1 == "layout" {
    if (!has[$2]++)
        kinds = kinds sprintf("CTL_KIND(%s)\n", $2)
    pieces = ""
    for (i = 6; i <= NF; i++) {
        split($i, piece, ":")
        pieces = pieces sprintf(", { %d, %d, %d }", piece[1], piece[2], piece[3])
    }
    layouts = layouts sprintf("CTL_LAYOUT(%s, %s, %s, %s%s)\n", $2, $3, $4, $5, pieces)
    next
}
$1 == "table" {
    name = toupper($2)
    names[++tables] = name
    versions = versions sprintf("#define %s_VERSION_FIRST %s\n#define %s_VERSION_LAST %s\n", \
                                name, $3, name, $4)
    next
}
{
    if (NF != 6) {
        printf "%s:%d: 6 fields wanted, %d found\n", FILENAME, FNR, NF > "/dev/stderr"
        exit 1
    }
    size = $3 == "-" ? "0" : "sizeof(struct " $3 ")"
    dir = $4 == "in" ? "HC_IN" : $4 == "out" ? "HC_OUT" : $4 == "inout" ? "HC_IN | HC_OUT" : "0"
    rows[name] = rows[name] sprintf("CTL_ROW(%d, %s, %s, %s, %s, %s)\n", $1, size, dir, \
                                    $3 in has ? "CTL_KIND_" $3 : "CTL_KIND_SAME", \
                                    $5 == "dom" ? "true" : "false", $6)
    ops[name] = ops[name] sprintf("CTL_NAME(%s, \"%s\")\n", $1, $2)
    if (!seen[$6]++)
        protos = protos sprintf("CTL_HANDLER(%s)\n", $6)
}
END {
    printf "%s#ifdef CTL_INCLUDES\n%s#endif\n", versions, includes
    printf "#ifdef CTL_KIND\n%s#endif\n", kinds
    printf "#ifdef CTL_LAYOUT\n%s#endif\n", layouts
    printf "#ifdef CTL_HANDLER\n%s#endif\n", protos
    for (i = 1; i <= tables; i++)
        printf "#ifdef %s_ROWS\n%s#endif\n#ifdef %s_NAMES\n%s#endif\n", names[i], rows[names[i]], \
               names[i], ops[names[i]]
}
