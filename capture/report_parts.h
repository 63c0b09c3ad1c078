/* What the table, the CSV and the JSON of the accounting share; for report*.c only. */
#ifndef CCALAB_CAPTURE_REPORT_PARTS_H
#define CCALAB_CAPTURE_REPORT_PARTS_H

#include <netinet/in.h>

#include "capture/report.h"

#define NS_PER_S INT64_C(1000000000)

/* 45 characters of address, brackets, port. */
struct endpoint {
    char addr[INET6_ADDRSTRLEN];
    char text[INET6_ADDRSTRLEN + 8];
};

struct rank {
    uint32_t index;
    uint64_t bytes;
};

/* "tcp", "udp", "sctp". */
const char *report_proto(const struct ecn_flow *f);
struct endpoint report_endpoint(const struct ecn_flow *f, int side);
/* "1700000000.000000001"; sources give no times before the epoch. */
void report_time(int64_t ns, char *out, size_t size);
/* The shortest of 15 or 17 digits that reads back as the same number. */
void report_number(double v, char *out, size_t size);
/* Is there anything beyond the limit of flows? */
bool report_has_other(const struct ecn *e);
/* The flows to list, those with the most bytes, at most r->max_flows; in that order or in that of
 * appearance. *omitted: how many were left out. NULL where memory is out. The caller frees. */
struct rank *report_flows(const struct report *r, bool is_by_bytes, uint32_t *n, uint32_t *omitted);

#endif
