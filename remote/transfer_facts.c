#include "remote/transfer_facts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NS 1000000000

/* Take a number and the blank behind it. False: there is none, or too large a one. */
static bool take_number(const char **p, int base, uint64_t *value)
{
    char *end;
    if (**p < '0' || **p > '9')
        return false;
    errno = 0;
    *value = strtoull(*p, &end, base);
    if (errno || *end != ' ')
        return false;
    *p = end + 1;
    return true;
}

static bool take_time(const char **p, int64_t *ns)
{
    uint64_t value;
    if (!take_number(p, 10, &value) || value > INT64_MAX)
        return false;
    *ns = (int64_t)value;
    return true;
}

/* "1700000000.1234567890 ": seconds and a fraction of any length. */
static bool take_seconds(const char **p, int64_t *ns)
{
    uint64_t seconds = 0;
    const char *s = *p;
    if (*s < '0' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9'; s++)
        if ((seconds = seconds * 10 + (uint64_t)(*s - '0')) > INT64_MAX / NS - 1)
            return false;
    *ns = (int64_t)seconds * NS;
    if (*s == '.' || *s == ',')
        for (int64_t unit = NS / 10; *++s >= '0' && *s <= '9'; unit /= 10)
            *ns += (*s - '0') * unit;
    if (*s != ' ')
        return false;
    *p = s + 1;
    return true;
}

static bool parse_fact(const char *p, struct fact *f)
{
    uint64_t mode;
    f->type = *p;
    if (!*p || *++p != ' ')
        return false;
    p++;
    if (!take_number(&p, 10, &f->size) || !take_seconds(&p, &f->mtime_ns) ||
        !take_number(&p, 8, &mode) || !*p)
        return false;
    f->mode = mode & 0777;
    f->path = p;
    return true;
}

static bool parse_known(const char *p, struct known *k)
{
    size_t digits = strspn(p, "0123456789abcdef");
    if (digits != SHA256_HEX - 1 || p[digits] != ' ')
        return false;
    memcpy(k->hash, p, digits);
    k->hash[digits] = '\0';
    p += SHA256_HEX;
    if (!take_number(&p, 10, &k->size) || !take_time(&p, &k->mtime_ns) ||
        !take_number(&p, 10, &k->local_inode) || !take_time(&p, &k->local_mtime_ns) ||
        !take_time(&p, &k->local_ctime_ns))
        return false;
    k->path = p;
    return true;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b); /* both begin with the path */
}

static void *grown(void *array, size_t n, size_t size)
{
    bool is_full = n == 0 || (n >= 64 && (n & (n - 1)) == 0);
    return is_full ? realloc(array, (n ? n * 2 : 64) * size) : array;
}

bool facts_parse(struct facts *f, const char *text, size_t len)
{
    const char *end = text + len;
    bool is_manifest = false;
    *f = (struct facts){0};
    for (const char *p = text; p < end; p += strlen(p) + 1) {
        void *array = is_manifest ? grown(f->known, f->nknown, sizeof *f->known)
                                  : grown(f->facts, f->nfacts, sizeof *f->facts);
        if (!array)
            return false;
        if (is_manifest)
            f->nknown += parse_known(p, (f->known = array) + f->nknown);
        else
            f->nfacts += parse_fact(p, (f->facts = array) + f->nfacts);
        is_manifest |= !*p;
    }
    if (f->nfacts)
        qsort(f->facts, f->nfacts, sizeof *f->facts, by_path);
    if (f->nknown)
        qsort(f->known, f->nknown, sizeof *f->known, by_path);
    return true;
}

void facts_done(struct facts *f)
{
    free(f->facts);
    free(f->known);
    *f = (struct facts){0};
}

const struct fact *facts_find(const struct facts *f, const char *path)
{
    return f->nfacts ? bsearch(&path, f->facts, f->nfacts, sizeof *f->facts, by_path) : NULL;
}

const struct known *facts_known(const struct facts *f, const char *path)
{
    return f->nknown ? bsearch(&path, f->known, f->nknown, sizeof *f->known, by_path) : NULL;
}

static int64_t ns_of(struct timespec t)
{
    return (int64_t)t.tv_sec * NS + t.tv_nsec;
}

bool known_is_local(const struct known *k, const struct stat *sb)
{
    return k->local_inode && k->local_inode == sb->st_ino && k->size == (uint64_t)sb->st_size &&
           k->local_mtime_ns == ns_of(sb->st_mtim) && k->local_ctime_ns == ns_of(sb->st_ctim);
}

void known_write(struct buf *b, const struct known *k)
{
    buf_printf(b, "%s %" PRIu64 " %" PRId64 " %" PRIu64 " %" PRId64 " %" PRId64 " %s", k->hash,
               k->size, k->mtime_ns, k->local_inode, k->local_mtime_ns, k->local_ctime_ns, k->path);
    buf_append(b, "", 1);
}
