#include "core/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/paths.h"
#include "core/run_samples.h"
#include "core/version.h"

#define COMMANDS_MAX 10000
#define ARGV_MAX     8192 /* bytes of a command line that are kept */

struct run {
    char dir[CCALAB_PATH_MAX];
    cJSON *record;
    FILE *events;
    bool has_event_fault; /* said once, not once a line */
    struct bus *bus;
    int subscription;
    double started_s;
    struct run_samples *samples;
    cJSON **commands; /* entries of record.commands */
    size_t ncommands;
};

static void on_event(void *user, const struct event *ev)
{
    struct run *r = user;
    if (ev->type == EVENT_SAMPLE)
        run_samples_add(r->samples, ev);
    char *line = cJSON_PrintUnformatted(ev->body);
    if (!line || fprintf(r->events, "%s\n", line) < 0) {
        if (!r->has_event_fault)
            log_error("cannot write %s/events.jsonl: %s", r->dir, strerror(errno));
        r->has_event_fault = true;
    }
    cJSON_free(line);
}

static char unfinished[CCALAB_PATH_MAX];

const char *run_unfinished(void)
{
    return unfinished;
}

static cJSON *host_facts(void)
{
    struct utsname u;
    cJSON *o = cJSON_CreateObject();
    if (uname(&u) == 0) {
        cJSON_AddStringToObject(o, "kernel", u.release);
        cJSON_AddStringToObject(o, "kernel_version", u.version);
        cJSON_AddStringToObject(o, "machine", u.machine);
    }
    cJSON_AddNumberToObject(o, "cores", (double)sysconf(_SC_NPROCESSORS_ONLN));
    cJSON_AddNumberToObject(o, "memory_bytes",
                            (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE));
    cJSON_AddBoolToObject(o, "is_root", geteuid() == 0);
    return o;
}

static enum status save(struct run *r, struct error *err)
{
    char path[CCALAB_PATH_MAX];
    if (!path_join(path, sizeof path, r->dir, "run.json"))
        return error_set(err, STATUS_IO, "run", "path too long: %s", r->dir);
    return json_write_file(path, r->record, err);
}

/* Make <base>/<utc>-<name>, counting up while it is taken. */
static enum status make_dir(struct run *r, const char *base, const char *utc, const char *name,
                            struct error *err)
{
    enum status st = path_mkdirs(base, err);
    if (st != STATUS_OK)
        return st;
    for (int i = 1; i < 1000; i++) {
        char leaf[160], suffix[8] = "";
        if (i > 1)
            snprintf(suffix, sizeof suffix, "-%d", i);
        snprintf(leaf, sizeof leaf, "%s-%.100s%s", utc, name, suffix);
        if (!path_join(r->dir, sizeof r->dir, base, leaf))
            return error_set(err, STATUS_IO, "run", "path too long: %s", base);
        if (mkdir(r->dir, 0777) == 0)
            return STATUS_OK;
        if (errno != EEXIST)
            return error_sys(err, STATUS_IO, errno, "run", "cannot make %s", r->dir);
    }
    return error_set(err, STATUS_IO, "run", "too many runs called %s within one second", name);
}

enum status run_new(const char *base, const char *name, struct bus *bus, struct run **out,
                    struct error *err)
{
    char utc[20], safe[101], path[CCALAB_PATH_MAX];
    enum status st;
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        return error_set(err, STATUS_NOMEM, "run", "out of memory");
    if (!base)
        base = getenv("CCALAB_RUNS");
    if (!base || !base[0])
        base = "runs";
    r->started_s = clock_wall_s();
    clock_format_utc(r->started_s, utc, sizeof utc);
    snprintf(safe, sizeof safe, "%s", name && name[0] ? name : "run");
    for (char *p = safe; *p; p++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", *p))
            *p = '_';
    st = make_dir(r, base, utc, safe, err);
    if (st != STATUS_OK)
        goto fail;
    char *absolute =
        realpath(r->dir, NULL); /* scripts may change nothing, jobs have their own cwd */
    if (absolute)
        snprintf(r->dir, sizeof r->dir, "%s", absolute);
    free(absolute);
    path_join(path, sizeof path, r->dir, "events.jsonl");
    r->events = fopen(path, "ae");
    if (!r->events) {
        st = error_sys(err, STATUS_IO, errno, "run", "cannot write %s", path);
        goto fail;
    }
    r->samples = run_samples_new(r->dir);
    if (!r->samples) {
        st = error_set(err, STATUS_NOMEM, "run", "out of memory");
        goto fail;
    }
    r->record = cJSON_CreateObject();
    cJSON_AddStringToObject(r->record, "name", safe);
    cJSON_AddStringToObject(r->record, "status", "running");
    cJSON_AddStringToObject(r->record, "ccalab", CCALAB_VERSION);
    cJSON_AddStringToObject(r->record, "started_utc", utc);
    cJSON_AddNumberToObject(r->record, "started_s", r->started_s);
    cJSON_AddNumberToObject(r->record, "pid", getpid()); /* does a "running" one still run? */
    cJSON_AddItemToObject(r->record, "machine", host_facts());
    st = save(r, err);
    if (st != STATUS_OK)
        goto fail;
    snprintf(unfinished, sizeof unfinished, "%s", r->dir);
    if (bus) {
        r->bus = bus;
        r->subscription = bus_subscribe(bus, on_event, r);
    }
    *out = r;
    return STATUS_OK;
fail:
    if (r->events)
        fclose(r->events);
    run_samples_free(r->samples);
    cJSON_Delete(r->record);
    free(r);
    return st;
}

const char *run_dir(const struct run *r)
{
    return r->dir;
}

enum status run_path(struct run *r, const char *name, char *out, size_t size, struct error *err)
{
    for (const char *p = name; *p;) {
        size_t n = strcspn(p, "/");
        if ((n == 2 && p[0] == '.' && p[1] == '.') || name[0] == '/')
            return error_set(err, STATUS_USAGE, "run", "\"%s\" leads out of the run directory",
                             name);
        p += n + (p[n] == '/');
    }
    if (!name[0] || !path_join(out, size, r->dir, name))
        return error_set(err, STATUS_USAGE, "run", "bad file name \"%s\"", name);
    return path_mkdirs_above(out, err);
}

enum status run_set(struct run *r, const char *key, cJSON *value, struct error *err)
{
    cJSON *at = r->record;
    char part[64];
    for (;;) {
        size_t n = strcspn(key, ".");
        if (n == 0 || n >= sizeof part) {
            cJSON_Delete(value);
            return error_set(err, STATUS_USAGE, "run", "bad field name \"%s\"", key);
        }
        memcpy(part, key, n);
        part[n] = '\0';
        if (!key[n])
            break;
        cJSON *sub = cJSON_GetObjectItemCaseSensitive(at, part);
        if (sub && !cJSON_IsObject(sub)) {
            cJSON_Delete(value);
            return error_set(err, STATUS_USAGE, "run", "run.json's \"%s\" is not an object", part);
        }
        at = sub ? sub : cJSON_AddObjectToObject(at, part);
        key += n + 1;
    }
    cJSON_DeleteItemFromObjectCaseSensitive(at, part);
    cJSON_AddItemToObject(at, part, value);
    return save(r, err);
}

static cJSON *argv_json(const char *const *argv)
{
    size_t left = ARGV_MAX;
    if (!argv)
        return cJSON_CreateNull();
    cJSON *list = cJSON_CreateArray();
    for (; *argv && left; argv++) {
        char *word = strndup(*argv, left);
        left -= word ? strlen(word) : 0;
        cJSON_AddItemToArray(list, cJSON_CreateString(word ? word : ""));
        free(word);
    }
    if (*argv)
        cJSON_AddItemToArray(list, cJSON_CreateString("..."));
    return list;
}

size_t run_command_start(struct run *r, const char *host, const char *label,
                         const char *const *argv)
{
    cJSON *all = cJSON_GetObjectItemCaseSensitive(r->record, "commands");
    if (!all)
        all = cJSON_AddArrayToObject(r->record, "commands");
    cJSON **larger = r->ncommands < COMMANDS_MAX
                         ? realloc(r->commands, (r->ncommands + 1) * sizeof(cJSON *))
                         : NULL;
    if (larger)
        r->commands = larger;
    cJSON *o = larger ? cJSON_CreateObject() : NULL;
    if (!cJSON_AddItemToArray(all, o)) {
        cJSON_Delete(o);
        return RUN_NO_COMMAND;
    }
    cJSON_AddStringToObject(o, "host", host);
    cJSON_AddStringToObject(o, "label", label);
    cJSON_AddItemToObject(o, "argv", argv_json(argv));
    cJSON_AddNumberToObject(o, "start_s", clock_wall_s());
    cJSON_AddNullToObject(o, "end_s");
    cJSON_AddNullToObject(o, "exit_code");
    cJSON_AddNullToObject(o, "status");
    r->commands[r->ncommands] = o;
    return r->ncommands++;
}

void run_command_end(struct run *r, size_t number, enum status how, int exit_code)
{
    if (number >= r->ncommands)
        return;
    cJSON *o = r->commands[number];
    cJSON_ReplaceItemInObjectCaseSensitive(o, "end_s", cJSON_CreateNumber(clock_wall_s()));
    if (exit_code >= 0)
        cJSON_ReplaceItemInObjectCaseSensitive(o, "exit_code", cJSON_CreateNumber(exit_code));
    cJSON_ReplaceItemInObjectCaseSensitive(o, "status", cJSON_CreateString(status_name(how)));
}

void run_finish(struct run *r, const char *status, const char *message)
{
    struct error err = {0};
    if (r->bus)
        bus_unsubscribe(r->bus, r->subscription);
    cJSON_DeleteItemFromObjectCaseSensitive(r->record, "status");
    cJSON_AddStringToObject(r->record, "status", status);
    if (message)
        cJSON_AddStringToObject(r->record, "message", message);
    cJSON_AddNumberToObject(r->record, "duration_s", clock_wall_s() - r->started_s);
    if (save(r, &err) != STATUS_OK)
        log_err(&err);
    if (fclose(r->events) != 0)
        log_error("cannot write %s/events.jsonl: %s", r->dir, strerror(errno));
    if (!strcmp(unfinished, r->dir))
        unfinished[0] = '\0';
    run_samples_free(r->samples);
    cJSON_Delete(r->record);
    free(r->commands);
    free(r);
}
