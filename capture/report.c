#include "capture/report.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NS_PER_S 1000000000
/* Nobody reads more, and a row is held in memory until its width is known. */
#define TABLE_FLOWS 1000u

/* 45 characters of address, brackets, port. */
struct endpoint {
    char addr[INET6_ADDRSTRLEN];
    char text[INET6_ADDRSTRLEN + 8];
};

static const char *proto_name(const struct ecn_flow *f)
{
    return f->proto == PROTO_TCP ? "tcp" : "udp";
}

static struct endpoint endpoint_of(const struct ecn_flow *f, int side)
{
    struct endpoint e;
    bool is_v4 = f->ip_version == 4;
    inet_ntop(is_v4 ? AF_INET : AF_INET6, f->addr[side], e.addr, sizeof(e.addr));
    snprintf(e.text, sizeof(e.text), is_v4 ? "%s:%u" : "[%s]:%u", e.addr, f->port[side]);
    return e;
}

/* "1700000000.000000001"; sources give no times before the epoch. */
static void format_time(int64_t ns, char *out, size_t size)
{
    snprintf(out, size, "%" PRId64 ".%09" PRId64, ns / NS_PER_S, ns % NS_PER_S);
}

/* The shortest of 15 or 17 digits that reads back as the same number. */
static void format_ratio(double v, char *out, size_t size)
{
    snprintf(out, size, "%.15g", v);
    if (strtod(out, NULL) != v)
        snprintf(out, size, "%.17g", v);
}

static bool has_other(const struct ecn *e)
{
    return ecn_counts_sum(&e->other.data) + ecn_counts_sum(&e->other.ack) > 0;
}

/* --- which flows, in which order -------------------------------------------------------------- */

struct rank {
    uint32_t index;
    uint64_t bytes;
};

static int by_bytes(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->index > y->index ? 1 : -1;
}

static int by_index(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    return x->index > y->index ? 1 : -1;
}

/* The flows to list, most bytes first; NULL where memory is out. The caller frees. */
static struct rank *rank_flows(const struct report *r, uint32_t *n)
{
    uint32_t count = r->ecn->flow_count;
    struct rank *ranks = malloc((count + 1) * sizeof(*ranks));
    *n = 0;
    if (ranks == NULL)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        const struct ecn_flow *f = ecn_flow_at(r->ecn, i);
        ranks[i] = (struct rank){i, f->dir[0].bytes + f->dir[1].bytes};
    }
    qsort(ranks, count, sizeof(*ranks), by_bytes);
    *n = r->max_flows != 0 && count > r->max_flows ? r->max_flows : count;
    return ranks;
}

/* --- the table -------------------------------------------------------------------------------- */

#define CELL_SIZE 112
#define COLUMNS   13

struct row {
    char cell[COLUMNS][CELL_SIZE];
};

/* Which columns hold words: they are set flush left. */
static bool is_word(int column)
{
    return column == 0 || column == 1 || column == COLUMNS - 1;
}

/* Text is padded here by characters that are all one column wide: addresses and digits. */
static void print_rows(FILE *f, const struct row *rows, size_t n, int columns)
{
    int width[COLUMNS] = {0};
    for (size_t i = 0; i < n; i++)
        for (int c = 0; c < columns; c++) {
            int len = (int)strlen(rows[i].cell[c]);
            width[c] = len > width[c] ? len : width[c];
        }
    for (size_t i = 0; i < n; i++) {
        int pending = 0; /* no blanks at the end of a line */
        for (int c = 0; c < columns; c++) {
            const char *text = rows[i].cell[c];
            int len = (int)strlen(text);
            int before = is_word(c) ? 0 : width[c] - len;
            pending += (c ? 2 : 0) + before;
            if (len) {
                fprintf(f, "%*s%s", pending, "", text);
                pending = 0;
            }
            pending += is_word(c) ? width[c] - len : 0;
        }
        fputc('\n', f);
    }
}

static void cell_percent(char *cell, const struct ecn_counts *c)
{
    double ratio = ecn_mark_ratio(c);
    if (ratio < 0)
        snprintf(cell, CELL_SIZE, "-");
    else
        snprintf(cell, CELL_SIZE, "%.2f%%", ratio * 100);
}

static void cell_count(char *cell, uint64_t n)
{
    snprintf(cell, CELL_SIZE, "%" PRIu64, n);
}

static void row_total(struct row *row, const char *name, const struct ecn_counts *c)
{
    snprintf(row->cell[0], CELL_SIZE, "%s", name);
    cell_count(row->cell[2], ecn_counts_sum(c));
    for (int i = 0; i < ECN_COUNT; i++)
        cell_count(row->cell[3 + i], c->n[i]);
    cell_percent(row->cell[7], c);
}

static void row_dir(struct row *row, const struct ecn_dir *d, int64_t first_ns)
{
    for (int i = 0; i < ECN_COUNT; i++) {
        cell_count(row->cell[2 + i], d->data.n[i]);
        cell_count(row->cell[7 + i], d->ack.n[i]);
    }
    cell_percent(row->cell[6], &d->data);
    cell_count(row->cell[11], d->bytes);
    if (d->first_ce_frame)
        snprintf(row->cell[12], CELL_SIZE, "#%" PRIu64 " at %.3f s", d->first_ce_frame,
                 (double)(d->first_ce_ns - first_ns) / NS_PER_S);
    else
        snprintf(row->cell[12], CELL_SIZE, "-");
}

static void table_head(FILE *f, const struct report *r)
{
    const struct ecn *e = r->ecn;
    struct row rows[3] = {{{"", "", "packets", "Not-ECT", "ECT(1)", "ECT(0)", "CE", "marked"}}};
    fprintf(f, "%" PRIu64 " frames", e->frames);
    if (e->not_ip)
        fprintf(f, ", %" PRIu64 " without IP", e->not_ip);
    if (e->cut)
        fprintf(f, ", %" PRIu64 " with headers beyond the snap length", e->cut);
    if (e->malformed)
        fprintf(f, ", %" PRIu64 " malformed", e->malformed);
    if (r->kernel_drops >= 0)
        fprintf(f, ", %" PRId64 " dropped by the kernel", r->kernel_drops);
    fputc('\n', f);
    if (r->truncated)
        fprintf(f, "the file ends early: %s\n", r->truncated);
    fputc('\n', f);
    row_total(&rows[1], "IPv4", &e->ipv4);
    row_total(&rows[2], "IPv6", &e->ipv6);
    print_rows(f, rows, 3, 8);
}

void report_table(FILE *f, const struct report *r)
{
    const struct ecn *e = r->ecn;
    uint32_t n;
    table_head(f, r);
    struct rank *ranks = rank_flows(r, &n);
    n = n > TABLE_FLOWS ? TABLE_FLOWS : n;
    struct row *rows = calloc((size_t)n * 2 + 3, sizeof(*rows));
    if (ranks == NULL || rows == NULL) {
        fprintf(f, "\n%u flows: no memory to list them\n", e->flow_count);
        goto out;
    }
    if (e->flow_count == 0)
        goto out;
    static const struct row head[2] = {
        {{"", "", "data:", "", "", "", "", "ack:"}},
        {{"flow", "direction", "Not-ECT", "ECT(1)", "ECT(0)", "CE", "marked", "Not-ECT", "ECT(1)",
          "ECT(0)", "CE", "bytes", "first CE"}},
    };
    size_t lines = 0;
    rows[lines++] = head[0];
    rows[lines++] = head[1];
    for (uint32_t i = 0; i < n; i++) {
        const struct ecn_flow *flow = ecn_flow_at(e, ranks[i].index);
        for (int d = 0; d < 2; d++) {
            struct row *row = &rows[lines++];
            struct endpoint from = endpoint_of(flow, d), to = endpoint_of(flow, !d);
            if (d == 0)
                snprintf(row->cell[0], CELL_SIZE, "%s %u", proto_name(flow), flow->stream);
            snprintf(row->cell[1], CELL_SIZE, "%s > %s", from.text, to.text);
            row_dir(row, &flow->dir[d], e->first_ns);
        }
    }
    if (has_other(e)) {
        snprintf(rows[lines].cell[0], CELL_SIZE, "other");
        snprintf(rows[lines].cell[1], CELL_SIZE, "flows beyond the first %u", e->flow_count);
        row_dir(&rows[lines++], &e->other, e->first_ns);
    }
    fputc('\n', f);
    print_rows(f, rows, lines, COLUMNS);
    if (n < e->flow_count)
        fprintf(f, "and %u flows with fewer bytes, see --csv\n", e->flow_count - n);
out:
    free(rows);
    free(ranks);
}

/* --- CSV -------------------------------------------------------------------------------------- */

static void csv_dir(FILE *f, const struct ecn_dir *d)
{
    char text[40] = "", frame[24] = "";
    for (int i = 0; i < ECN_COUNT; i++)
        fprintf(f, ",%" PRIu64, d->data.n[i]);
    for (int i = 0; i < ECN_COUNT; i++)
        fprintf(f, ",%" PRIu64, d->ack.n[i]);
    if (d->first_ce_frame) {
        snprintf(frame, sizeof(frame), "%" PRIu64, d->first_ce_frame);
        format_time(d->first_ce_ns, text, sizeof(text));
    }
    fprintf(f, ",%" PRIu64 ",%s,%s,", d->bytes, frame, text);
    double ratio = ecn_mark_ratio(&d->data);
    if (ratio >= 0) {
        format_ratio(ratio, text, sizeof(text));
        fputs(text, f);
    }
    fputc('\n', f);
}

void report_csv(FILE *f, const struct report *r)
{
    fputs("stream,proto,direction,src,dst,sport,dport,"
          "data_not_ect,data_ect1,data_ect0,data_ce,ack_not_ect,ack_ect1,ack_ect0,ack_ce,"
          "bytes,first_ce_frame,first_ce_t,mark_ratio\n",
          f);
    for (uint32_t i = 0; i < r->ecn->flow_count; i++) {
        const struct ecn_flow *flow = ecn_flow_at(r->ecn, i);
        for (int d = 0; d < 2; d++) {
            struct endpoint from = endpoint_of(flow, d), to = endpoint_of(flow, !d);
            fprintf(f, "%u,%s,%s,%s,%s,%u,%u", flow->stream, proto_name(flow), d ? "rev" : "fwd",
                    from.addr, to.addr, flow->port[d], flow->port[!d]);
            csv_dir(f, &flow->dir[d]);
        }
    }
    if (has_other(r->ecn)) {
        fputs(",other,,,,,", f);
        csv_dir(f, &r->ecn->other);
    }
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* Written as it goes: a tree of a million flows would not fit into memory. */
static void json_counts(FILE *f, const char *key, const struct ecn_counts *c)
{
    fprintf(f,
            "\"%s\":{\"not_ect\":%" PRIu64 ",\"ect1\":%" PRIu64 ",\"ect0\":%" PRIu64
            ",\"ce\":%" PRIu64 "}",
            key, c->n[ECN_NOT_ECT], c->n[ECN_ECT1], c->n[ECN_ECT0], c->n[ECN_CE]);
}

static void json_dir(FILE *f, const char *key, const struct ecn_dir *d)
{
    char text[40];
    fprintf(f, "\"%s\":{", key);
    json_counts(f, "data", &d->data);
    fputc(',', f);
    json_counts(f, "ack", &d->ack);
    fprintf(f, ",\"bytes\":%" PRIu64 ",\"first_ce\":", d->bytes);
    if (d->first_ce_frame) {
        format_time(d->first_ce_ns, text, sizeof(text));
        fprintf(f, "{\"frame\":%" PRIu64 ",\"t\":%s}", d->first_ce_frame, text);
    } else {
        fputs("null", f);
    }
    double ratio = ecn_mark_ratio(&d->data);
    if (ratio < 0)
        snprintf(text, sizeof(text), "null");
    else
        format_ratio(ratio, text, sizeof(text));
    fprintf(f, ",\"mark_ratio\":%s}", text);
}

static void json_flow(FILE *f, const struct ecn_flow *flow)
{
    struct endpoint from = endpoint_of(flow, 0), to = endpoint_of(flow, 1);
    fprintf(f,
            "{\"stream\":%u,\"proto\":\"%s\",\"src\":\"%s\",\"dst\":\"%s\",\"sport\":%u,"
            "\"dport\":%u,",
            flow->stream, proto_name(flow), from.addr, to.addr, flow->port[0], flow->port[1]);
    json_dir(f, "fwd", &flow->dir[0]);
    fputc(',', f);
    json_dir(f, "rev", &flow->dir[1]);
    fputc('}', f);
}

enum status report_json(FILE *f, const struct report *r, struct error *err)
{
    const struct ecn *e = r->ecn;
    enum status status = STATUS_OK;
    char *text = NULL;
    uint32_t n;
    struct rank *ranks = rank_flows(r, &n);
    if (r->truncated) { /* libpcap's words, which may quote the file's */
        cJSON *string = cJSON_CreateString(r->truncated);
        text = cJSON_PrintUnformatted(string);
        cJSON_Delete(string);
    }
    if (ranks == NULL || (r->truncated && text == NULL)) {
        status = error_set(err, STATUS_NOMEM, "capture", "no memory for the report");
        goto out;
    }
    qsort(ranks, n, sizeof(*ranks), by_index);
    fprintf(f, "{\"frames\":%" PRIu64 ",\"truncated\":%s,", e->frames,
            r->truncated ? "true" : "false");
    json_counts(f, "ipv4", &e->ipv4);
    fputc(',', f);
    json_counts(f, "ipv6", &e->ipv6);
    fputs(",\"flows\":[", f);
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            fputc(',', f);
        json_flow(f, ecn_flow_at(e, ranks[i].index));
    }
    fprintf(f, "],\"flows_omitted\":%u,", e->flow_count - n);
    json_dir(f, "other", &e->other);
    fprintf(f, ",\"not_ip\":%" PRIu64 ",\"cut\":%" PRIu64 ",\"malformed\":%" PRIu64, e->not_ip,
            e->cut, e->malformed);
    if (r->truncated)
        fprintf(f, ",\"truncated_by\":%s", text);
    if (r->kernel_drops >= 0)
        fprintf(f, ",\"kernel_drops\":%" PRId64, r->kernel_drops);
    fputc('}', f);
out:
    cJSON_free(text);
    free(ranks);
    return status;
}
