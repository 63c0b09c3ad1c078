/* The survey of a host: one script, run there once, reads what matters to a congestion-control lab
 * (survey.sh), and its output becomes a tree of facts. Nothing on the host is changed.
 *
 * All text comes from the host and is taken for hostile: bounded, and whatever will be part of a
 * command line later (names of devices, addresses) is dropped unless it looks like one. */
#ifndef CCALAB_REMOTE_SURVEY_H
#define CCALAB_REMOTE_SURVEY_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "core/error.h"

#define SURVEY_TEXT_MAX (4u << 20)

/* The script for `sh -c SCRIPT survey FORWARD ADDRESS...`: FORWARD is "forward" (a router: also ask
 * where packets between two of the addresses leave) or "". */
const char *survey_script(void);

/* Facts of a host from the script's output:
 *   kernel, kernel_version, arch, boot_id, distro          strings
 *   virtual_lab                                            name of the virtual lab it belongs to
 *   tcp_congestion_control, tcp_ecn, ip_forward, ...       sysctls by their last name, as strings;
 *                                                          also ip6_forward, mptcp_enabled
 *   modules {loaded: [], available: []}                    sch_* and tcp_*; `available` is absent
 *                                                          where the kernel's list is unreadable
 *   kernels []                                             installed in /boot
 *   links [], qdiscs []                                    as `ip -j link`, `tc -j -s qdisc`
 *   wireless []                                            devices of /proc/net/wireless
 *   tc, tc_dualpi2                                         iproute2's version; "mainline", "fork"
 *                                                          or "none": which dualpi2 it speaks
 *   routes [{to, from, dev, via, src, type}]               `from` in a router: forwarded packets
 *   ports {dev: {offloads: {tso: {is_on, is_fixed}, gso, gro, lro}, classes: [{kind, handle, leaf,
 *                rate_bps, ceil_bps}], speed_bps}}
 *   tcp_metrics []                                         addresses with remembered metrics
 *   iperf3                                                 its version, null: not installed
 *   listening []                                           TCP ports
 *   disk [{path, free_bytes}]                              home, then /tmp
 *   uid, has_sudo                                          has_sudo: `sudo -n` works, or uid is 0
 *   clock_s, clock_resolution_s                            the host's clock when it began
 *   failed {section: status}                               what the host could not tell
 *   is_complete                                            false: the output breaks off
 * What is not known is absent. *out is for cJSON_Delete(). Errors: STATUS_INPUT (no survey at all),
 * STATUS_NOMEM (over SURVEY_TEXT_MAX). */
CCALAB_MUST_USE enum status survey_parse(const char *text, size_t len, cJSON **out,
                                         struct error *err);

#endif
