/* Runpod's REST API v2 (its description: docs.runpod.io/api-reference-v2, openapi.json): which
 * request an operation is, and what a reply means. Bytes of replies are untrusted: bounded, and of
 * what they say only what is listed here is handed on, in our own names. Thread: main only. */
#ifndef CCALAB_REMOTE_RUNPOD_H
#define CCALAB_REMOTE_RUNPOD_H

#include <cjson/cJSON.h>

#include "core/buf.h"
#include "remote/http.h"

#define RUNPOD_URL       "https://api.runpod.io"
#define RUNPOD_REPLY_MAX (8u << 20)
#define RUNPOD_ID_MAX    64

/* X(ENUM, name, method, path below /v2 with %s for the id, has a body) */
#define RUNPOD_OPS(X)                                                                              \
    X(GPUS, "gpus", "GET", "/catalog/gpus?include=AVAILABILITY&product=POD", 0)                    \
    X(VOLUMES, "volumes", "GET", "/network-volumes", 0)                                            \
    X(KEYS, "keys", "GET", "/account/ssh-keys", 0)                                                 \
    X(LIST, "list", "GET", "/pods", 0)                                                             \
    X(GET, "get", "GET", "/pods/%s", 0)                                                            \
    X(CREATE, "create", "POST", "/pods", 1)                                                        \
    X(ACTION, "action", "POST", "/pods/%s/action", 1)                                              \
    X(DELETE, "delete", "DELETE", "/pods/%s", 0)                                                   \
    X(BILLING, "billing", "GET", "/billing/pods?bucketSize=day&lastN=30&podId=%s", 0)

enum runpod_op {
#define X(id, name, method, path, has_body) RUNPOD_##id,
    RUNPOD_OPS(X)
#undef X
        RUNPOD_OP_COUNT
};

/* RUNPOD_OP_COUNT if there is none of this name. */
enum runpod_op runpod_op_from_name(const char *name);
const char *runpod_op_method(enum runpod_op op);
/* The address: below $CCALAB_RUNPOD_URL (without /v2), else RUNPOD_URL. `id` may be NULL where
 * none belongs; `query` ("cloud=SECURE&count=1") is appended, or NULL. Errors: STATUS_USAGE. */
CCALAB_MUST_USE enum status runpod_url(enum runpod_op op, const char *id, const char *query,
                                       struct buf *out, struct error *err);

/* What the reply to an operation means, as {"kind", "status", ...}:
 *
 *   ok         "data": of GPUS a list of {id, name, memory_gb, secure, community (USD/h or null),
 *              availability, data_centers: [id]}; of VOLUMES {id, name, size_gb, data_center}; of
 *              KEYS strings; of LIST pods; of GET, CREATE, ACTION a pod {id, name, status, gpu,
 *              gpu_count, cost_per_h, data_center, created, started (RFC 3339 or null), ssh:
 *              {host, port, user} or null}; of BILLING {total_usd}; of DELETE null
 *   rate       too many requests; "retry_s" is how long to wait
 *   transient  a fault of theirs, or of the network: the same again may work
 *   candidate  400 to CREATE: this GPU in this data centre has no room, or the request breaks a
 *              rule; nothing but the text tells which
 *   forbidden, auth, money, missing, conflict, contract (422), malformed
 *
 * All but ok have "error": {status, message, hint}. `op` is an int for web_judge_fn. NULL when out
 * of memory. */
cJSON *runpod_judge(const struct http_reply *reply, int op);

/* Seconds to wait after a 429: Retry-After, else the longest window of RateLimit that has nothing
 * left (`"minute";r=0;t=12, "hour";r=2800;t=1812`), else 5; 1 to 3600. */
int runpod_wait_s(const char *retry_after, const char *rate_limit);

#endif
