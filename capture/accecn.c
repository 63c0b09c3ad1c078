#include "capture/accecn.h"

enum { ACE_INITIAL = 5, ACE_MASK = 7, COUNTER_MASK = 0xffffff };

/* A counter that grew by more than half of its range, while less was acknowledged, went back: an
 * older segment. */
enum { COUNTER_HALF = 0x800000 };

const char *ecn_negotiation_name(enum ecn_negotiation n)
{
    static const char *const names[ECN_NEGOTIATIONS] = {
        [ECN_UNKNOWN] = "unknown",
        [ECN_NONE] = "none",
        [ECN_CLASSIC] = "classic",
        [ECN_ACCURATE] = "accurate",
    };
    return names[n];
}

/* RFC 9768 table 2; the rows below it are RFC 3168 section 6.1.1 and the ECN nonce of old. */
enum ecn_negotiation ecn_negotiate(uint16_t syn_flags, uint16_t synack_flags)
{
    enum { BITS_AE = 4, BITS_CWR = 2, BITS_ECE = 1 };
    unsigned syn = syn_flags >> 6 & 7, synack = synack_flags >> 6 & 7;
    if (syn == (BITS_AE | BITS_CWR | BITS_ECE)) {
        switch (synack) {
        case BITS_CWR:            /* the SYN came as Not-ECT */
        case BITS_CWR | BITS_ECE: /* as ECT(1) */
        case BITS_AE:             /* as ECT(0) */
        case BITS_AE | BITS_CWR:  /* as CE */
            return ECN_ACCURATE;
        case BITS_ECE:
        case BITS_AE | BITS_ECE:
            return ECN_CLASSIC;
        default: /* 0, or all bits reflected by a broken peer */
            return ECN_NONE;
        }
    }
    if (syn == (BITS_CWR | BITS_ECE) && (synack & (BITS_CWR | BITS_ECE)) == BITS_ECE)
        return ECN_CLASSIC;
    return ECN_NONE;
}

static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* Later than everything so far? Equal acknowledgement numbers are told apart by time stamps. */
static bool is_stale(const struct accecn *a, const struct accecn_segment *s)
{
    if (!a->has_ack || is_before(a->ack, s->ack))
        return false;
    if (is_before(s->ack, a->ack))
        return true;
    return s->options->has_timestamps && is_before(s->options->tsval, a->tsval);
}

static uint32_t grow(struct accecn_counter *c, bool has_value, uint32_t value, uint64_t acked)
{
    if (!has_value)
        return 0;
    uint32_t delta = c->is_known ? (value - c->last) & COUNTER_MASK : 0;
    if (delta >= COUNTER_HALF && acked < COUNTER_HALF)
        return 0;
    c->is_known = true;
    c->last = value;
    c->sum += delta;
    return delta;
}

/* How many CE marks three bits stand for (RFC 9768 appendix A.1): with the option's bytes, the
 * number that fits them best; without, the smallest. */
static void add_ace(struct accecn *a, const struct accecn_segment *s, uint64_t newly_acked,
                    bool has_ce_bytes, uint32_t ce_bytes)
{
    uint8_t ace = (uint8_t)(s->flags >> 6 & ACE_MASK);
    if (!a->has_ace && !s->has_started) { /* from the middle: this one is the base */
        a->has_ace = true;
        a->ace = ace;
        return;
    }
    uint8_t before = a->has_ace ? a->ace : ACE_INITIAL;
    uint64_t delta = (uint64_t)(ace - before) & ACE_MASK;
    uint64_t segment_len = s->segment_len ? s->segment_len : 1;
    uint64_t segments = (newly_acked + segment_len - 1) / segment_len;
    if (has_ce_bytes) {
        uint64_t marked = (ce_bytes + segment_len - 1) / segment_len;
        uint64_t counted = a->ce_since_option + delta;
        if (marked > counted)
            delta += (marked - counted + ACE_MASK / 2) / (ACE_MASK + 1) * (ACE_MASK + 1);
        a->ce_since_option = 0;
    } else {
        a->ambiguous += segments > delta + ACE_MASK;
        a->ce_since_option += delta;
    }
    a->ce_segments += delta;
    a->has_ace = true;
    a->ace = ace;
}

static void add_option(struct accecn *a, const struct accecn_segment *s, bool *has_ce,
                       uint32_t *ce_bytes)
{
    const struct accecn_option *o = &s->options->accecn;
    uint64_t acked = a->acked - (s->is_fin_acked && a->acked ? 1 : 0);
    uint64_t since = a->acked - a->acked_at_last_option;
    *has_ce = o->has_eceb && a->eceb.is_known;
    grow(&a->ee0b, o->has_ee0b, o->ee0b, since);
    grow(&a->ee1b, o->has_ee1b, o->ee1b, since);
    *ce_bytes = grow(&a->eceb, o->has_eceb, o->eceb, since);
    a->acked_at_last_option = a->acked;
    if (a->options++ == 0)
        a->acked_at_first_option = acked;
    a->acked_bytes = acked - a->acked_at_first_option;
    a->orders |= o->order == ACCECN_ORDER_0 ? 1 : 2;
    a->kinds |= o->is_experimental ? 2 : 1;
}

void accecn_add(struct accecn *a, const struct accecn_segment *s)
{
    bool has_ce = false;
    uint32_t ce_bytes = 0;
    uint64_t newly_acked = 0;
    if (!(s->flags & TCP_ACK) || s->flags & TCP_RST || is_stale(a, s))
        return;
    if (a->has_ack)
        newly_acked = s->ack - a->ack;
    a->has_ack = true;
    a->acked += newly_acked;
    a->ack = s->ack;
    a->tsval = s->options->tsval;
    if (s->options->has_accecn)
        add_option(a, s, &has_ce, &ce_bytes);
    if (s->is_ace_valid && !s->is_handshake && !(s->flags & TCP_SYN))
        add_ace(a, s, newly_acked, has_ce, ce_bytes);
}

uint64_t accecn_bytes(const struct accecn *a)
{
    return a->ee0b.sum + a->eceb.sum + a->ee1b.sum;
}
