#include "capture/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "capture/report_parts.h"
#include "capture/verdict.h"

/* Nobody reads more, and a row is held in memory until its width is known. */
#define TABLE_FLOWS 1000u
/* Flows that get a sentence. */
#define VERDICT_FLOWS 20u

#define CELL_SIZE 112
#define COLUMNS   14

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
    cell_count(row->cell[11], ecn_dir_bytes(d));
    uint64_t told = accecn_bytes(&d->accecn);
    if (told)
        snprintf(row->cell[12], CELL_SIZE, "%.2f%%",
                 100.0 * (double)d->accecn.eceb.sum / (double)told);
    else
        snprintf(row->cell[12], CELL_SIZE, "-");
    if (d->first_ce_frame)
        snprintf(row->cell[13], CELL_SIZE, "#%" PRIu64 " at %.3f s", d->first_ce_frame,
                 (double)(d->first_ce_ns - first_ns) / NS_PER_S);
    else
        snprintf(row->cell[13], CELL_SIZE, "-");
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

static void table_verdicts(FILE *f, const struct report *r, const struct rank *ranks, uint32_t n)
{
    char verdict[VERDICT_SIZE];
    fputc('\n', f);
    for (uint32_t i = 0; i < n && i < VERDICT_FLOWS; i++) {
        const struct ecn_flow *flow = ecn_flow_at(r->ecn, ranks[i].index);
        flow_verdict(flow, verdict, sizeof(verdict));
        fprintf(f, "%s %u: %s\n", report_proto(flow), flow->flow->stream, verdict);
    }
}

void report_table(FILE *f, const struct report *r)
{
    const struct ecn *e = r->ecn;
    uint32_t n, omitted;
    table_head(f, r);
    struct report most = *r;
    most.max_flows = TABLE_FLOWS;
    struct rank *ranks = report_flows(&most, true, &n, &omitted);
    struct row *rows = calloc((size_t)n * 2 + 3, sizeof(*rows));
    if (ranks == NULL || rows == NULL) {
        fprintf(f, "\n%u flows: no memory to list them\n", ecn_flow_count(e));
        goto out;
    }
    if (n == 0)
        goto out;
    static const struct row head[2] = {
        {{"", "", "data:", "", "", "", "", "ack:", "", "", "", "", "AccECN"}},
        {{"flow", "direction", "Not-ECT", "ECT(1)", "ECT(0)", "CE", "marked", "Not-ECT", "ECT(1)",
          "ECT(0)", "CE", "bytes", "CE", "first CE"}},
    };
    size_t lines = 0;
    rows[lines++] = head[0];
    rows[lines++] = head[1];
    for (uint32_t i = 0; i < n; i++) {
        const struct ecn_flow *flow = ecn_flow_at(e, ranks[i].index);
        for (int d = 0; d < 2; d++) {
            struct row *row = &rows[lines++];
            struct endpoint from = report_endpoint(flow, d), to = report_endpoint(flow, !d);
            if (d == 0)
                snprintf(row->cell[0], CELL_SIZE, "%s %u", report_proto(flow), flow->flow->stream);
            snprintf(row->cell[1], CELL_SIZE, "%s > %s", from.text, to.text);
            row_dir(row, &flow->dir[d], e->first_ns);
        }
    }
    if (report_has_other(e)) {
        snprintf(rows[lines].cell[0], CELL_SIZE, "other");
        snprintf(rows[lines].cell[1], CELL_SIZE, "flows beyond the first %u", ecn_flow_count(e));
        row_dir(&rows[lines++], &e->other, e->first_ns);
    }
    fputc('\n', f);
    print_rows(f, rows, lines, COLUMNS);
    if (omitted)
        fprintf(f, "and %u flows with fewer bytes, see --csv\n", omitted);
    table_verdicts(f, r, ranks, n);
out:
    free(rows);
    free(ranks);
}
