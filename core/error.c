#include "core/error.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *name, *text;
    int code;
} statuses[] = {
#define X(id, name, code, what) [STATUS_##id] = {name, what, code},
    CCALAB_STATUS_LIST(X)
#undef X
};

const char *status_name(enum status s)
{
    return (unsigned)s < STATUS_COUNT ? statuses[s].name : "internal";
}

const char *status_text(enum status s)
{
    return (unsigned)s < STATUS_COUNT ? statuses[s].text : statuses[STATUS_INTERNAL].text;
}

int status_exit_code(enum status s)
{
    return (unsigned)s < STATUS_COUNT ? statuses[s].code : statuses[STATUS_INTERNAL].code;
}

enum status status_from_name(const char *name)
{
    for (int i = 0; i < STATUS_COUNT; i++)
        if (name && strcmp(name, statuses[i].name) == 0)
            return (enum status)i;
    return STATUS_INTERNAL;
}

static void fill(struct error *e, enum status s, int sys_errno, const char *subsystem,
                 const char *fmt, va_list ap)
{
    e->status = s;
    e->sys_errno = sys_errno;
    e->hint[0] = '\0';
    snprintf(e->subsystem, sizeof e->subsystem, "%s", subsystem);
    vsnprintf(e->message, sizeof e->message, fmt, ap);
    if (sys_errno) {
        size_t n = strlen(e->message);
        snprintf(e->message + n, sizeof e->message - n, ": %s", strerror(sys_errno));
    }
}

enum status error_set(struct error *e, enum status s, const char *subsystem, const char *fmt, ...)
{
    if (e) {
        va_list ap;
        va_start(ap, fmt);
        fill(e, s, 0, subsystem, fmt, ap);
        va_end(ap);
    }
    return s;
}

enum status error_sys(struct error *e, enum status s, int sys_errno, const char *subsystem,
                      const char *fmt, ...)
{
    if (e) {
        va_list ap;
        va_start(ap, fmt);
        fill(e, s, sys_errno, subsystem, fmt, ap);
        va_end(ap);
    }
    return s;
}

enum status error_hint(struct error *e, const char *fmt, ...)
{
    if (!e)
        return STATUS_FAIL;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->hint, sizeof e->hint, fmt, ap);
    va_end(ap);
    return e->status;
}

void error_print(FILE *f, const struct error *e)
{
    fprintf(f, "%s: %s: %s\n", program_invocation_short_name, e->subsystem, e->message);
    if (e->hint[0])
        fprintf(f, "  hint: %s\n", e->hint);
}
