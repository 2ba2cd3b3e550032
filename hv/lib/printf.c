/* SPDX-License-Identifier: MIT */
/*
 * Formatted text into a buffer.
 *
 * One pass over the format: each conversion is parsed into a struct spec, its
 * argument fetched, and the text emitted into a struct out that counts
 * everything but stores only what fits. The text of a number is made backwards
 * in a buffer that holds 64 bits in octal and more, so nothing here overflows.
 */
#include <loam/printf.h>
#include <loam/string.h>

struct out {
    char *buf;
    size_t size;
    size_t len;
};

struct spec {
    bool left;
    bool zero;
    bool alt;
    bool has_precision;
    size_t width;
    size_t precision;
    int length; /* -2 hh, -1 h, 0 int, 1 l, ll, z and p (64 bits) */
};

/* Widths and precisions beyond this are cut: no format of ours needs more. */
#define FIELD_MAX 4096

static void emit(struct out *o, const char *text, size_t len)
{
    if (o->len < o->size) {
        memcpy(o->buf + o->len, text, MIN(len, o->size - o->len));
    }
    o->len += len;
}

static void emit_fill(struct out *o, char c, size_t nr)
{
    while (nr--) {
        emit(o, &c, 1);
    }
}

static void emit_string(struct out *o, const struct spec *sp, const char *s)
{
    if (!s) {
        s = "(null)";
    }
    size_t len = sp->has_precision ? strnlen(s, sp->precision) : strlen(s);
    size_t fill = sp->width > len ? sp->width - len : 0;

    emit_fill(o, ' ', sp->left ? 0 : fill);
    emit(o, s, len);
    emit_fill(o, ' ', sp->left ? fill : 0);
}

/* value in base 10 or 16 behind prefix ("", "-", "0x"). */
static void emit_number(struct out *o, const struct spec *sp, uint64_t value, unsigned int base,
                        const char *digits, const char *prefix)
{
    char text[24];
    size_t pos = sizeof(text);
    size_t prefix_len = strlen(prefix);

    for (; value; value /= base) {
        text[--pos] = digits[value % base];
    }
    size_t len = sizeof(text) - pos;
    size_t wanted = sp->has_precision ? sp->precision : 1;
    if (sp->zero && !sp->left && !sp->has_precision && sp->width > prefix_len) {
        wanted = MAX(wanted, sp->width - prefix_len);
    }
    size_t zeros = wanted > len ? wanted - len : 0;
    size_t total = prefix_len + zeros + len;
    size_t fill = sp->width > total ? sp->width - total : 0;

    emit_fill(o, ' ', sp->left ? 0 : fill);
    emit(o, prefix, prefix_len);
    emit_fill(o, '0', zeros);
    emit(o, text + pos, len);
    emit_fill(o, ' ', sp->left ? fill : 0);
}

static void emit_signed(struct out *o, const struct spec *sp, int64_t value)
{
    bool negative = value < 0;
    uint64_t magnitude = negative ? 0 - (uint64_t)value : (uint64_t)value;
    emit_number(o, sp, magnitude, 10, "0123456789", negative ? "-" : "");
}

static void emit_hex(struct out *o, const struct spec *sp, uint64_t value, bool upper)
{
    const char *prefix = !sp->alt || !value ? "" : upper ? "0X" : "0x";
    emit_number(o, sp, value, 16, upper ? "0123456789ABCDEF" : "0123456789abcdef", prefix);
}

static void emit_pointer(struct out *o, const struct spec *sp, const void *p)
{
    struct spec full = *sp;
    full.has_precision = true;
    full.precision = 2 * sizeof(uint64_t);
    emit_number(o, &full, (uintptr_t)p, 16, "0123456789abcdef", "0x");
}

static const char *parse_number(const char *f, size_t *out)
{
    size_t n = 0;
    for (; *f >= '0' && *f <= '9'; f++) {
        n = MIN(n * 10 + (size_t)(*f - '0'), FIELD_MAX);
    }
    *out = n;
    return f;
}

static const char *parse_flags(const char *f, struct spec *sp)
{
    for (;; f++) {
        if (*f == '-') {
            sp->left = true;
        } else if (*f == '0') {
            sp->zero = true;
        } else if (*f == '#') {
            sp->alt = true;
        } else {
            return f;
        }
    }
}

static const char *parse_length(const char *f, struct spec *sp)
{
    if (*f == 'z') {
        sp->length = 1;
        return f + 1;
    }
    for (; *f == 'l' && sp->length < 2; f++) {
        sp->length++;
    }
    for (; *f == 'h' && sp->length <= 0 && sp->length > -2; f++) {
        sp->length--;
    }
    return f;
}

static int64_t to_signed(const struct spec *sp, uint64_t v)
{
    switch (sp->length) {
    case -2:
        return (int8_t)v;
    case -1:
        return (int16_t)v;
    case 0:
        return (int32_t)v;
    default:
        return (int64_t)v;
    }
}

static uint64_t to_unsigned(const struct spec *sp, uint64_t v)
{
    switch (sp->length) {
    case -2:
        return (uint8_t)v;
    case -1:
        return (uint16_t)v;
    case 0:
        return (uint32_t)v;
    default:
        return v;
    }
}

/*
 * va_list is passed by address inside a struct: where it is an array type, a
 * parameter of it is a pointer already and &args would have another type.
 */
struct args {
    va_list ap;
};

static uint64_t arg_number(const struct spec *sp, struct args *a)
{
    return sp->length > 0 ? va_arg(a->ap, uint64_t) : va_arg(a->ap, unsigned int);
}

static const char *parse_field(const char *f, struct args *a, size_t *out, bool *negative)
{
    if (*f != '*') {
        *negative = false;
        return parse_number(f, out);
    }
    int n = va_arg(a->ap, int);
    *negative = n < 0;
    size_t magnitude = n < 0 ? 0 - (size_t)n : (size_t)n;
    *out = MIN(magnitude, FIELD_MAX);
    return f + 1;
}

/* One conversion; f points behind its '%'. Returns where the format goes on. */
static const char *convert(struct out *o, const char *f, struct args *a)
{
    const char *start = f - 1;
    struct spec sp = { 0 };
    bool negative;

    f = parse_flags(f, &sp);
    f = parse_field(f, a, &sp.width, &negative);
    sp.left |= negative;
    if (*f == '.') {
        f = parse_field(f + 1, a, &sp.precision, &negative);
        sp.has_precision = !negative;
    }
    f = parse_length(f, &sp);

    switch (*f) {
    case 'd':
    case 'i':
        emit_signed(o, &sp, to_signed(&sp, arg_number(&sp, a)));
        break;
    case 'u':
        emit_number(o, &sp, to_unsigned(&sp, arg_number(&sp, a)), 10, "0123456789", "");
        break;
    case 'x':
    case 'X':
        emit_hex(o, &sp, to_unsigned(&sp, arg_number(&sp, a)), *f == 'X');
        break;
    case 'p':
        emit_pointer(o, &sp, va_arg(a->ap, const void *));
        break;
    case 's':
        emit_string(o, &sp, va_arg(a->ap, const char *));
        break;
    case 'c': {
        char c = (char)va_arg(a->ap, int);
        size_t fill = sp.width > 1 ? sp.width - 1 : 0;
        emit_fill(o, ' ', sp.left ? 0 : fill);
        emit(o, &c, 1);
        emit_fill(o, ' ', sp.left ? fill : 0);
        break;
    }
    case '%':
        emit(o, "%", 1);
        break;
    default:
        /* Unknown, or the format ended: show it. */
        emit(o, start, (size_t)(f - start));
        return f;
    }
    return f + 1;
}

size_t fmt_vprint(char *buf, size_t size, const char *fmt, va_list args)
{
    struct out o = { .buf = buf, .size = size };
    struct args a;

    va_copy(a.ap, args);
    while (*fmt) {
        if (*fmt == '%') {
            fmt = convert(&o, fmt + 1, &a);
            continue;
        }
        const char *start = fmt;
        while (*fmt && *fmt != '%') {
            fmt++;
        }
        emit(&o, start, (size_t)(fmt - start));
    }
    va_end(a.ap);
    if (size) {
        buf[MIN(o.len, size - 1)] = '\0';
    }
    return o.len;
}

size_t fmt_print(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    size_t len = fmt_vprint(buf, size, fmt, args);
    va_end(args);
    return len;
}
