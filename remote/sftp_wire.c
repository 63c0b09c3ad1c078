#include "remote/sftp_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define PACKET_MAX (256u << 10)
#define IN_CAP     (512u << 10) /* of which one half may be a packet's beginning */
#define OUT_ENOUGH (512u << 10)
#define OUT_MAX    (64u << 20)

bool wire_open(struct sftp *s)
{
    s->in.data = malloc(s->in.cap = IN_CAP);
    s->out.data = malloc(s->out.cap = IN_CAP);
    return s->in.data && s->out.data;
}

void wire_close(struct sftp *s)
{
    free(s->in.data);
    free(s->out.data);
}

/* --- packing ---------------------------------------------------------------------------------- */

static bool reserve(struct sftp_queue *q, size_t len, size_t max)
{
    if (q->cap - q->end >= len)
        return true;
    memmove(q->data, q->data + q->at, q->end - q->at);
    q->end -= q->at;
    q->at = 0;
    if (q->cap - q->end >= len)
        return true;
    size_t cap = q->cap;
    while (cap - q->end < len)
        cap *= 2;
    char *data = cap <= max ? realloc(q->data, cap) : NULL;
    if (!data)
        return false;
    q->data = data;
    q->cap = cap;
    return true;
}

bool wire_reserve(struct sftp *s, size_t len)
{
    size_t offset = s->packet - s->out.at; /* it may move */
    if (!reserve(&s->out, len, OUT_MAX)) {
        s->is_out_of_memory = true;
        return false;
    }
    s->packet = s->out.at + offset;
    return true;
}

void wire_put(struct sftp *s, const void *data, size_t len)
{
    if (!wire_reserve(s, len))
        return;
    memcpy(s->out.data + s->out.end, data, len);
    s->out.end += len;
}

void wire_pack_u32(void *to, uint32_t v)
{
    unsigned char *c = to;
    for (int i = 0; i < 4; i++)
        c[i] = (unsigned char)(v >> (24 - 8 * i));
}

void wire_put_u32(struct sftp *s, uint32_t v)
{
    unsigned char c[4];
    wire_pack_u32(c, v);
    wire_put(s, c, 4);
}

void wire_put_u64(struct sftp *s, uint64_t v)
{
    wire_put_u32(s, (uint32_t)(v >> 32));
    wire_put_u32(s, (uint32_t)v);
}

void wire_put_bytes(struct sftp *s, const void *data, size_t len)
{
    wire_put_u32(s, (uint32_t)len);
    wire_put(s, data, len);
}

void wire_put_str(struct sftp *s, const char *text)
{
    wire_put_bytes(s, text, strlen(text));
}

void wire_begin(struct sftp *s, int type, uint32_t id)
{
    unsigned char t = (unsigned char)type;
    s->packet = s->out.end;
    wire_put_u32(s, 0);
    wire_put(s, &t, 1);
    wire_put_u32(s, id);
}

void wire_end(struct sftp *s)
{
    if (!s->is_out_of_memory)
        wire_pack_u32(s->out.data + s->packet, (uint32_t)(s->out.end - s->packet - 4));
}

/* --- unpacking -------------------------------------------------------------------------------- */

static uint32_t unpack_u32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint32_t wire_u32(struct sftp *s)
{
    if (s->p_end - s->p < 4) {
        s->is_cut_off = true;
        return 0;
    }
    s->p += 4;
    return unpack_u32(s->p - 4);
}

uint64_t wire_u64(struct sftp *s)
{
    uint64_t high = wire_u32(s);
    return high << 32 | wire_u32(s);
}

const char *wire_bytes(struct sftp *s, uint32_t *len)
{
    *len = wire_u32(s);
    if (s->is_cut_off || (size_t)(s->p_end - s->p) < *len) {
        s->is_cut_off = true;
        *len = 0;
        return "";
    }
    s->p += *len;
    return (const char *)s->p - *len;
}

struct sftp_attrs wire_attrs(struct sftp *s)
{
    struct sftp_attrs a = {0};
    uint32_t flags = wire_u32(s), len;
    if (flags & ATTR_SIZE)
        a.size = wire_u64(s);
    if (flags & ATTR_OWNER)
        wire_u64(s);
    if (flags & ATTR_MODE) {
        uint32_t mode = wire_u32(s);
        a.is_dir = S_ISDIR(mode);
        a.is_file = S_ISREG(mode);
        a.mode = mode & 0777;
    }
    if (flags & ATTR_TIMES) {
        wire_u32(s);
        a.mtime_s = wire_u32(s);
    }
    if (flags & ATTR_EXTENDED)
        for (uint32_t n = wire_u32(s); n && !s->is_cut_off; n--) {
            wire_bytes(s, &len);
            wire_bytes(s, &len);
        }
    return a;
}

/* --- the stream ------------------------------------------------------------------------------- */

static enum status lost(struct sftp *s, struct error *err)
{
    s->is_lost = true;
    return error_set(err, STATUS_HOST, "sftp", "the file channel to %s was closed", s->host);
}

/* True if bytes moved. *is_lost: the channel is closed. */
static bool send_some(struct sftp *s, bool *is_lost)
{
    bool has_moved = false;
    while (s->out.at < s->out.end) {
        ssize_t n = send(s->fd, s->out.data + s->out.at, s->out.end - s->out.at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            *is_lost = true;
        if (n <= 0)
            return has_moved;
        s->out.at += (size_t)n;
        has_moved = true;
    }
    s->out.at = s->out.end = 0;
    return has_moved;
}

static bool receive_some(struct sftp *s, bool *is_lost)
{
    reserve(&s->in, s->in.cap / 2, IN_CAP); /* closes the gap that taken packets have left */
    if (s->in.end == s->in.cap)
        return false;
    ssize_t n = recv(s->fd, s->in.data + s->in.end, s->in.cap - s->in.end, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        *is_lost = true;
    if (n <= 0)
        return false;
    s->in.end += (size_t)n;
    return true;
}

enum status sftp_turn(struct sftp *s, const struct pollfd *others, int nothers, int timeout_ms,
                      struct error *err)
{
    struct pollfd fds[4] = {{s->fd, POLLIN, 0}};
    bool is_lost = false;
    if (s->is_out_of_memory)
        return error_set(err, STATUS_NOMEM, "sftp", "no memory for requests to %s", s->host);
    bool has_moved = send_some(s, &is_lost) | receive_some(s, &is_lost);
    if (is_lost)
        return lost(s, err);
    if (has_moved)
        return STATUS_OK;
    if (s->out.at < s->out.end)
        fds[0].events |= POLLOUT;
    for (int i = 0; i < nothers; i++)
        fds[i + 1] = others[i];
    poll(fds, (nfds_t)nothers + 1, timeout_ms);
    if (fds[0].revents & POLLOUT)
        send_some(s, &is_lost);
    if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
        receive_some(s, &is_lost);
    return is_lost ? lost(s, err) : STATUS_OK;
}

bool sftp_has_room(const struct sftp *s)
{
    return s->out.end - s->out.at < OUT_ENOUGH;
}

/* The next whole packet; its type, 0 if there is none. */
enum status wire_next(struct sftp *s, int *type, struct error *err)
{
    const unsigned char *p = (unsigned char *)s->in.data + s->in.at;
    size_t have = s->in.end - s->in.at;
    *type = 0;
    if (have < 4)
        return STATUS_OK;
    uint32_t len = unpack_u32(p);
    if (len < 5 || len > PACKET_MAX)
        return error_set(err, STATUS_HOST, "sftp",
                         "%s does not speak SFTP: do its start-up files print something?", s->host);
    if (have < 4 + (size_t)len)
        return STATUS_OK;
    *type = p[4];
    s->p = p + 5;
    s->p_end = p + 4 + len;
    s->is_cut_off = false;
    s->in.at += 4 + (size_t)len;
    return STATUS_OK;
}
