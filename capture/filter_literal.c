/* Literals of display filters, by the type of the field that they are compared with. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "capture/filter_tree.h"

static enum status wrong(const char *text, const char *what, struct error *err)
{
    return error_set(err, STATUS_USAGE, "filter", "%.64s is no %s", text, what);
}

enum value_class field_class(const struct field *f)
{
    switch ((enum field_type)f->type) {
    case FIELD_LABEL:
    case FIELD_PROTOCOL:
        return VALUE_NONE;
    case FIELD_BOOL:
    case FIELD_UINT:
        return VALUE_UINT;
    case FIELD_TIME:
    case FIELD_EPOCH:
        return VALUE_TIME;
    case FIELD_IPV4:
        return VALUE_IPV4;
    case FIELD_IPV6:
    case FIELD_ETHER:
        return VALUE_BYTES;
    }
    return VALUE_NONE;
}

/* --- comparing -------------------------------------------------------------------------------- */

int value_compare(enum value_class class, const struct value *a, const struct value *b)
{
    if (class == VALUE_TIME)
        return (a->ns > b->ns) - (a->ns < b->ns);
    if (class == VALUE_BYTES) {
        int order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);
        return order ? order : (a->len > b->len) - (a->len < b->len);
    }
    return (a->u > b->u) - (a->u < b->u);
}

static bool has_prefix(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
    uint8_t mask = (uint8_t)(0xff00u >> bits % 8);

    return !memcmp(a, b, bits / 8) && (!mask || !((a[bits / 8] ^ b[bits / 8]) & mask));
}

bool value_is_equal(enum value_class class, const struct value *a, const struct value *b)
{
    uint32_t bits = a->prefix_bits ? a->prefix_bits : b->prefix_bits;

    if (class == VALUE_IPV4)
        return !((a->u ^ b->u) & a->mask & b->mask);
    if (class == VALUE_BYTES && bits && a->len == b->len && bits < 8 * a->len)
        return has_prefix(a->bytes, b->bytes, bits);
    return !value_compare(class, a, b);
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* "12", "0x1f", "0b101", "017", "'a'". */
static bool parse_uint(const char *text, uint64_t *out)
{
    const char *digits = *text == '+' ? text + 1 : text;
    int base = 0;
    char *end;

    if (*text == '\'') {
        *out = (uint8_t)text[1];
        return text[1] && text[1] != '\\' && text[2] == '\'';
    }
    if (digits[0] == '0' && (digits[1] == 'b' || digits[1] == 'B')) {
        digits += 2;
        base = 2;
    }
    if (*digits < '0' || *digits > '9')
        return false;
    errno = 0;
    *out = strtoull(digits, &end, base);
    return !*end && !errno;
}

static enum status uint_literal(const char *text, const struct field *f, struct operand *out,
                                struct error *err)
{
    uint64_t max = f->type == FIELD_UINT && f->bits < 64 ? (1ull << f->bits) - 1 : UINT64_MAX;

    if (f->type == FIELD_BOOL && (!strcasecmp(text, "true") || !strcasecmp(text, "false"))) {
        out->literal.u = !strcasecmp(text, "true");
        return STATUS_OK;
    }
    if (!parse_uint(text, &out->literal.u)) {
        wrong(text, "number", err);
        return error_hint(err, "%s is a%s", f->name,
                          f->type == FIELD_BOOL ? " flag: 1 or 0, True or False"
                                                : "n unsigned number: 12, 0x1f, 0b101, 'a'");
    }
    if (f->type == FIELD_BOOL)
        out->literal.u = out->literal.u != 0;
    /* Fields of some bits live in whole bytes: Wireshark refuses only what fits in none. */
    if (max < UINT8_MAX)
        max = UINT8_MAX;
    else if (max < UINT16_MAX && max > UINT8_MAX)
        max = UINT16_MAX;
    else if (max < UINT32_MAX && max > UINT16_MAX)
        max = UINT32_MAX;
    if (out->literal.u > max)
        return error_set(err, STATUS_USAGE, "filter", "%s is too large for %s, at most %llu", text,
                         f->name, (unsigned long long)max);
    return STATUS_OK;
}

/* Decimal seconds, exact to the nanosecond. */
static enum status time_literal(const char *text, struct operand *out, struct error *err)
{
    const char *p = *text == '-' || *text == '+' ? text + 1 : text;
    int64_t seconds = 0, part = 0;
    int digits = 0;

    for (; *p >= '0' && *p <= '9'; p++, digits++) {
        if (seconds > INT64_MAX / 2000000000 / 10)
            return wrong(text, "time that can be counted in nanoseconds", err);
        seconds = seconds * 10 + (*p - '0');
    }
    if (*p == '.') {
        int64_t unit = 100000000;
        for (p++; *p >= '0' && *p <= '9'; p++, digits++) {
            part += unit * (*p - '0');
            unit /= 10;
        }
    }
    if (*p || !digits) {
        wrong(text, "time", err);
        return error_hint(err, "seconds are wanted: 0.02");
    }
    out->literal.ns = seconds * 1000000000 + part;
    if (*text == '-')
        out->literal.ns = -out->literal.ns;
    return STATUS_OK;
}

/* --- addresses and bytes ---------------------------------------------------------------------- */

/* Split "ADDRESS/BITS"; *bits is -1 without a prefix. False: no such prefix. */
static bool split_prefix(char *text, int max, int *bits)
{
    char *slash = strchr(text, '/'), *end;
    long n;

    *bits = -1;
    if (!slash)
        return true;
    *slash = '\0';
    n = strtol(slash + 1, &end, 10);
    *bits = (int)n;
    return slash[1] >= '0' && slash[1] <= '9' && !*end && n <= max;
}

static enum status ipv4_literal(const char *text, struct operand *out, struct error *err)
{
    char copy[64];
    uint8_t bytes[4];
    int bits;

    snprintf(copy, sizeof copy, "%.63s", text);
    if (!split_prefix(copy, 32, &bits) || inet_pton(AF_INET, copy, bytes) != 1) {
        wrong(text, "IPv4 address", err);
        return error_hint(err, "10.0.0.1, or a network: 10.0.0.0/8");
    }
    out->literal.u = get_be32(bytes);
    if (bits >= 0)
        out->literal.mask = bits ? UINT64_MAX << (32 - bits) & UINT32_MAX : 0;
    return STATUS_OK;
}

static enum status ipv6_literal(const char *text, struct operand *out, struct error *err)
{
    char copy[64];
    int bits;

    snprintf(copy, sizeof copy, "%.63s", text);
    if (!split_prefix(copy, 128, &bits) || !bits || inet_pton(AF_INET6, copy, out->store) != 1) {
        wrong(text, "IPv6 address", err);
        return error_hint(err, "2001:db8::1, or a network: 2001:db8::/32");
    }
    out->literal.len = 16;
    out->literal.prefix_bits = bits > 0 ? (uint32_t)bits : 0;
    return STATUS_OK;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *p = c ? strchr(digits, c | 0x20) : NULL;

    return p ? (int)(p - digits) : -1;
}

/* "80:10", "80-10", "80.10", "8010"; "0x80", "8" for a single byte. */
static bool hex_bytes(const char *text, struct operand *out)
{
    size_t n = 0;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        text += 2;
        if (strlen(text) > 2)
            return false;
    }
    if (strlen(text) == 1) {
        out->store[0] = (uint8_t)hex_digit(*text);
        out->literal.len = 1;
        return hex_digit(*text) >= 0;
    }
    while (*text && n < FILTER_SLICED_MAX) {
        if (hex_digit(text[0]) < 0 || hex_digit(text[1]) < 0)
            return false;
        out->store[n++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
        text += 2;
        if (*text && strchr(":-.", *text) && text[1])
            text++;
    }
    out->literal.len = (uint32_t)n;
    return n && !*text;
}

/* "abc\x00": the bytes between the quotes. */
static bool string_bytes(const char *text, size_t len, struct operand *out)
{
    size_t n = 0;

    for (size_t i = 1; i + 1 < len; i++) {
        int c = (uint8_t)text[i];
        if (n == FILTER_SLICED_MAX)
            return false;
        if (c == '\\' && text[i + 1] == 'x' && i + 4 < len) {
            if (hex_digit(text[i + 2]) < 0 || hex_digit(text[i + 3]) < 0)
                return false;
            c = hex_digit(text[i + 2]) << 4 | hex_digit(text[i + 3]);
            i += 3;
        } else if (c == '\\') {
            c = (uint8_t)text[++i];
        }
        out->store[n++] = (uint8_t)c;
    }
    out->literal.len = (uint32_t)n;
    return n > 0;
}

static enum status bytes_literal(const char *text, size_t len, const struct field *f, bool is_whole,
                                 struct operand *out, struct error *err)
{
    bool is_ether = is_whole && f->type == FIELD_ETHER;

    if (is_whole && f->type == FIELD_IPV6)
        return ipv6_literal(text, out, err);
    if (text[0] == '"' ? string_bytes(text, len, out) : hex_bytes(text, out))
        if (!is_ether || out->literal.len == 6)
            return STATUS_OK;
    wrong(text, is_ether ? "Ethernet address" : "byte string", err);
    return error_hint(err,
                      is_ether ? "00:11:22:33:44:55" : "in hexadecimal: 0a, 80:10, or \"text\"");
}

enum status literal_parse(const char *text, size_t len, const struct operand *with,
                          struct operand *out, struct error *err)
{
    char copy[4 * FILTER_SLICED_MAX + 3];
    enum status st = STATUS_OK;

    if (len >= sizeof copy)
        return error_set(err, STATUS_USAGE, "filter", "a literal of %zu bytes", len);
    memcpy(copy, text, len);
    copy[len] = '\0';
    *out = (struct operand){.class = with->class, .literal.mask = UINT64_MAX};
    if (copy[0] == '"' && with->class != VALUE_BYTES) {
        wrong(copy, "value of this field", err);
        return error_hint(err, "numbers and addresses stand without quotes");
    }
    if (with->class == VALUE_UINT)
        st = uint_literal(copy, with->field, out, err);
    else if (with->class == VALUE_TIME)
        st = time_literal(copy, out, err);
    else if (with->class == VALUE_IPV4)
        st = ipv4_literal(copy, out, err);
    else
        st = bytes_literal(copy, len, with->field, !with->nslices, out, err);
    return st;
}
