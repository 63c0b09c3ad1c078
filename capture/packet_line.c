#include "capture/packet_line.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void append(char *out, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *out, size_t size, const char *fmt, ...)
{
    size_t len = strlen(out);
    va_list args;

    va_start(args, fmt);
    vsnprintf(out + len, size - len, fmt, args);
    va_end(args);
}

static void addresses(const struct packet *p, struct packet_line *out)
{
    if (p->reach >= PACKET_REACH_IP) {
        int family = p->flow_version == 6 ? AF_INET6 : AF_INET;
        inet_ntop(family, p->src, out->src, sizeof out->src);
        inet_ntop(family, p->dst, out->dst, sizeof out->dst);
        return;
    }
    for (int i = 0; i < p->nlayers; i++) {
        const uint8_t *mac = packet_at(p, p->layers[i].at, 12);
        if (p->layers[i].kind != LAYER_ETHERNET || !mac)
            continue;
        for (int k = 0; k < 6; k++) {
            append(out->dst, sizeof out->dst, "%s%02x", k ? ":" : "", mac[k]);
            append(out->src, sizeof out->src, "%s%02x", k ? ":" : "", mac[6 + k]);
        }
        return;
    }
}

static const char *protocol(const struct packet *p)
{
    static const char *const names[LAYER_COUNT] = {
        [LAYER_ETHERNET] = "Ethernet", [LAYER_VLAN] = "VLAN",     [LAYER_SLL] = "SLL",
        [LAYER_SLL2] = "SLL",          [LAYER_NULL] = "Null",     [LAYER_WLAN] = "802.11",
        [LAYER_LLC] = "LLC",           [LAYER_ARP] = "ARP",       [LAYER_IPV4] = "IPv4",
        [LAYER_IPV6] = "IPv6",         [LAYER_IPV6_EXT] = "IPv6", [LAYER_GRE] = "GRE",
        [LAYER_ICMP] = "ICMP",         [LAYER_ICMPV6] = "ICMPv6", [LAYER_TCP] = "TCP",
        [LAYER_UDP] = "UDP",           [LAYER_SCTP] = "SCTP",
    };
    int last = p->nlayers - 1;

    while (last > 0 && p->layers[last].flags & LAYER_QUOTED)
        last--;
    return last < 0 ? "?" : names[p->layers[last].kind];
}

static void tcp_info(const struct field_frame *frame, struct packet_line *out)
{
    static const struct {
        uint16_t flag;
        const char *name;
    } flags[] = {{TCP_FIN, "FIN"}, {TCP_SYN, "SYN"}, {TCP_RST, "RST"},
                 {TCP_PSH, "PSH"}, {TCP_ACK, "ACK"}, {TCP_URG, "URG"},
                 {TCP_ECE, "ECE"}, {TCP_CWR, "CWR"}, {TCP_AE, "AE"}};
    static const struct {
        uint32_t flag;
        const char *name;
    } notes[] = {{ANALYSIS_SPURIOUS_RETRANSMISSION, "TCP Spurious Retransmission"},
                 {ANALYSIS_FAST_RETRANSMISSION, "TCP Fast Retransmission"},
                 {ANALYSIS_RETRANSMISSION, "TCP Retransmission"},
                 {ANALYSIS_OUT_OF_ORDER, "TCP Out-Of-Order"},
                 {ANALYSIS_LOST_SEGMENT, "TCP Previous segment not captured"},
                 {ANALYSIS_ACK_LOST_SEGMENT, "TCP ACKed unseen segment"},
                 {ANALYSIS_DUPLICATE_ACK, "TCP Dup ACK"},
                 {ANALYSIS_ZERO_WINDOW, "TCP ZeroWindow"},
                 {ANALYSIS_WINDOW_FULL, "TCP Window Full"},
                 {ANALYSIS_WINDOW_UPDATE, "TCP Window Update"},
                 {ANALYSIS_KEEP_ALIVE, "TCP Keep-Alive"},
                 {ANALYSIS_REUSED_PORTS, "TCP Port numbers reused"}};
    const struct packet *p = frame->packet;
    const struct analysis *a = frame->analysis;
    char *info = out->info;
    size_t size = sizeof out->info;
    const char *comma = "";

    for (size_t i = 0; a->has_analysis && i < sizeof notes / sizeof notes[0]; i++) {
        if (a->flags & notes[i].flag) {
            append(info, size, "[%s] ", notes[i].name);
            break;
        }
    }
    append(info, size, "%u → %u [", p->sport, p->dport);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        bool is_counter = a->has_ace && flags[i].flag >= TCP_ECE;
        if (is_counter || !(p->tcp_flags & flags[i].flag))
            continue;
        append(info, size, "%s%s", comma, flags[i].name);
        comma = ", ";
    }
    append(info, size, "]");
    if (a->has_ace)
        append(info, size, " ACE=%u", a->ace);
    append(info, size, " Seq=%u", a->flow ? a->seq : p->seq);
    if (p->tcp_flags & TCP_ACK)
        append(info, size, " Ack=%u", a->flow ? a->ack : p->ack);
    append(info, size, " Win=%u Len=%u", a->flow ? a->window_size : p->window, p->payload_len);
    if (a->flow && a->options.has_mss)
        append(info, size, " MSS=%u", a->options.mss);
    if (a->flow && a->options.has_accecn) {
        const struct accecn_option *o = &a->options.accecn;
        if (o->has_ee0b)
            append(info, size, " EE0B=%u", o->ee0b);
        if (o->has_eceb)
            append(info, size, " ECEB=%u", o->eceb);
        if (o->has_ee1b)
            append(info, size, " EE1B=%u", o->ee1b);
    }
}

static void info(const struct field_frame *frame, struct packet_line *out)
{
    const struct packet *p = frame->packet;

    if (p->fault == PACKET_MALFORMED)
        append(out->info, sizeof out->info, "[Malformed] ");
    if (p->fault == PACKET_CUT)
        append(out->info, sizeof out->info, "[Cut by the snap length] ");
    if (p->reach == PACKET_REACH_TRANSPORT && p->proto == PROTO_TCP)
        tcp_info(frame, out);
    else if (p->reach == PACKET_REACH_TRANSPORT)
        append(out->info, sizeof out->info, "%u → %u Len=%u", p->sport, p->dport, p->payload_len);
    else if (p->is_fragment)
        append(out->info, sizeof out->info, "Fragment, protocol %u", p->proto);
}

void packet_line(const struct field_frame *frame, struct packet_line *out)
{
    static const char *const ecn[ECN_COUNT] = {"Not-ECT", "ECT(1)", "ECT(0)", "CE"};
    const struct packet *p = frame->packet;

    *out = (struct packet_line){
        .number = p->frame,
        .time_s = (double)(p->t_ns - frame->first_ns) / 1e9,
        .protocol = protocol(p),
        .len = p->wire_len,
    };
    if (p->reach >= PACKET_REACH_ECN)
        snprintf(out->ecn, sizeof out->ecn, "%s", ecn[p->ecn]);
    addresses(p, out);
    info(frame, out);
}
