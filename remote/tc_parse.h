/* What `tc qdisc show` of iproute2 says of the queues of a host, as one JSON shape.
 *
 * Three dialects are understood: `tc -j`, the text of every iproute2 (with and without -s), and
 * that of forks that print no JSON, or plain text in the middle of it (the L4S team's q_dualpi2.c).
 * Source of names and formats: tc_qdisc.c, tc_util.c and the q_*.c of iproute2; tc(8). Thread: any.
 */
#ifndef CCALAB_REMOTE_TC_PARSE_H
#define CCALAB_REMOTE_TC_PARSE_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "core/error.h"

/* Parse the output of `tc [-j] [-s] qdisc show [dev DEV]`: an array for cJSON_Delete() of objects
 * as `tc -j -s qdisc` gives them:
 *
 *   {"kind":"dualpi2","handle":"8001:","dev":"eth0","root":true,"refcnt":2,"options":{...},
 *    "bytes":183254112,"packets":121804,"drops":11,"overlimits":0,"requeues":0,"backlog":30280,
 *    "qlen":20,"prob":0.0234,"delay_c":13580,"delay_l":410,"pkts_in_c":28167,"pkts_in_l":55791,
 *    "maxq":61,"ecn_mark":2632,"step_mark":1810,"credit":-121120,...}
 *
 * with these differences, so that one look-up serves all dialects:
 * - every '-' of a name is a '_' (delay-c is delay_c); a null, which iproute2 writes for an option
 *   that has no value, is true;
 * - dualpi2: `step_marks` is step_mark, and the options are named as in the JSON of iproute2 6.17
 *   (coupling, c_protection, memory_limit, step_thresh_us or step_thresh_pkts, drop_overload "drop"
 *   or "overflow", drop_early "drop-dequeue" or "drop-enqueue", ecn_mask "l4s-ect" or "any-ect",
 *   split_gso true or false).
 * Times are microseconds, sizes bytes, rates bytes a second, as in that JSON; text has but three
 * digits of them. `dev` is absent where tc was asked for one device, the counters without -s,
 * `parent`
 * ("8001:1") stands where `root` does not. Of kinds whose statistics are prose (fq, cake, sfq) text
 * gives the counters alone.
 *
 * Errors: STATUS_INPUT with a hint: not tc's output, plain text inside JSON, over the bounds (4
 * MiB, 4096 qdiscs). *out is NULL then. */
CCALAB_MUST_USE enum status tc_qdisc_parse(const char *text, size_t len, cJSON **out,
                                           struct error *err);

#endif
