#include "capture/packet_words.h"

#include <inttypes.h>
#include <string.h>

struct word {
    uint32_t value;
    const char *text;
};

/* "?" where the table does not have it. */
static const char *find(const struct word *words, uint64_t value)
{
    for (; words->text; words++)
        if (words->value == value)
            return words->text;
    return "?";
}

static const struct word ecn_words[] = {
    {ECN_NOT_ECT, "Not ECN-Capable Transport"},
    {ECN_ECT1, "ECN-Capable Transport ECT(1), L4S"},
    {ECN_ECT0, "ECN-Capable Transport ECT(0)"},
    {ECN_CE, "Congestion Experienced"},
    {0, NULL},
};

static const struct word ecn_names[] = {
    {ECN_NOT_ECT, "Not-ECT"}, {ECN_ECT1, "ECT(1)"}, {ECN_ECT0, "ECT(0)"}, {ECN_CE, "CE"}, {0, NULL},
};

static const struct word dscp_words[] = {
    {0, "Default"}, {1, "Lower Effort"}, {8, "CS1"},   {10, "AF11"}, {12, "AF12"},
    {14, "AF13"},   {16, "CS2"},         {18, "AF21"}, {20, "AF22"}, {22, "AF23"},
    {24, "CS3"},    {26, "AF31"},        {28, "AF32"}, {30, "AF33"}, {32, "CS4"},
    {34, "AF41"},   {36, "AF42"},        {38, "AF43"}, {40, "CS5"},  {44, "VOICE-ADMIT"},
    {45, "NQB"},    {46, "EF"},          {48, "CS6"},  {56, "CS7"},  {0, NULL},
};

static const struct word protocol_words[] = {
    {0, "IPv6 Hop-by-Hop"},
    {1, "ICMP"},
    {4, "IPv4"},
    {6, "TCP"},
    {17, "UDP"},
    {41, "IPv6"},
    {43, "IPv6 Routing"},
    {44, "IPv6 Fragment"},
    {47, "GRE"},
    {50, "ESP"},
    {51, "AH"},
    {58, "ICMPv6"},
    {59, "nothing more"},
    {60, "IPv6 Destination Options"},
    {132, "SCTP"},
    {0, NULL},
};

static const struct word type_words[] = {
    {0x0800, "IPv4"},    {0x0806, "ARP"},  {0x86dd, "IPv6"}, {0x8100, "802.1Q"},
    {0x88a8, "802.1ad"}, {0x88cc, "LLDP"}, {0, NULL},
};

static const struct word option_words[] = {
    {TCP_OPTION_EOL, "end of the options"},
    {TCP_OPTION_NOP, "no operation"},
    {TCP_OPTION_MSS, "maximum segment size"},
    {TCP_OPTION_WINDOW_SCALE, "window scale"},
    {TCP_OPTION_SACK_PERMITTED, "SACK permitted"},
    {TCP_OPTION_SACK, "SACK"},
    {TCP_OPTION_TIMESTAMPS, "timestamps"},
    {TCP_OPTION_ACCECN0, "Accurate ECN, order 0"},
    {TCP_OPTION_ACCECN1, "Accurate ECN, order 1"},
    {TCP_OPTION_EXP1, "experimental"},
    {TCP_OPTION_EXP2, "experimental"},
    {0, NULL},
};

static void number(uint64_t v, const struct word *words, struct buf *out)
{
    buf_printf(out, "%s (%" PRIu64 ")", find(words, v), v);
}

static void ecn(uint64_t v, struct buf *out)
{
    number(v, ecn_words, out);
}

static void dscp(uint64_t v, struct buf *out)
{
    number(v, dscp_words, out);
}

static void protocol(uint64_t v, struct buf *out)
{
    number(v, protocol_words, out);
}

static void type(uint64_t v, struct buf *out)
{
    buf_printf(out, "%s (0x%04" PRIx64 ")", find(type_words, v), v);
}

static void ds_field(uint64_t v, struct buf *out)
{
    buf_printf(out, "0x%02" PRIx64 " (DSCP: %s, ECN: %s)", v, find(dscp_words, v >> 2),
               find(ecn_names, v & 3));
}

static void flags(uint64_t v, struct buf *out)
{
    static const struct word names[] = {{TCP_AE, "AE"},   {TCP_CWR, "CWR"}, {TCP_ECE, "ECE"},
                                        {TCP_URG, "URG"}, {TCP_ACK, "ACK"}, {TCP_PSH, "PSH"},
                                        {TCP_RST, "RST"}, {TCP_SYN, "SYN"}, {TCP_FIN, "FIN"}};
    const char *comma = "";

    buf_printf(out, "0x%03" PRIx64 " (", v);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!(v & names[i].value))
            continue;
        buf_printf(out, "%s%s", comma, names[i].text);
        comma = ", ";
    }
    buf_puts(out, *comma ? ")" : "none)");
}

static void ace(uint64_t v, struct buf *out)
{
    buf_printf(out, "%" PRIu64 " (bits AE %" PRIu64 ", CWR %" PRIu64 ", ECE %" PRIu64 ")", v,
               v >> 2 & 1, v >> 1 & 1, v & 1);
}

static void bytes(uint64_t v, struct buf *out)
{
    buf_printf(out, "%" PRIu64 " bytes", v);
}

static const struct {
    const char *name;
    void (*print)(uint64_t v, struct buf *out);
} printers[] = {
    {"eth.type", type},
    {"vlan.etype", type},
    {"gre.proto", type},
    {"ip.dsfield", ds_field},
    {"ip.dsfield.dscp", dscp},
    {"ip.dsfield.ecn", ecn},
    {"ip.proto", protocol},
    {"ipv6.tclass", ds_field},
    {"ipv6.tclass.dscp", dscp},
    {"ipv6.tclass.ecn", ecn},
    {"ipv6.nxt", protocol},
    {"tcp.flags", flags},
    {"tcp.flags.ace", ace},
    {"tcp.options.acc_ecn.ee0b", bytes},
    {"tcp.options.acc_ecn.eceb", bytes},
    {"tcp.options.acc_ecn.ee1b", bytes},
};

void packet_words(const struct field *f, const struct field_value *v, struct buf *out)
{
    for (size_t i = 0; i < sizeof printers / sizeof printers[0]; i++) {
        if (!strcmp(printers[i].name, f->name)) {
            printers[i].print(v->u, out);
            return;
        }
    }
    if (f->type == FIELD_BOOL)
        buf_puts(out, v->u ? "Set" : "Not set");
    else
        field_print(f, v, out);
}

void packet_words_option(const struct tcp_option *o, struct buf *out)
{
    const char *text = find(option_words, o->kind);
    struct accecn_option accecn;

    if (accecn_option_read(o, &accecn) && accecn.is_experimental)
        buf_printf(out, "Accurate ECN, order %d, experimental", accecn.order);
    else if (strcmp(text, "?") != 0)
        buf_puts(out, text);
    else
        buf_printf(out, "kind %u", o->kind);
}

bool packet_words_handshake(const struct packet *p, const struct analysis *a, struct buf *out)
{
    unsigned bits = p->tcp_flags >> 6 & 7; /* AE, CWR, ECE */
    /* What an Accurate ECN server got the SYN with, table 2 of the RFC. */
    static const char *const answers[8] = {
        [0] = "no ECN",
        [1] = "classic ECN",
        [2] = "Accurate ECN; the SYN came as Not-ECT",
        [3] = "Accurate ECN; the SYN came as ECT(1)",
        [4] = "Accurate ECN; the SYN came as ECT(0)",
        [5] = "ECN with a nonce, which is history",
        [6] = "Accurate ECN; the SYN came as CE",
        [7] = "the request's own bits, which is an error",
    };

    if (!a->flow || p->proto != PROTO_TCP || !(p->tcp_flags & TCP_SYN))
        return false;
    if (!(p->tcp_flags & TCP_ACK))
        buf_printf(out, "asks for %s",
                   bits == 7   ? "Accurate ECN"
                   : bits == 3 ? "classic ECN"
                               : "no ECN");
    else if (a->flow->had_accecn_syn)
        buf_printf(out, "answers %s", answers[bits]);
    else
        buf_printf(out, "answers %s", bits == 1 ? "classic ECN" : "no ECN");
    return true;
}
