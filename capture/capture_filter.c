#include "capture/capture_filter.h"

#include <ctype.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SUBSYSTEM "capture"
#define SNAPLEN   262144

/* libpcap's word for what its grammar does not know, where it says no more. */
#define SYNTAX_ERROR "syntax error"

/* False: libpcap does not take it; `said` has its words. */
static bool compiles(const char *text, int dlt, char *said, size_t size)
{
    struct bpf_program program;
    pcap_t *p = pcap_open_dead(dlt, SNAPLEN);
    said[0] = '\0';
    if (p == NULL)
        return true; /* without memory nobody can tell */
    bool is_good = pcap_compile(p, &program, text, 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (is_good)
        pcap_freecode(&program);
    else
        snprintf(said, size, "%s", pcap_geterr(p));
    pcap_close(p);
    return is_good;
}

/* --- where the grammar breaks off ------------------------------------------------------------- */

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || strchr("_.:-\\", c) != NULL;
}

/* The first token at or behind `at`: its end, with its begin in *at. At the end of the text both
 * are there. */
static size_t next_token(const char *text, size_t *at)
{
    static const char *const pairs[] = {">=", "<=", "!=", "==", "<<", ">>", "&&", "||", NULL};
    *at += strspn(text + *at, " \t\r\n");
    size_t end = *at;
    if (text[end] == '\0')
        return end;
    while (text[end] && is_word_char(text[end]))
        end++;
    if (end > *at)
        return end;
    for (int i = 0; pairs[i]; i++)
        if (strncmp(text + *at, pairs[i], 2) == 0)
            return end + 2;
    return end + 1;
}

/* Append what closes the brackets of the text; `compare` goes behind the last that is square, or
 * before all. False: there are too many, or one that does not fit. */
static bool close_brackets(char *out, size_t size, size_t len, const char *compare,
                           bool is_behind_square)
{
    char open[64];
    size_t depth = 0, squares = 0, end = len;
    for (size_t i = 0; i < len; i++) {
        if (out[i] == '(' || out[i] == '[') {
            if (depth == sizeof(open))
                return false;
            open[depth++] = out[i];
            squares += out[i] == '[';
        } else if (out[i] == ')' || out[i] == ']') {
            if (depth == 0)
                return false;
            squares -= open[--depth] == '[';
        }
    }
    if (is_behind_square && !squares)
        return false;
    if (!is_behind_square)
        end += (size_t)snprintf(out + end, size - end, "%s", compare);
    while (depth > 0 && end + 8 < size) {
        out[end++] = open[--depth] == '[' ? ']' : ')';
        out[end] = '\0';
        if (is_behind_square && open[depth] == '[' && --squares == 0)
            end += (size_t)snprintf(out + end, size - end, "%s", compare);
    }
    return end < size;
}

/* Can the text's first `len` bytes be continued to something that the grammar knows? Tried with
 * what may follow each of its tokens. */
static bool is_viable(const char *text, size_t len, int dlt)
{
    static const char *const next[] = {"", " 1", " tcp", " 1.2.3.4", " port 1", " 1-2", NULL};
    static const char *const compare[] = {"", " = 1", NULL};
    char whole[CAPTURE_FILTER_MAX + 128], said[PCAP_ERRBUF_SIZE];
    for (int i = 0; next[i]; i++)
        for (int k = 0; k < 3; k++) {
            int n = snprintf(whole, sizeof(whole), "%.*s%s", (int)len, text, next[i]);
            if (close_brackets(whole, sizeof(whole), (size_t)n, compare[k > 0], k == 2) &&
                (compiles(whole, dlt, said, sizeof(said)) || !strstr(said, SYNTAX_ERROR)))
                return true;
        }
    return false;
}

/* The first token behind which nothing is right any more; the end of the text where it only breaks
 * off. What begins with what is viable is viable itself: halve. */
static size_t find_syntax_error(const char *text, int dlt)
{
    uint16_t ends[CAPTURE_FILTER_MAX + 1];
    size_t n = 0, at = 0;
    for (size_t end; (end = next_token(text, &at)) > at; at = end)
        ends[n++] = (uint16_t)end;
    size_t good = 0;
    while (good < n) {
        size_t middle = (good + n + 1) / 2;
        if (is_viable(text, ends[middle - 1], dlt))
            good = middle;
        else
            n = middle - 1;
    }
    at = good ? ends[good - 1] : 0;
    next_token(text, &at);
    return at;
}

/* --- words ------------------------------------------------------------------------------------ */

/* Where the text has what libpcap quotes ("unknown host 'x'") or names by its number. */
static size_t find_quoted(const char *text, const char *said)
{
    const char *begin = strchr(said, '\'');
    size_t len = begin ? strcspn(begin + 1, "'") : 0;
    if (begin)
        begin++;
    for (const char *p = said; !len && *p; p++)
        if (isdigit((unsigned char)*p)) {
            begin = p;
            len = strspn(p, "0123456789.:/");
        }
    for (size_t at = 0, end; len && (end = next_token(text, &at)) > at; at = end)
        if (strncmp(text + at, begin, len) == 0)
            return at;
    return 0;
}

enum status capture_filter_explain(const char *text, int dlt, const char *said, struct error *err)
{
    size_t at = strlen(text) <= CAPTURE_FILTER_MAX && strstr(said, SYNTAX_ERROR)
                    ? find_syntax_error(text, dlt)
                    : find_quoted(text, said);
    size_t token = at, end = next_token(text, &token);
    if (!strstr(said, SYNTAX_ERROR))
        error_set(err, STATUS_USAGE, SUBSYSTEM, "capture filter, column %zu: %s", at + 1, said);
    else if (end == token)
        error_set(err, STATUS_USAGE, SUBSYSTEM, "capture filter, column %zu: it ends too early",
                  at + 1);
    else
        error_set(err, STATUS_USAGE, SUBSYSTEM, "capture filter, column %zu: '%.*s' cannot be here",
                  at + 1, (int)(end - token), text + token);
    error_hint(err,
               "capture filters are those of tcpdump, see pcap-filter(7); they are not display "
               "filters");
    return STATUS_USAGE;
}

enum status capture_filter_check(const char *text, struct error *err)
{
    char said[PCAP_ERRBUF_SIZE], other[PCAP_ERRBUF_SIZE];
    if (strlen(text) > CAPTURE_FILTER_MAX)
        return error_set(err, STATUS_USAGE, SUBSYSTEM, "a capture filter has at most %d characters",
                         CAPTURE_FILTER_MAX);
    if (compiles(text, DLT_EN10MB, said, sizeof(said)) ||
        compiles(text, DLT_LINUX_SLL, other, sizeof(other)))
        return STATUS_OK;
    return capture_filter_explain(text, DLT_EN10MB, said, err);
}
