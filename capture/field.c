#include "capture/field.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "capture/field_read.h"
#include "core/suggest.h"

/* --- the table -------------------------------------------------------------------------------- */

#define PROTOCOL(name_, title_, kind_)                                                             \
    {                                                                                              \
        .name = name_, .title = title_, .type = FIELD_PROTOCOL, .read = field_read_protocol,       \
        .layer = kind_                                                                             \
    }
/* `bits` of a header's bytes [at, at + size), after a shift. */
#define LAYER_UINT(name_, title_, kind_, at_, size_, shift_, bits_, hex_)                          \
    {                                                                                              \
        .name = name_, .title = title_, .type = FIELD_UINT, .bits = bits_, .hex = hex_,            \
        .read = field_read_layers, .layer = kind_, .at = at_, .also = -1, .size = size_,           \
        .shift = shift_, .mask = (uint32_t)((1ull << (bits_)) - 1)                                 \
    }
#define LAYER_SPECIAL(name_, title_, kind_, read_, at_, size_, shift_, bits_)                      \
    {                                                                                              \
        .name = name_, .title = title_, .type = FIELD_UINT, .bits = bits_, .read = read_,          \
        .layer = kind_, .at = at_, .also = -1, .size = size_, .shift = shift_,                     \
        .mask = (uint32_t)((1ull << (bits_)) - 1)                                                  \
    }
#define LAYER_BOOL(name_, title_, kind_, at_, size_, shift_)                                       \
    {                                                                                              \
        .name = name_, .title = title_, .type = FIELD_BOOL, .bits = 1, .read = field_read_layers,  \
        .layer = kind_, .at = at_, .also = -1, .size = size_, .shift = shift_, .mask = 1           \
    }
#define LAYER_ADDR(name_, title_, type_, kind_, at_, also_, size_)                                 \
    {                                                                                              \
        .name = name_, .title = title_, .type = type_, .read = field_read_layers, .layer = kind_,  \
        .at = at_, .also = also_, .size = size_                                                    \
    }
#define LAYER_PORT(name_, title_, kind_)                                                           \
    {                                                                                              \
        .name = name_, .title = title_, .type = FIELD_UINT, .bits = 16, .read = field_read_layers, \
        .layer = kind_, .at = 0, .also = 2, .size = 2, .mask = 0xffff                              \
    }
#define SPECIAL(name_, title_, type_, bits_, read_)                                                \
    {                                                                                              \
        .name = name_, .title = title_, .type = type_, .bits = bits_, .read = read_,               \
        .layer = LAYER_TCP                                                                         \
    }
#define TCP_UINT(name_, title_, read_, at_, size_, shift_, bits_, hex_)                            \
    {                                                                                              \
        .name = name_, .title = title_, .type = FIELD_UINT, .bits = bits_, .hex = hex_,            \
        .read = read_, .layer = LAYER_TCP, .at = at_, .also = -1, .size = size_, .shift = shift_,  \
        .mask = (uint32_t)((1ull << (bits_)) - 1)                                                  \
    }
#define TCP_OPTION(name_, title_, kind_, len_, at_, size_)                                         \
    {                                                                                              \
        .name = name_, .title = title_, .type = FIELD_UINT, .bits = 8 * (size_),                   \
        .read = field_read_option, .layer = LAYER_TCP, .at = at_, .also = len_, .size = size_,     \
        .shift = kind_, .mask = (uint32_t)((1ull << (8 * (size_))) - 1)                            \
    }
#define TCP_FLAG(name_, title_, read_, shift_)                                                     \
    {                                                                                              \
        .name = name_, .title = title_, .type = FIELD_BOOL, .bits = 1, .read = read_,              \
        .layer = LAYER_TCP, .at = 12, .also = -1, .size = 2, .shift = shift_, .mask = 1            \
    }
#define ANALYSIS(name_, title_, mask_)                                                             \
    {                                                                                              \
        .name = "tcp.analysis." name_, .title = title_, .type = FIELD_LABEL,                       \
        .read = field_read_analysis_flag, .layer = LAYER_TCP, .mask = mask_                        \
    }

static const struct field fields[] = {
    SPECIAL("frame", "Frame", FIELD_PROTOCOL, 0, field_read_frame),
    SPECIAL("frame.number", "Frame number", FIELD_UINT, 32, field_read_number),
    SPECIAL("frame.time_epoch", "Time since 1970 (s)", FIELD_EPOCH, 0, field_read_epoch),
    SPECIAL("frame.time_relative", "Time since the first frame (s)", FIELD_TIME, 0,
            field_read_time_relative),
    SPECIAL("frame.time_delta", "Time since the frame before (s)", FIELD_TIME, 0,
            field_read_time_delta),
    SPECIAL("frame.len", "Length on the wire (bytes)", FIELD_UINT, 32, field_read_len),
    SPECIAL("frame.cap_len", "Captured length (bytes)", FIELD_UINT, 32, field_read_cap_len),

    PROTOCOL("eth", "Ethernet", LAYER_ETHERNET),
    LAYER_ADDR("eth.dst", "Destination", FIELD_ETHER, LAYER_ETHERNET, 0, -1, 6),
    LAYER_ADDR("eth.src", "Source", FIELD_ETHER, LAYER_ETHERNET, 6, -1, 6),
    LAYER_ADDR("eth.addr", "Source or destination", FIELD_ETHER, LAYER_ETHERNET, 0, 6, 6),
    {.name = "eth.type",
     .title = "Type",
     .type = FIELD_UINT,
     .bits = 16,
     .hex = 4,
     .read = field_read_eth_type,
     .layer = LAYER_ETHERNET,
     .at = 12,
     .also = -1,
     .size = 2,
     .mask = 0xffff},
    PROTOCOL("vlan", "802.1Q VLAN", LAYER_VLAN),
    LAYER_UINT("vlan.priority", "Priority", LAYER_VLAN, 0, 2, 13, 3, 0),
    LAYER_UINT("vlan.id", "ID", LAYER_VLAN, 0, 2, 0, 12, 0),
    LAYER_UINT("vlan.etype", "Type", LAYER_VLAN, 2, 2, 0, 16, 4),
    PROTOCOL("sll", "Linux cooked capture", LAYER_SLL),
    PROTOCOL("null", "Null/Loopback", LAYER_NULL),
    PROTOCOL("wlan", "IEEE 802.11", LAYER_WLAN),
    PROTOCOL("arp", "Address Resolution Protocol", LAYER_ARP),

    PROTOCOL("ip", "Internet Protocol Version 4", LAYER_IPV4),
    LAYER_SPECIAL("ip.version", "Version", LAYER_IPV4, field_read_ip_version, 0, 1, 4, 4),
    LAYER_UINT("ip.dsfield", "Differentiated Services Field", LAYER_IPV4, 1, 1, 0, 8, 2),
    LAYER_UINT("ip.dsfield.dscp", "Differentiated Services Codepoint", LAYER_IPV4, 1, 1, 2, 6, 0),
    LAYER_UINT("ip.dsfield.ecn", "Explicit Congestion Notification", LAYER_IPV4, 1, 1, 0, 2, 0),
    LAYER_SPECIAL("ip.len", "Total Length", LAYER_IPV4, field_read_ip_len, 2, 2, 0, 32),
    LAYER_UINT("ip.id", "Identification", LAYER_IPV4, 4, 2, 0, 16, 4),
    LAYER_BOOL("ip.flags.df", "Don't fragment", LAYER_IPV4, 6, 2, 14),
    LAYER_BOOL("ip.flags.mf", "More fragments", LAYER_IPV4, 6, 2, 13),
    LAYER_UINT("ip.ttl", "Time to Live", LAYER_IPV4, 8, 1, 0, 8, 0),
    LAYER_UINT("ip.proto", "Protocol", LAYER_IPV4, 9, 1, 0, 8, 0),
    LAYER_UINT("ip.checksum", "Header Checksum", LAYER_IPV4, 10, 2, 0, 16, 4),
    LAYER_ADDR("ip.src", "Source Address", FIELD_IPV4, LAYER_IPV4, 12, -1, 4),
    LAYER_ADDR("ip.dst", "Destination Address", FIELD_IPV4, LAYER_IPV4, 16, -1, 4),
    LAYER_ADDR("ip.addr", "Source or Destination Address", FIELD_IPV4, LAYER_IPV4, 12, 16, 4),

    PROTOCOL("ipv6", "Internet Protocol Version 6", LAYER_IPV6),
    LAYER_UINT("ipv6.version", "Version", LAYER_IPV6, 0, 1, 4, 4, 0),
    LAYER_UINT("ipv6.tclass", "Traffic Class", LAYER_IPV6, 0, 4, 20, 8, 8),
    LAYER_UINT("ipv6.tclass.dscp", "Differentiated Services Codepoint", LAYER_IPV6, 0, 4, 22, 6, 0),
    LAYER_UINT("ipv6.tclass.ecn", "Explicit Congestion Notification", LAYER_IPV6, 0, 4, 20, 2, 0),
    LAYER_UINT("ipv6.flow", "Flow Label", LAYER_IPV6, 0, 4, 0, 20, 6),
    LAYER_UINT("ipv6.plen", "Payload Length", LAYER_IPV6, 4, 2, 0, 16, 0),
    LAYER_UINT("ipv6.nxt", "Next Header", LAYER_IPV6, 6, 1, 0, 8, 0),
    LAYER_UINT("ipv6.hlim", "Hop Limit", LAYER_IPV6, 7, 1, 0, 8, 0),
    LAYER_ADDR("ipv6.src", "Source Address", FIELD_IPV6, LAYER_IPV6, 8, -1, 16),
    LAYER_ADDR("ipv6.dst", "Destination Address", FIELD_IPV6, LAYER_IPV6, 24, -1, 16),
    LAYER_ADDR("ipv6.addr", "Source or Destination Address", FIELD_IPV6, LAYER_IPV6, 8, 24, 16),

    PROTOCOL("gre", "Generic Routing Encapsulation", LAYER_GRE),
    LAYER_UINT("gre.proto", "Protocol Type", LAYER_GRE, 2, 2, 0, 16, 4),
    PROTOCOL("icmp", "Internet Control Message Protocol", LAYER_ICMP),
    LAYER_UINT("icmp.type", "Type", LAYER_ICMP, 0, 1, 0, 8, 0),
    LAYER_UINT("icmp.code", "Code", LAYER_ICMP, 1, 1, 0, 8, 0),
    PROTOCOL("icmpv6", "Internet Control Message Protocol v6", LAYER_ICMPV6),
    LAYER_UINT("icmpv6.type", "Type", LAYER_ICMPV6, 0, 1, 0, 8, 0),
    LAYER_UINT("icmpv6.code", "Code", LAYER_ICMPV6, 1, 1, 0, 8, 0),
    PROTOCOL("udp", "User Datagram Protocol", LAYER_UDP),
    LAYER_UINT("udp.srcport", "Source Port", LAYER_UDP, 0, 2, 0, 16, 0),
    LAYER_UINT("udp.dstport", "Destination Port", LAYER_UDP, 2, 2, 0, 16, 0),
    LAYER_PORT("udp.port", "Source or Destination Port", LAYER_UDP),
    LAYER_UINT("udp.length", "Length", LAYER_UDP, 4, 2, 0, 16, 0),
    {.name = "udp.stream",
     .title = "Stream index",
     .type = FIELD_UINT,
     .bits = 32,
     .read = field_read_stream,
     .layer = LAYER_UDP},
    PROTOCOL("sctp", "Stream Control Transmission Protocol", LAYER_SCTP),
    LAYER_UINT("sctp.srcport", "Source Port", LAYER_SCTP, 0, 2, 0, 16, 0),
    LAYER_UINT("sctp.dstport", "Destination Port", LAYER_SCTP, 2, 2, 0, 16, 0),

    PROTOCOL("tcp", "Transmission Control Protocol", LAYER_TCP),
    LAYER_UINT("tcp.srcport", "Source Port", LAYER_TCP, 0, 2, 0, 16, 0),
    LAYER_UINT("tcp.dstport", "Destination Port", LAYER_TCP, 2, 2, 0, 16, 0),
    LAYER_PORT("tcp.port", "Source or Destination Port", LAYER_TCP),
    SPECIAL("tcp.stream", "Stream index", FIELD_UINT, 32, field_read_stream),
    SPECIAL("tcp.len", "Segment Length", FIELD_UINT, 32, field_read_tcp_len),
    SPECIAL("tcp.seq", "Sequence Number (relative)", FIELD_UINT, 32, field_read_tcp_seq),
    LAYER_UINT("tcp.seq_raw", "Sequence Number (raw)", LAYER_TCP, 4, 4, 0, 32, 0),
    SPECIAL("tcp.nxtseq", "Next Sequence Number (relative)", FIELD_UINT, 32, field_read_tcp_nxtseq),
    SPECIAL("tcp.ack", "Acknowledgment Number (relative)", FIELD_UINT, 32, field_read_tcp_ack),
    TCP_UINT("tcp.ack_raw", "Acknowledgment Number (raw)", field_read_tcp_header, 8, 4, 0, 32, 0),
    TCP_UINT("tcp.hdr_len", "Header Length (bytes)", field_read_tcp_hdr_len, 12, 1, 4, 4, 0),
    TCP_UINT("tcp.flags", "Flags", field_read_tcp_header, 12, 2, 0, 12, 4),
    TCP_FLAG("tcp.flags.ae", "Accurate ECN", field_read_ecn_flag, 8),
    TCP_FLAG("tcp.flags.cwr", "Congestion Window Reduced", field_read_ecn_flag, 7),
    TCP_FLAG("tcp.flags.ece", "ECN-Echo", field_read_ecn_flag, 6),
    TCP_UINT("tcp.flags.ace", "ACE: CE packets counted, modulo 8", field_read_ace, 12, 2, 6, 3, 0),
    TCP_FLAG("tcp.flags.urg", "Urgent", field_read_tcp_header, 5),
    TCP_FLAG("tcp.flags.ack", "Acknowledgment", field_read_tcp_header, 4),
    TCP_FLAG("tcp.flags.push", "Push", field_read_tcp_header, 3),
    TCP_FLAG("tcp.flags.reset", "Reset", field_read_tcp_header, 2),
    TCP_FLAG("tcp.flags.syn", "Syn", field_read_tcp_header, 1),
    TCP_FLAG("tcp.flags.fin", "Fin", field_read_tcp_header, 0),
    TCP_UINT("tcp.window_size_value", "Window", field_read_tcp_header, 14, 2, 0, 16, 0),
    SPECIAL("tcp.window_size", "Calculated window size", FIELD_UINT, 32, field_read_window_size),
    TCP_UINT("tcp.checksum", "Checksum", field_read_tcp_header, 16, 2, 0, 16, 4),
    TCP_UINT("tcp.urgent_pointer", "Urgent Pointer", field_read_tcp_header, 18, 2, 0, 16, 0),
    SPECIAL("tcp.option_kind", "Option kind", FIELD_UINT, 8, field_read_option_kind),
    TCP_OPTION("tcp.options.mss_val", "Maximum segment size", TCP_OPTION_MSS, 4, 2, 2),
    TCP_OPTION("tcp.options.wscale.shift", "Window scale: shift", TCP_OPTION_WINDOW_SCALE, 3, 2, 1),
    TCP_OPTION("tcp.options.timestamp.tsval", "Timestamp value", TCP_OPTION_TIMESTAMPS, 10, 2, 4),
    TCP_OPTION("tcp.options.timestamp.tsecr", "Timestamp echo reply", TCP_OPTION_TIMESTAMPS, 10, 6,
               4),
    TCP_UINT("tcp.options.acc_ecn.ee0b", "AccECN: bytes that arrived as ECT(0), modulo 2^24",
             field_read_accecn, ACCECN_EE0B, 3, 0, 24, 0),
    TCP_UINT("tcp.options.acc_ecn.eceb", "AccECN: bytes that arrived as CE, modulo 2^24",
             field_read_accecn, ACCECN_ECEB, 3, 0, 24, 0),
    TCP_UINT("tcp.options.acc_ecn.ee1b", "AccECN: bytes that arrived as ECT(1), modulo 2^24",
             field_read_accecn, ACCECN_EE1B, 3, 0, 24, 0),
    {.name = "tcp.time_relative",
     .title = "Time since the stream's first frame (s)",
     .type = FIELD_TIME,
     .read = field_read_tcp_time,
     .layer = LAYER_TCP,
     .at = 0},
    {.name = "tcp.time_delta",
     .title = "Time since the stream's frame before (s)",
     .type = FIELD_TIME,
     .read = field_read_tcp_time,
     .layer = LAYER_TCP,
     .at = 1},
    ANALYSIS("retransmission", "A retransmission", ANALYSIS_ANY_RETRANSMISSION),
    ANALYSIS("fast_retransmission", "A fast retransmission", ANALYSIS_FAST_RETRANSMISSION),
    ANALYSIS("spurious_retransmission", "A spurious retransmission",
             ANALYSIS_SPURIOUS_RETRANSMISSION),
    ANALYSIS("out_of_order", "Out of order", ANALYSIS_OUT_OF_ORDER),
    ANALYSIS("duplicate_ack", "A duplicate ACK", ANALYSIS_DUPLICATE_ACK),
    SPECIAL("tcp.analysis.duplicate_ack_num", "Duplicate ACK number", FIELD_UINT, 32,
            field_read_dup_ack_num),
    ANALYSIS("lost_segment", "A segment before it was not captured", ANALYSIS_LOST_SEGMENT),
    ANALYSIS("ack_lost_segment", "Acknowledges a segment that was not captured",
             ANALYSIS_ACK_LOST_SEGMENT),
    ANALYSIS("keep_alive", "Keep-alive", ANALYSIS_KEEP_ALIVE),
    ANALYSIS("keep_alive_ack", "ACK of a keep-alive", ANALYSIS_KEEP_ALIVE_ACK),
    ANALYSIS("zero_window", "Zero window", ANALYSIS_ZERO_WINDOW),
    ANALYSIS("zero_window_probe", "Zero window probe", ANALYSIS_ZERO_WINDOW_PROBE),
    ANALYSIS("zero_window_probe_ack", "ACK of a zero window probe", ANALYSIS_ZERO_WINDOW_PROBE_ACK),
    ANALYSIS("window_update", "Window update", ANALYSIS_WINDOW_UPDATE),
    ANALYSIS("window_full", "Window full", ANALYSIS_WINDOW_FULL),
    ANALYSIS("reused_ports", "The ports are used again", ANALYSIS_REUSED_PORTS),
    SPECIAL("tcp.analysis.acks_frame", "Acknowledges the segment in frame", FIELD_UINT, 32,
            field_read_acks_frame),
    SPECIAL("tcp.analysis.ack_rtt", "RTT to ACK the segment (s)", FIELD_TIME, 0,
            field_read_ack_rtt),
    SPECIAL("tcp.analysis.initial_rtt", "Initial RTT (s)", FIELD_TIME, 0, field_read_initial_rtt),
    SPECIAL("tcp.analysis.rto", "RTO of the segment (s)", FIELD_TIME, 0, field_read_rto),
    SPECIAL("tcp.analysis.bytes_in_flight", "Bytes in flight", FIELD_UINT, 32,
            field_read_bytes_in_flight),
};
#define FIELDS (sizeof fields / sizeof fields[0])

size_t field_read(const struct field *f, const struct field_frame *frame, struct field_value *out)
{
    return f->read(f, frame, out);
}

const struct field *field_find(const char *name, size_t len)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (!strncmp(fields[i].name, name, len) && !fields[i].name[len])
            return &fields[i];
    return NULL;
}

const struct field *field_at(size_t index)
{
    return index < FIELDS ? &fields[index] : NULL;
}

const char *field_suggest(const char *word)
{
    const char *names[FIELDS + 1] = {0};

    for (size_t i = 0; i < FIELDS; i++)
        names[i] = fields[i].name;
    return did_you_mean(word, names);
}

/* --- text ------------------------------------------------------------------------------------- */

static void print_time(int64_t ns, struct buf *out)
{
    uint64_t n = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;

    buf_printf(out, "%s%" PRIu64 ".%09" PRIu64, ns < 0 ? "-" : "", n / 1000000000, n % 1000000000);
}

void field_print(const struct field *f, const struct field_value *v, struct buf *out)
{
    char text[INET6_ADDRSTRLEN];

    switch ((enum field_type)f->type) {
    case FIELD_LABEL:
        buf_puts(out, "1");
        break;
    case FIELD_PROTOCOL:
        buf_puts(out, f->name);
        break;
    case FIELD_BOOL:
        buf_puts(out, v->u ? "1" : "0");
        break;
    case FIELD_UINT:
        if (f->hex)
            buf_printf(out, "0x%0*" PRIx64, f->hex, v->u);
        else
            buf_printf(out, "%" PRIu64, v->u);
        break;
    case FIELD_TIME:
    case FIELD_EPOCH:
        print_time(v->ns, out);
        break;
    case FIELD_IPV4:
        buf_puts(out, inet_ntop(AF_INET, v->bytes, text, sizeof text));
        break;
    case FIELD_IPV6:
        buf_puts(out, inet_ntop(AF_INET6, v->bytes, text, sizeof text));
        break;
    case FIELD_ETHER:
        for (uint32_t i = 0; i < v->len; i++)
            buf_printf(out, "%s%02x", i ? ":" : "", v->bytes[i]);
        break;
    }
}
