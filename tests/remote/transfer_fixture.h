/* Transfers of the tests. Include it behind <cmocka.h>. */
#ifndef CCALAB_TESTS_TRANSFER_FIXTURE_H
#define CCALAB_TESTS_TRANSFER_FIXTURE_H

#include <stdio.h>

#include "core/json.h"
#include "remote/transfer.h"
#include "tests/remote/ssh_fixture.h"

struct outcome {
    struct end end;
    int progress;
    double files, sent, bytes, resumed;
    bool is_verified;
};

static inline void on_event(void *user, struct job *job, const struct event *ev)
{
    struct outcome *o = user;
    (void)job;
    o->progress += ev->type == EVENT_PROGRESS;
    if (ev->type == EVENT_RESULT) {
        const cJSON *data = json_get(ev->body, "data");
        o->files = json_num(data, "files", -1);
        o->sent = json_num(data, "sent", -1);
        o->bytes = json_num(data, "bytes", -1);
        o->resumed = json_num(data, "resumed", -1);
        o->is_verified = json_bool(data, "is_verified", false);
    }
}

static inline void on_transfer_done(void *user, struct job *job, const struct job_exit *how)
{
    struct outcome *o = user;
    on_done(&o->end, job, how);
}

static inline struct job *begin(struct host *h, bool is_upload, const char *local,
                                const char *remote, struct outcome *o)
{
    struct transfer_opts t = {is_upload, true, true, local, remote};
    struct job_opts opts = {.label = "transfer", .output = JOB_OUTPUT_EVENTS};
    struct job_callbacks cb = {on_event, NULL, on_transfer_done};
    struct job *job;
    struct error err;
    *o = (struct outcome){0};
    if (job_start_with(&loop, NULL, h, &opts, transfer_start, &t, &cb, o, &job, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    return job;
}

static inline struct outcome move(struct host *h, bool is_upload, const char *local,
                                  const char *remote)
{
    struct outcome o;
    begin(h, is_upload, local, remote, &o);
    turn(&o.end.is_done);
    if (o.end.error.status != STATUS_OK)
        printf("  %s%s%s\n", o.end.error.message, o.end.error.hint[0] ? " / " : "",
               o.end.error.hint);
    return o;
}

#endif
