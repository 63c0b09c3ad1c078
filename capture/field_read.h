/* How the values of each field come out of a frame: what `read` of field.c's table points to. */
#ifndef CCALAB_CAPTURE_FIELD_READ_H
#define CCALAB_CAPTURE_FIELD_READ_H

#include "capture/field.h"

/* `at` of the fields that field_read_accecn() reads. */
enum accecn_counter { ACCECN_EE0B, ACCECN_ECEB, ACCECN_EE1B };

/* X(name): struct field.read */
#define FIELD_READERS(X)                                                                           \
    X(field_read_layers)                                                                           \
    X(field_read_eth_type)                                                                         \
    X(field_read_ip_version)                                                                       \
    X(field_read_ip_len)                                                                           \
    X(field_read_protocol)                                                                         \
    X(field_read_frame)                                                                            \
    X(field_read_number)                                                                           \
    X(field_read_len)                                                                              \
    X(field_read_cap_len)                                                                          \
    X(field_read_epoch)                                                                            \
    X(field_read_time_relative)                                                                    \
    X(field_read_time_delta)                                                                       \
    X(field_read_stream)                                                                           \
    X(field_read_tcp_len)                                                                          \
    X(field_read_tcp_seq)                                                                          \
    X(field_read_tcp_nxtseq)                                                                       \
    X(field_read_tcp_ack)                                                                          \
    X(field_read_tcp_header)                                                                       \
    X(field_read_tcp_hdr_len)                                                                      \
    X(field_read_ecn_flag)                                                                         \
    X(field_read_ace)                                                                              \
    X(field_read_window_size)                                                                      \
    X(field_read_option_kind)                                                                      \
    X(field_read_option)                                                                           \
    X(field_read_accecn)                                                                           \
    X(field_read_analysis_flag)                                                                    \
    X(field_read_ack_rtt)                                                                          \
    X(field_read_initial_rtt)                                                                      \
    X(field_read_rto)                                                                              \
    X(field_read_bytes_in_flight)                                                                  \
    X(field_read_dup_ack_num)                                                                      \
    X(field_read_acks_frame)                                                                       \
    X(field_read_tcp_time)

#define X(name)                                                                                    \
    size_t name(const struct field *f, const struct field_frame *frame, struct field_value *out);
FIELD_READERS(X)
#undef X

#endif
