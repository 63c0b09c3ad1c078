#include "remote/survey.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/embed.h"
#include "core/json.h"
#include "core/units.h"
#include "remote/tc_parse.h"

#define NAME_MAX_BYTES 128
#define SECTIONS_MAX   512
#define WORDS_MAX      4096 /* entries of one list */
#define DEV_MAX_BYTES  15   /* IFNAMSIZ - 1 */

EMBED_DECLARE(survey);

const char *survey_script(void)
{
    return (const char *)survey_data;
}

/* --- text --------------------------------------------------------------------------------------
 */

/* The next line of *at, without its newline; false at the end. */
static bool next_line(const char **at, char *line, size_t size)
{
    size_t len = strcspn(*at, "\n"), n = len < size ? len : size - 1;
    if (!**at)
        return false;
    memcpy(line, *at, n);
    line[n] = '\0';
    *at += len + ((*at)[len] == '\n');
    return true;
}

static bool is_dev(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    return n > 0 && n <= DEV_MAX_BYTES && !s[n] && s[0] != '-' && s[0] != '.';
}

static bool is_address(const char *s)
{
    unsigned char in[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, s, in) == 1 || inet_pton(AF_INET6, s, in) == 1;
}

/* A name as kernels and modules have it: nothing that a shell or a terminal takes amiss. */
static bool is_plain(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+~:-");
    return n > 0 && n < NAME_MAX_BYTES && !s[n] && s[0] != '-';
}

static void add_word(cJSON *array, const char *word)
{
    if (array && cJSON_GetArraySize(array) < WORDS_MAX)
        cJSON_AddItemToArray(array, cJSON_CreateString(word));
}

/* The word after `key` in a line of words, as `ip` and `tc` print them: " dev eth0 ". */
static bool word_after(const char *line, const char *key, char *out, size_t size)
{
    char copy[1024], *save = NULL;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok_r(copy, " \t\\", &save); w; w = strtok_r(NULL, " \t\\", &save))
        if (strcmp(w, key) == 0) {
            w = strtok_r(NULL, " \t\\", &save);
            snprintf(out, size, "%s", w ? w : "");
            return w != NULL;
        }
    return false;
}

/* --- sections ----------------------------------------------------------------------------------
 */

struct section {
    char name[NAME_MAX_BYTES]; /* "route 10.0.0.1" */
    int status;
    struct buf text; /* without the space before each line */
};

struct survey {
    struct section *of;
    size_t len;
    cJSON *facts;
    cJSON *ports;
};

static void sections_done(struct survey *s)
{
    for (size_t i = 0; i < s->len; i++)
        buf_done(&s->of[i].text);
    free(s->of);
}

static bool begin_section(struct survey *s, const char *line, size_t len)
{
    char head[NAME_MAX_BYTES + 16];
    if (s->len == SECTIONS_MAX || len >= sizeof head)
        return false;
    memcpy(head, line, len);
    head[len] = '\0';
    char *space = strrchr(head, ' ');
    if (!space || space == head || space - head >= NAME_MAX_BYTES)
        return false;
    *space = '\0';
    struct section *n = &s->of[s->len++];
    snprintf(n->name, sizeof n->name, "%.*s", (int)(space - head), head);
    n->status = atoi(space + 1);
    buf_init(&n->text, SURVEY_TEXT_MAX);
    return true;
}

/* Lines that are neither a heading nor of a section (what a login shell prints) are passed over. */
static void split(struct survey *s, const char *text, size_t len)
{
    bool is_open = false;
    while (len) {
        const char *nl = memchr(text, '\n', len);
        size_t n = nl ? (size_t)(nl - text) : len;
        if (text[0] == '@') {
            is_open = begin_section(s, text + 1, n - 1);
        } else if (text[0] == ' ' && is_open) {
            struct buf *b = &s->of[s->len - 1].text;
            buf_append(b, text + 1, n - 1);
            buf_puts(b, "\n");
        }
        n += nl != NULL;
        text += n;
        len -= n;
    }
}

/* The first section of that name, or NULL. */
static const struct section *find(const struct survey *s, const char *name)
{
    for (size_t i = 0; i < s->len; i++)
        if (strcmp(s->of[i].name, name) == 0)
            return &s->of[i];
    return NULL;
}

/* The text of a section whose command succeeded, or NULL. */
static const char *text_of(const struct survey *s, const char *name)
{
    const struct section *n = find(s, name);
    return n && n->status == 0 ? n->text.data : NULL;
}

/* The first line of a section as a string fact. */
static void add_line(struct survey *s, const char *section, const char *key)
{
    const char *text = text_of(s, section);
    char line[256];
    if (text && next_line(&text, line, sizeof line))
        cJSON_AddStringToObject(s->facts, key, line);
}

/* Each line of a section that `is_good` takes, as a list; absent if the command failed. */
static void add_list(struct survey *s, cJSON *to, const char *section, const char *key,
                     bool (*is_good)(const char *))
{
    const char *text = text_of(s, section);
    char line[256];
    cJSON *list = text ? cJSON_AddArrayToObject(to, key) : NULL;
    while (list && next_line(&text, line, sizeof line))
        if (is_good(line))
            add_word(list, line);
}

/* --- facts -------------------------------------------------------------------------------------
 */

static void add_clock(struct survey *s)
{
    const char *text = text_of(s, "clock");
    char *end;
    if (!text)
        return;
    double t = strtod(text, &end);
    if (!isfinite(t) || t <= 0 || t > 1e11)
        return;
    /* A date(1) without %N prints whole seconds: the moment is somewhere within. */
    const char *point = strchr(text, '.');
    bool is_fine = point && isdigit((unsigned char)point[1]);
    cJSON_AddNumberToObject(s->facts, "clock_s", is_fine ? t : floor(t) + 0.5);
    cJSON_AddNumberToObject(s->facts, "clock_resolution_s", is_fine ? 0 : 0.5);
}

static void add_distro(struct survey *s)
{
    const char *text = text_of(s, "distro");
    char line[256];
    while (text && next_line(&text, line, sizeof line))
        if (strncmp(line, "PRETTY_NAME=", 12) == 0) {
            char *v = line + 12;
            size_t n = strlen(v);
            if (n >= 2 && (v[0] == '"' || v[0] == '\'') && v[n - 1] == v[0]) {
                v[n - 1] = '\0';
                v++;
            }
            cJSON_AddStringToObject(s->facts, "distro", v);
            return;
        }
}

static void add_sysctls(struct survey *s)
{
    const char *text = text_of(s, "sysctl");
    char line[1024];
    while (text && next_line(&text, line, sizeof line)) {
        char *value = strchr(line, '=');
        if (!value)
            continue;
        *value++ = '\0';
        const char *slash = strrchr(line, '/'), *key = slash ? slash + 1 : line;
        if (strcmp(line, "net/ipv6/conf/all/forwarding") == 0)
            key = "ip6_forward";
        else if (strcmp(line, "net/mptcp/enabled") == 0)
            key = "mptcp_enabled";
        if (strncmp(line, "net/", 4) == 0 && !cJSON_GetObjectItemCaseSensitive(s->facts, key))
            cJSON_AddStringToObject(s->facts, key, value);
    }
}

/* "2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500 ..." of `ip -o link`, in the shape of `ip -j link`. */
static void add_link_line(cJSON *links, char *line)
{
    char name[64], word[64], *end, *save = NULL;
    long index = strtol(line, &end, 10);
    if (index <= 0 || index > 1 << 30 || sscanf(end, ": %63[^:@ ]", name) != 1 || !is_dev(name) ||
        cJSON_GetArraySize(links) >= WORDS_MAX)
        return;
    cJSON *link = cJSON_CreateObject();
    cJSON_AddItemToArray(links, link);
    cJSON_AddNumberToObject(link, "ifindex", (double)index);
    cJSON_AddStringToObject(link, "ifname", name);
    cJSON *flags = cJSON_AddArrayToObject(link, "flags");
    if (word_after(line, "mtu", word, sizeof word))
        cJSON_AddNumberToObject(link, "mtu", atoi(word));
    if (word_after(line, "qdisc", word, sizeof word))
        cJSON_AddStringToObject(link, "qdisc", word);
    if (word_after(line, "state", word, sizeof word))
        cJSON_AddStringToObject(link, "operstate", word);
    char *open = strchr(end, '<'), *close = open ? strchr(open, '>') : NULL;
    if (!close)
        return;
    *close = '\0';
    for (char *f = strtok_r(open + 1, ",", &save); f; f = strtok_r(NULL, ",", &save))
        add_word(flags, f);
}

static bool is_array_of_objects(const cJSON *v)
{
    const cJSON *c;
    if (!cJSON_IsArray(v))
        return false;
    cJSON_ArrayForEach(c, v)
    {
        if (!cJSON_IsObject(c))
            return false;
    }
    return true;
}

static void add_links(struct survey *s)
{
    const struct section *json = find(s, "link");
    cJSON *links = json && json->status == 0
                       ? json_parse(json->text.data, json->text.len, "link", NULL)
                       : NULL;
    const char *text = text_of(s, "link-text");
    char line[1024];
    if (!is_array_of_objects(links)) {
        cJSON_Delete(links);
        links = text ? cJSON_CreateArray() : NULL;
        while (links && next_line(&text, line, sizeof line))
            add_link_line(links, line);
    }
    if (links)
        cJSON_AddItemToObject(s->facts, "links", links);
}

/* JSON where tc can, else its text: forks of iproute2 print their own qdiscs as text only. */
static void add_qdiscs(struct survey *s)
{
    static const char *const names[] = {"qdisc", "qdisc-text"};
    for (size_t i = 0; i < 2; i++) {
        const struct section *n = find(s, names[i]);
        cJSON *qdiscs = NULL;
        if (n && n->status == 0 &&
            tc_qdisc_parse(n->text.data, n->text.len, &qdiscs, NULL) == STATUS_OK) {
            cJSON_AddItemToObject(s->facts, "qdiscs", qdiscs);
            return;
        }
    }
}

static void add_tc(struct survey *s)
{
    const char *text = text_of(s, "tc"), *help = text_of(s, "tc-dualpi2");
    char line[256];
    if (text && next_line(&text, line, sizeof line)) {
        const char *version = strstr(line, "iproute2-");
        cJSON_AddStringToObject(s->facts, "tc", version ? strtok(strdupa(version), ", ") : line);
    }
    if (!text || !help)
        return;
    /* tc's help of a qdisc needs no privilege and asks no kernel. min_qlen_step is a word of the
     * mainline module only; the forks before it speak another netlink dialect. */
    const char *speaks = strstr(help, "Unknown qdisc")     ? "none"
                         : strstr(help, "min_qlen_step")   ? "mainline"
                         : strstr(help, "coupling_factor") ? "fork"
                                                           : NULL;
    if (speaks)
        cJSON_AddStringToObject(s->facts, "tc_dualpi2", speaks);
}

static void copy_field(cJSON *to, const char *key, const cJSON *from, const char *name,
                       bool (*is_good)(const char *))
{
    const char *v = json_str(from, name, NULL);
    if (v && is_good(v))
        cJSON_AddStringToObject(to, key, v);
}

/* "route TO" or "route TO FROM", from its JSON; "route-text" from its text. */
static void add_route(cJSON *routes, const struct section *n)
{
    bool is_text = strncmp(n->name, "route-text ", 11) == 0;
    char to[64], from[64] = "", word[64];
    int words = sscanf(n->name + (is_text ? 11 : 6), "%63s %63s", to, from);
    if (words < 1 || !is_address(to) || (words == 2 && !is_address(from)))
        return;
    cJSON *parsed =
        !is_text && n->status == 0 ? json_parse(n->text.data, n->text.len, "route", NULL) : NULL;
    const cJSON *first = cJSON_IsArray(parsed) ? parsed->child : NULL;
    if (cJSON_GetArraySize(routes) >= WORDS_MAX || (!is_text && n->status == 0 && !first) ||
        (!is_text && n->status != 0))
        goto out; /* its text, if there is any, comes next */
    cJSON *route = cJSON_CreateObject();
    cJSON_AddItemToArray(routes, route);
    cJSON_AddStringToObject(route, "to", to);
    if (from[0])
        cJSON_AddStringToObject(route, "from", from);
    if (first) {
        copy_field(route, "dev", first, "dev", is_dev);
        copy_field(route, "via", first, "gateway", is_address);
        copy_field(route, "src", first, "prefsrc", is_address);
        copy_field(route, "type", first, "type", is_plain);
    } else if (n->status == 0) {
        if (word_after(n->text.data, "dev", word, sizeof word) && is_dev(word))
            cJSON_AddStringToObject(route, "dev", word);
        if (word_after(n->text.data, "via", word, sizeof word) && is_address(word))
            cJSON_AddStringToObject(route, "via", word);
        if (word_after(n->text.data, "src", word, sizeof word) && is_address(word))
            cJSON_AddStringToObject(route, "src", word);
        if (strncmp(n->text.data, "local ", 6) == 0)
            cJSON_AddStringToObject(route, "type", "local");
    }
    /* Without a device there is no way there. */
out:
    cJSON_Delete(parsed);
}

/* --- ports -------------------------------------------------------------------------------------
 */

static cJSON *port(struct survey *s, const char *dev)
{
    cJSON *p = cJSON_GetObjectItemCaseSensitive(s->ports, dev);
    return p ? p : cJSON_AddObjectToObject(s->ports, dev);
}

static void add_offloads(struct survey *s, const char *dev, const char *text)
{
    static const struct {
        const char *line, *key;
    } names[] = {{"tcp-segmentation-offload:", "tso"},
                 {"generic-segmentation-offload:", "gso"},
                 {"generic-receive-offload:", "gro"},
                 {"large-receive-offload:", "lro"}};
    char line[256];
    cJSON *offloads = cJSON_AddObjectToObject(port(s, dev), "offloads");
    while (offloads && next_line(&text, line, sizeof line))
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            size_t n = strlen(names[i].line);
            if (strncmp(line, names[i].line, n) ||
                cJSON_GetObjectItemCaseSensitive(offloads, names[i].key))
                continue;
            cJSON *o = cJSON_AddObjectToObject(offloads, names[i].key);
            cJSON_AddBoolToObject(o, "is_on", strncmp(line + n, " on", 3) == 0);
            cJSON_AddBoolToObject(o, "is_fixed", strstr(line + n, "[fixed]") != NULL);
        }
}

static void add_rate(cJSON *class, const char *key, const char *line, const char *word)
{
    char text[64];
    uint64_t bps;
    if (word_after(line, word, text, sizeof text) && parse_rate_bps(text, &bps, NULL) == STATUS_OK)
        cJSON_AddNumberToObject(class, key, (double)bps);
}

/* "class htb 1:10 root leaf 10: prio 0 rate 50Mbit ceil 50Mbit burst 1600b cburst 1600b" */
static void add_classes(struct survey *s, const char *dev, const char *text)
{
    char line[512], kind[32], handle[32], word[64];
    cJSON *classes = cJSON_AddArrayToObject(port(s, dev), "classes");
    while (classes && next_line(&text, line, sizeof line)) {
        if (sscanf(line, "class %31s %31s", kind, handle) != 2 || !is_plain(kind) ||
            !is_plain(handle) || cJSON_GetArraySize(classes) >= WORDS_MAX)
            continue;
        cJSON *c = cJSON_CreateObject();
        cJSON_AddItemToArray(classes, c);
        cJSON_AddStringToObject(c, "kind", kind);
        cJSON_AddStringToObject(c, "handle", handle);
        if (word_after(line, "leaf", word, sizeof word) && is_plain(word))
            cJSON_AddStringToObject(c, "leaf", word);
        add_rate(c, "rate_bps", line, "rate");
        add_rate(c, "ceil_bps", line, "ceil");
    }
}

static void add_port(struct survey *s, const struct section *n)
{
    const char *space = strchr(n->name, ' '), *dev = space + 1;
    if (!is_dev(dev) || n->status != 0)
        return;
    if (strncmp(n->name, "offload", (size_t)(space - n->name)) == 0) {
        add_offloads(s, dev, n->text.data);
    } else if (strncmp(n->name, "class", (size_t)(space - n->name)) == 0) {
        add_classes(s, dev, n->text.data);
    } else {
        double mbps = strtod(n->text.data, NULL);
        if (mbps > 0 && mbps < 1e7)
            cJSON_AddNumberToObject(port(s, dev), "speed_bps", mbps * 1e6);
    }
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static void add_metrics(struct survey *s)
{
    const char *text = text_of(s, "metrics");
    char line[512], word[64];
    cJSON *list = text ? cJSON_AddArrayToObject(s->facts, "tcp_metrics") : NULL;
    while (list && next_line(&text, line, sizeof line))
        if (sscanf(line, "%63s", word) == 1 && is_address(word))
            add_word(list, word);
}

static void add_iperf3(struct survey *s)
{
    const struct section *n = find(s, "iperf3");
    char version[32];
    if (!n)
        return;
    if (n->status == 0 && sscanf(n->text.data, "iperf %31[0-9.]", version) == 1)
        cJSON_AddStringToObject(s->facts, "iperf3", version);
    else if (n->status == 127)
        cJSON_AddNullToObject(s->facts, "iperf3");
}

static void add_listening(struct survey *s)
{
    const char *text = text_of(s, "listen");
    char line[64];
    cJSON *list = text ? cJSON_AddArrayToObject(s->facts, "listening") : NULL;
    while (list && next_line(&text, line, sizeof line)) {
        unsigned long p = strtoul(line, NULL, 16);
        if (p > 0 && p < 65536 && cJSON_GetArraySize(list) < WORDS_MAX)
            cJSON_AddItemToArray(list, cJSON_CreateNumber((double)p));
    }
}

/* `df -P`: a heading, then for . and /tmp "FILESYSTEM BLOCKS USED AVAILABLE CAPACITY MOUNTED". */
static void add_disk(struct survey *s)
{
    static const char *const paths[] = {".", "/tmp"};
    const char *text = text_of(s, "disk");
    char line[512];
    size_t i = 0;
    cJSON *list = text ? cJSON_AddArrayToObject(s->facts, "disk") : NULL;
    if (list && next_line(&text, line, sizeof line))
        while (i < 2 && next_line(&text, line, sizeof line)) {
            double free_kib;
            if (sscanf(line, "%*s %*s %*s %lf", &free_kib) != 1 || !(free_kib >= 0))
                continue;
            cJSON *d = cJSON_CreateObject();
            cJSON_AddStringToObject(d, "path", paths[i++]);
            cJSON_AddNumberToObject(d, "free_bytes", free_kib * 1024);
            cJSON_AddItemToArray(list, d);
        }
}

static void add_user(struct survey *s)
{
    const char *text = text_of(s, "uid");
    const struct section *sudo = find(s, "sudo");
    char *end;
    if (!text)
        return;
    unsigned long uid = strtoul(text, &end, 10);
    if (end == text || uid > UINT32_MAX)
        return;
    cJSON_AddNumberToObject(s->facts, "uid", (double)uid);
    if (uid == 0 || sudo)
        cJSON_AddBoolToObject(s->facts, "has_sudo", uid == 0 || sudo->status == 0);
}

static void add_failed(struct survey *s)
{
    cJSON *failed = cJSON_AddObjectToObject(s->facts, "failed");
    for (size_t i = 0; i < s->len; i++)
        if (s->of[i].status != 0 && !cJSON_GetObjectItemCaseSensitive(failed, s->of[i].name))
            cJSON_AddNumberToObject(failed, s->of[i].name, s->of[i].status);
}

enum status survey_parse(const char *text, size_t len, cJSON **out, struct error *err)
{
    struct survey s = {0};
    enum status st = STATUS_OK;
    *out = NULL;
    if (len > SURVEY_TEXT_MAX)
        return error_set(err, STATUS_NOMEM, "survey", "a survey of more than %u MiB",
                         SURVEY_TEXT_MAX >> 20);
    s.of = calloc(SECTIONS_MAX, sizeof *s.of);
    s.facts = cJSON_CreateObject();
    if (!s.of || !s.facts) {
        st = error_set(err, STATUS_NOMEM, "survey", "out of memory");
        goto out;
    }
    split(&s, text, len);
    if (!text_of(&s, "kernel")) {
        st = error_set(err, STATUS_INPUT, "survey", "this is no survey of a host");
        error_hint(err, "the host needs a POSIX /bin/sh, and its login shell must run commands");
        goto out;
    }
    add_clock(&s);
    add_line(&s, "kernel", "kernel");
    add_line(&s, "kernel-version", "kernel_version");
    add_line(&s, "arch", "arch");
    add_line(&s, "virtual", "virtual_lab");
    add_line(&s, "boot", "boot_id");
    add_distro(&s);
    add_sysctls(&s);
    cJSON *modules = cJSON_AddObjectToObject(s.facts, "modules");
    add_list(&s, modules, "modules", "loaded", is_plain);
    add_list(&s, modules, "module-files", "available", is_plain);
    add_list(&s, s.facts, "kernels", "kernels", is_plain);
    add_links(&s);
    add_list(&s, s.facts, "wireless", "wireless", is_dev);
    add_qdiscs(&s);
    add_tc(&s);
    cJSON *routes = cJSON_AddArrayToObject(s.facts, "routes");
    s.ports = cJSON_AddObjectToObject(s.facts, "ports");
    for (size_t i = 0; i < s.len; i++) {
        const char *name = s.of[i].name;
        if (strncmp(name, "route ", 6) == 0 || strncmp(name, "route-text ", 11) == 0)
            add_route(routes, &s.of[i]);
        else if (strncmp(name, "offload ", 8) == 0 || strncmp(name, "class ", 6) == 0 ||
                 strncmp(name, "speed ", 6) == 0)
            add_port(&s, &s.of[i]);
    }
    add_metrics(&s);
    add_iperf3(&s);
    add_listening(&s);
    add_disk(&s);
    add_user(&s);
    add_failed(&s);
    cJSON_AddBoolToObject(s.facts, "is_complete", find(&s, "end") != NULL);
    *out = s.facts;
    s.facts = NULL;
out:
    sections_done(&s);
    cJSON_Delete(s.facts);
    return st;
}
