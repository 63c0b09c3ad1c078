#include "remote/ss_parse.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

#define WORD_MAX 128

/* The next word of [*at, end), NUL-terminated and cut to WORD_MAX. False at the end. */
static bool next_word(const char **at, const char *end, char *word)
{
    const char *p = *at;
    size_t n = 0;
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
        p++;
    }
    if (p == end) {
        return false;
    }
    for (; p < end && *p != ' ' && *p != '\t' && *p != '\r' && *p != '\n'; p++) {
        if (n < WORD_MAX - 1 && *p) {
            word[n++] = *p;
        }
    }
    word[n] = '\0';
    *at = p;
    return true;
}

/* A number at the start of `text`; *end is what follows it. NaN if there is none. */
static double number(const char *text, const char **end)
{
    char *stop;
    if (text[0] < '0' || text[0] > '9' || text[1] == 'x') { /* no sign, no "inf", no hex */
        *end = text;
        return NAN;
    }
    double v = strtod(text, &stop);
    *end = stop;
    return v < 1e300 ? v : (double)NAN;
}

/* "941234bps" or "94.1Mbps", in bit/s. */
static double rate(const char *text)
{
    static const char units[] = "kKMGT";
    static const double factors[] = {1e3, 1e3, 1e6, 1e9, 1e12};
    const char *end, *unit;
    double v = number(text, &end);
    if (*end && (unit = strchr(units, *end))) {
        v *= factors[unit - units];
        end++;
    }
    return strncmp(end, "bps", 3) == 0 ? v : (double)NAN;
}

/* "10.0.0.1:40112", "[fe80::1%eth0]:5201", of old versions "fe80::1:5201". */
static bool read_end(const char *word, char *out, size_t size, uint16_t *port)
{
    const char *colon = strrchr(word, ':'), *end;
    double v = colon ? number(colon + 1, &end) : (double)NAN;
    if (!(v >= 0 && v <= 65535) || *end) {
        return false;
    }
    int host = (int)(colon - word);
    const char *zone = memchr(word, '%', (size_t)host);
    bool is_open = memchr(word, ':', (size_t)host) && word[0] != '[';
    bool is_cut = zone && word[0] == '['; /* the zone goes, its bracket stays */
    char text[WORD_MAX + 16];
    *port = (uint16_t)v;
    snprintf(text, sizeof(text), "%s%.*s%s:%u", is_open ? "[" : "",
             zone ? (int)(zone - word) : host, word, is_open || is_cut ? "]" : "", *port);
    if (strlen(text) >= size) {
        return false;
    }
    log_escape(text, out, size);
    return true;
}

static bool is_state(const char *word)
{
    static const char *const states[] = {"ESTAB", "FIN-WAIT-1", "CLOSE-WAIT", "LAST-ACK",
                                         "CLOSING"};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(word, states[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Words without a value. The congestion control is the one that is none of them. */
static bool is_flag(const char *word)
{
    static const char *const flags[] = {"ts",    "usec_ts",  "sack", "ecn",        "ecnseen",
                                        "bidir", "fastopen", "send", "app_limited"};
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(word, flags[i]) == 0) {
            return true;
        }
    }
    return false;
}

struct words {
    double mss, cwnd, srtt_ms, rttvar_ms, min_rtt_ms;
};

static void read_pair(const char *key, const char *value, struct words *w, struct tcp_reading *out)
{
    const struct {
        const char *key;
        double *to;
    } fields[] = {
        {"mss", &w->mss},
        {"cwnd", &w->cwnd},
        {"minrtt", &w->min_rtt_ms},
        {"bytes_acked", &out->bytes_acked},
        {"bytes_sent", &out->bytes_sent},
        {"lost", &out->lost},
        {"delivered", &out->delivered},
        {"delivered_ce", &out->delivered_ce},
    };
    const char *end;
    if (strcmp(key, "rtt") == 0) { /* SRTT/RTTVAR */
        w->srtt_ms = number(value, &end);
        w->rttvar_ms = *end == '/' ? number(end + 1, &end) : (double)NAN;
    } else if (strcmp(key, "retrans") == 0) { /* NOW/TOTAL */
        (void)number(value, &end);
        out->retrans = *end == '/' ? number(end + 1, &end) : (double)NAN;
    } else {
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
            if (strcmp(key, fields[i].key) == 0) {
                *fields[i].to = number(value, &end);
            }
        }
    }
}

bool ss_parse(const char *line, size_t len, struct tcp_reading *out)
{
    const char *at = line, *end = line + len;
    char word[WORD_MAX];
    struct words w = {NAN, NAN, NAN, NAN, NAN};
    *out = (struct tcp_reading){
        .delivery_rate_bps = NAN,
        .pacing_rate_bps = NAN,
        .bytes_acked = NAN,
        .bytes_sent = NAN,
        .delivered = NAN,
        .delivered_ce = NAN,
    };
    if (!next_word(&at, end, word) || !is_state(word) || !next_word(&at, end, word) ||
        !next_word(&at, end, word) || !next_word(&at, end, word) ||
        !read_end(word, out->local, sizeof(out->local), &out->local_port) ||
        !next_word(&at, end, word) ||
        !read_end(word, out->remote, sizeof(out->remote), &out->remote_port)) {
        return false;
    }
    while (next_word(&at, end, word)) {
        char *colon = strchr(word, ':');
        if (colon) {
            *colon = '\0';
            read_pair(word, colon + 1, &w, out);
        } else if (strcmp(word, "pacing_rate") == 0 || strcmp(word, "delivery_rate") == 0) {
            double *to = word[0] == 'p' ? &out->pacing_rate_bps : &out->delivery_rate_bps;
            if (next_word(&at, end, word)) {
                *to = rate(word);
            }
        } else if (!out->cc[0] && !is_flag(word) && strlen(word) < sizeof(out->cc)) {
            log_escape(word, out->cc, sizeof(out->cc));
        }
    }
    out->cwnd_pkts = w.cwnd;
    out->cwnd_bytes = w.cwnd * w.mss;
    out->srtt_us = w.srtt_ms * 1e3;
    out->rttvar_us = w.rttvar_ms * 1e3;
    out->min_rtt_us = w.min_rtt_ms * 1e3;
    if (isnan(out->delivered_ce) && !isnan(out->delivered)) {
        out->delivered_ce = 0; /* ss tells both or neither */
    }
    return !isnan(w.cwnd); /* always more than 0, where there is TCP state */
}
