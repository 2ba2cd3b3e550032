# SPDX-License-Identifier: MIT
# hypercall.tbl -> one HC_ROW line per operation and one HC_CALL line per hypercall.
#   call NR name mask            starts a hypercall; mask: bits of argument 0 that name the operation
#   SUBOP name struct dir arg who handler
# dir: in, out, inout or - ; arg: register that holds the argument's address.
/^#/ || NF == 0 { next }
$1 == "call" {
    name = $3
    calls = calls sprintf("HC_CALL(%s, %s, %s)\n", $2, name, $4)
    next
}
{
    if (NF != 7) {
        printf "hypercall.tbl:%d: 7 fields wanted, %d found\n", NR, NF > "/dev/stderr"
        exit 1
    }
    size = $3 == "-" ? "0" : "sizeof(struct " $3 ")"
    rows[name] = rows[name] sprintf("HC_ROW(%s, %s, %s, %d, %d, %s, %s, %s)\n", name, $1, size,
        $4 ~ /^in/, $4 ~ /out$/, $5, $6, $7)
    order[name] = 1
    protos = protos (seen[$7]++ ? "" : sprintf("HC_PROTO(%s)\n", $7))
    structs = structs
}
END {
    printf "#ifdef HC_PROTO\n%s#endif\n#ifdef HC_ROW\n", protos
    for (n in rows)
        printf "%s", rows[n]
    printf "#endif\n#ifdef HC_CALL\n%s#endif\n", calls
}
