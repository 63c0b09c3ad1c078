#include "remote/transfer_host.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "remote/shell.h"

#define SAID_MAX  (512u << 20)
#define ASKED_MAX (512u << 20)
#define BATCH     "512" /* files at most that one run of the hash command gets */
#define BATCH_N   512
#define NOTHING   "/dev/null" /* fills up a batch */

struct asked {
    struct item *item; /* NULL: a NOTHING */
    const char *path;  /* the item's */
};

struct transfer_host {
    int fd;
    char nonce[24];
    bool has_listing, has_hashes, is_gone;
    const char *manifest; /* its path, within `said` */
    struct buf said, out, answers;
    size_t out_at, answers_at;
    struct facts facts;
    struct asked *asked; /* from `first` on they have no answer yet */
    size_t first, count, cap;
    size_t pending;    /* of them, the items */
    bool is_hurried;   /* what is pending has been followed by a whole batch of nothing */
    size_t answered;   /* of the batch that is being answered */
    size_t unreadable; /* the next ones asked, by the end of their batch */
};

static const char script_end[] =
    "cat \"$m\" 2>/dev/null\n"
    "printf '\\000ccalab-end %s\\000' \"$n\"\n"
    "test \"$t\" = none && exec cat >/dev/null\n"
    "exec xargs -0 -n " BATCH " /bin/sh -c \"$t \\\"\\$@\\\" 2>/dev/null; echo \\$#\" sh\n";

static void write_script(struct transfer_host *h, const char *root, const char *stage,
                         const char *manifest)
{
    buf_printf(&h->out, "n=%s m=${XDG_CACHE_HOME:-$HOME/.cache}/ccalab/files/%s\n", h->nonce,
               manifest);
    buf_puts(&h->out, "t=none\nif command -v xargs >/dev/null 2>&1; then\n"
                      /* openssl uses the processor's instructions for it, sha256sum seldom does */
                      "if command -v openssl >/dev/null 2>&1; then t='openssl dgst -sha256 -r'\n"
                      "elif command -v sha256sum >/dev/null 2>&1; then t='sha256sum --'; fi; fi\n"
                      "printf '\\000ccalab-files %s\\000%s\\000%s\\000' \"$n\" \"$t\" \"$m\"\n");
    if (root) {
        buf_puts(&h->out, "if find . -prune -printf '' >/dev/null 2>&1; then\n"
                          "printf 'listing\\000'; find ");
        shell_quote(&h->out, root);
        buf_puts(&h->out, " ");
        shell_quote(&h->out, stage);
        buf_puts(&h->out, " -printf '%y %s %T@ %m %p\\000' 2>/dev/null; fi\n");
    }
    buf_puts(&h->out, "printf '\\000'\n");
    buf_puts(&h->out, script_end);
}

struct transfer_host *transfer_host_open(int fd, const char *root, const char *stage,
                                         const char *manifest)
{
    struct transfer_host *h = calloc(1, sizeof *h);
    uint64_t random = 0;
    if (!h)
        return NULL;
    h->fd = fd;
    buf_init(&h->said, SAID_MAX);
    buf_init(&h->out, ASKED_MAX);
    buf_init(&h->answers, ASKED_MAX);
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = (uintptr_t)h;
    snprintf(h->nonce, sizeof h->nonce, "%016llx", (unsigned long long)random);
    write_script(h, root, stage, manifest);
    return h;
}

void transfer_host_close(struct transfer_host *h)
{
    if (!h)
        return;
    facts_done(&h->facts);
    buf_done(&h->said);
    buf_done(&h->out);
    buf_done(&h->answers);
    free(h->asked);
    free(h);
}

/* --- the stream ------------------------------------------------------------------------------- */

static void send_some(struct transfer_host *h)
{
    while (h->out_at < h->out.len) {
        ssize_t n = send(h->fd, h->out.data + h->out_at, h->out.len - h->out_at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            h->is_gone = true;
        if (n <= 0)
            return;
        h->out_at += (size_t)n;
    }
    buf_clear(&h->out);
    h->out_at = 0;
}

static void receive_some(struct transfer_host *h, struct buf *to)
{
    char piece[65536];
    ssize_t n;
    while ((n = recv(h->fd, piece, sizeof piece, MSG_DONTWAIT)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0 && !buf_append(to, piece, (size_t)n))
            n = -1;
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        h->is_gone = true;
}

struct pollfd transfer_host_wait(const struct transfer_host *h)
{
    if (h->is_gone)
        return (struct pollfd){-1, 0, 0};
    return (struct pollfd){h->fd, (short)(POLLIN | (h->out_at < h->out.len ? POLLOUT : 0)), 0};
}

bool transfer_host_turn(struct transfer_host *h)
{
    if (!h->is_gone)
        send_some(h);
    if (!h->is_gone)
        receive_some(h, &h->answers);
    return !h->is_gone;
}

/* --- what it says at first -------------------------------------------------------------------- */

/* Start-up files may have printed something before it. */
static void take_greeting(struct transfer_host *h, size_t end)
{
    char words[48];
    size_t n = (size_t)snprintf(words, sizeof words, "ccalab-files %s", h->nonce) + 1;
    char *p = memmem(h->said.data, end, words, n), *stop = h->said.data + end;
    if (!p)
        return;
    p += n;
    h->has_hashes = strcmp(p, "none") != 0;
    p += strlen(p) + 1;
    if (p >= stop)
        return;
    h->manifest = p;
    p += strlen(p) + 1;
    if (p < stop && strcmp(p, "listing") == 0) {
        h->has_listing = true;
        p += strlen(p) + 1;
    }
    if (p < stop && !facts_parse(&h->facts, p, (size_t)(stop - p)))
        h->has_listing = false;
}

enum status transfer_host_listen(struct transfer_host *h, struct error *err)
{
    char words[48];
    size_t n = (size_t)snprintf(words, sizeof words, "%cccalab-end %s", 0, h->nonce) + 1;
    char *end = NULL;
    size_t looked = 0;
    while (!h->is_gone && !end) {
        struct pollfd p = transfer_host_wait(h);
        poll(&p, 1, -1);
        send_some(h);
        receive_some(h, &h->said);
        size_t from = looked > n ? looked - n : 0;
        end = memmem(h->said.data + from, h->said.len - from, words, n);
        looked = h->said.len;
    }
    if (h->said.is_failed || h->out.is_failed)
        return error_set(err, STATUS_NOMEM, "transfer", "the host lists too many files");
    if (!end) /* SFTP may go on without it */
        return STATUS_OK;
    take_greeting(h, (size_t)(end - h->said.data));
    return STATUS_OK;
}

const struct facts *transfer_host_facts(const struct transfer_host *h)
{
    return &h->facts;
}

const char *transfer_host_manifest(const struct transfer_host *h)
{
    return h->manifest ? h->manifest : "";
}

bool transfer_host_has_listing(const struct transfer_host *h)
{
    return h->has_listing;
}

bool transfer_host_has_hashes(const struct transfer_host *h)
{
    return h->has_hashes && !h->is_gone;
}

/* --- hashes ----------------------------------------------------------------------------------- */

static void ask(struct transfer_host *h, struct item *item, const char *path)
{
    if (h->count == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 256;
        struct asked *asked = realloc(h->asked, cap * sizeof *asked);
        if (!asked) {
            h->is_gone = true;
            return;
        }
        h->asked = asked;
        h->cap = cap;
    }
    h->asked[h->count++] = (struct asked){item, path};
    buf_append(&h->out, path, strlen(path) + 1);
}

void transfer_host_ask(struct transfer_host *h, struct item *item, const char *path)
{
    ask(h, item, path);
    h->pending++;
    h->is_hurried = false;
}

size_t transfer_host_pending(const struct transfer_host *h)
{
    return h->pending;
}

void transfer_host_hurry(struct transfer_host *h)
{
    for (int i = 0; i < BATCH_N && h->pending && !h->is_hurried; i++)
        ask(h, NULL, NOTHING);
    h->is_hurried = true;
}

/* Does the line say the hash of this path? `openssl -r` writes "HASH *NAME", sha256sum "HASH NAME";
 * both, in most versions, put a backslash before a line in which a newline is written as "\n", and
 * sha256sum does so for a backslash too. Its length is 0 if not; is_cut_off: it might be. */
static size_t match_line(const char *line, size_t len, const char *path, bool is_escaped,
                         bool has_backslashes, bool *is_cut_off)
{
    size_t at = 0;
    bool is_blank = false;
#define NEXT(c)                                                                                    \
    do {                                                                                           \
        if (at == len) {                                                                           \
            *is_cut_off = true;                                                                    \
            return 0;                                                                              \
        }                                                                                          \
        if (line[at++] != (c))                                                                     \
            return 0;                                                                              \
    } while (0)
    if (is_escaped)
        NEXT('\\');
    at += SHA256_HEX - 1;
    if (at + 2 > len) {
        *is_cut_off = true;
        return 0;
    }
    is_blank = line[at] == ' ' && (line[at + 1] == ' ' || line[at + 1] == '*');
    at += 2;
    if (!is_blank)
        return 0;
    for (; *path; path++) {
        if (is_escaped && (*path == '\n' || *path == '\r' || (has_backslashes && *path == '\\'))) {
            NEXT('\\');
            NEXT(*path == '\n' ? 'n' : *path == '\r' ? 'r' : '\\');
        } else {
            NEXT(*path);
        }
    }
    NEXT('\n');
#undef NEXT
    return at;
}

static size_t match(const char *line, size_t len, const char *path, char hash[SHA256_HEX],
                    bool *is_cut_off)
{
    static const bool ways[][2] = {{false, false}, {true, true}, {true, false}};
    size_t nways = strpbrk(path, "\n\r\\") ? 3 : 1;
    for (size_t i = 0; i < nways; i++) {
        size_t n = match_line(line, len, path, ways[i][0], ways[i][1], is_cut_off);
        if (!n)
            continue;
        memcpy(hash, line + ways[i][0], SHA256_HEX - 1);
        hash[SHA256_HEX - 1] = '\0';
        return n;
    }
    return 0;
}

/* "512\n": that many were asked in the batch that is over. False: it is no such line, or not yet.
 */
static bool take_batch_end(struct transfer_host *h)
{
    const char *line = h->answers.data + h->answers_at;
    size_t digits = strspn(line, "0123456789");
    if (!digits || digits > 5 || line[digits] != '\n')
        return false;
    h->answers_at += digits + 1;
    size_t n = strtoul(line, NULL, 10);
    h->unreadable = n > h->answered ? n - h->answered : 0;
    h->answered = 0;
    return true;
}

/* The hash of the next file asked; "" if the host could not read it. False: it is not there yet. */
static bool take_answer(struct transfer_host *h, char hash[SHA256_HEX])
{
    bool is_cut_off = false;
    hash[0] = '\0';
    while (!h->unreadable && take_batch_end(h))
        ;
    if (h->unreadable) {
        h->unreadable--;
        return true;
    }
    const char *line = h->answers.data + h->answers_at;
    size_t len = h->answers.len - h->answers_at, n = 0;
    if (len >= SHA256_HEX + 2)
        n = match(line, len, h->asked[h->first].path, hash, &is_cut_off);
    if (!n && (is_cut_off || len < SHA256_HEX + 2) && !h->is_gone)
        return false;
    h->answers_at += n; /* a line of another file: this one was left out */
    h->answered++;
    return true;
}

struct item *transfer_host_take(struct transfer_host *h, char hash[SHA256_HEX])
{
    while (h->first < h->count && take_answer(h, hash)) {
        struct item *item = h->asked[h->first++].item;
        if (h->first == h->count)
            h->first = h->count = 0;
        if (h->answers_at == h->answers.len) {
            buf_clear(&h->answers);
            h->answers_at = 0;
        }
        if (item) {
            h->pending--;
            return item;
        }
    }
    return NULL;
}
