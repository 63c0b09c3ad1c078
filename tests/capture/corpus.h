/* What the corpus is made of: a capture file that is written frame by frame (corpus_out.c), TCP
 * segments (corpus_segment.c), headers around them (corpus_headers.c), and the makers of its files,
 * each of which writes the same bytes every time. Programs of tests: what cannot be written ends
 * them. */
#ifndef CCALAB_TESTS_CAPTURE_CORPUS_H
#define CCALAB_TESTS_CAPTURE_CORPUS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "frames.h"

/* --- a file ----------------------------------------------------------------------------------- */

enum format { PCAP_US, PCAP_NS, PCAP_US_SWAPPED, PCAP_NS_SWAPPED, PCAPNG, PCAPNG_SWAPPED };
enum { LINK_ETHERNET = 1, LINK_RAW = 101, LINK_WLAN = 105 };

struct out {
    FILE *f, *seeds;
    unsigned seed_frames;
    enum format format;
    uint64_t t_ns; /* of the next frame */
};

/* The first frames of each file that is opened from now on become a seed of fuzz_dissect in `dir`,
 * which must live on. */
void out_set_seeds(const char *dir);
/* `dir` "": `name` is the path. */
struct out out_open(const char *dir, const char *name, enum format format, unsigned link);
void out_frame(struct out *o, const struct frame *f, uint32_t cap_len, uint32_t wire_len);
void out_whole(struct out *o, const struct frame *f);
void out_close(struct out *o);

/* --- TCP -------------------------------------------------------------------------------------- */

struct segment {
    bool is_back; /* from the server */
    unsigned ecn, flags, window;
    uint32_t seq, ack, len; /* len: on the wire, the first bytes of it are captured */
    const uint8_t *options;
    uint32_t options_len; /* a multiple of 4 */
    unsigned port;        /* the client's; 0: 40000 */
};

/* The header and what is captured of the payload, without IP. */
void put_segment(struct frame *f, const struct segment *s);
/* In IPv4 and Ethernet. */
void out_segment(struct out *o, const struct segment *s);

/* An Accurate ECN option (RFC 9768) of the first `fields` counters, padded to `len` bytes, a
 * multiple of 4; `v`: bytes in ECT(0), CE, ECT(1). */
enum option_form { KIND_172, KIND_174, EXP_ACC0, EXP_ACC1 };
void put_option(uint8_t out[16], uint32_t *len, enum option_form form, const uint32_t v[3],
                int fields);

/* --- headers ---------------------------------------------------------------------------------- */

/* IPv4 and a TCP segment of `len` bytes. */
void put_tcp4(struct frame *f, unsigned ecn, unsigned len);
/* The IPv4 header of a tunnel around `len` bytes. */
void put_outer4(struct frame *f, unsigned ecn, unsigned proto, unsigned len);
/* An IPv6 options header of 8 * (1 + units) bytes. */
void put_extension(struct frame *f, unsigned next, unsigned units);

/* --- the files of the corpus, into `dir` ------------------------------------------------------ */

/* corpus_accecn.c: connections that count with each form of the option, and all 64 pairs of
 * handshake flags. */
void make_accecn(const char *dir);
void make_handshakes(const char *dir);
/* corpus_headers.c */
void make_tunnels(const char *dir);
void make_quoted(const char *dir);
void make_extensions(const char *dir);
void make_wlan(const char *dir);
void make_llc(const char *dir);
/* corpus_damage.c */
void make_options(const char *dir);
void make_lies(const char *dir);
void make_loops(const char *dir);
void make_cut(const char *dir);

/* corpus_random.c: a few connections that do what connections do, and a lot of what they do not. */
void make_random(const char *path, uint64_t seed, unsigned frames);

#endif
