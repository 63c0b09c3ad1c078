/* The Hugging Face hub's file API (huggingface.co/docs/hub/api): what files a model repository has,
 * how large they are, and by which hash each can be verified. Thread: main only. */
#ifndef CCALAB_REMOTE_HUB_H
#define CCALAB_REMOTE_HUB_H

#include <cjson/cJSON.h>

#include "core/buf.h"
#include "remote/http.h"

#define HUB_URL       "https://huggingface.co"
#define HUB_REPLY_MAX (16u << 20)
#define HUB_FILES_MAX 2000

/* $HF_ENDPOINT, else HUB_URL. */
const char *hub_base(void);
/* The address that describes `repo` ("ORG/NAME" or "NAME") at `revision`. Errors: STATUS_USAGE: the
 * name or the revision is none. */
CCALAB_MUST_USE enum status hub_url(const char *repo, const char *revision, struct buf *out,
                                    struct error *err);

/* {"kind": "ok", "data": {commit, files: [{path, size, sha256 or git_sha1}]}}, or {"kind":
 * "gated"|"auth"|"missing"|"rate"|"transient"|"malformed", "error", "retry_s" with rate}.
 * `git_sha1` is that of git: of "blob SIZE\0" and the content. A path holds letters, digits and
 * "._+=@-" between slashes, and no component that begins with a dot but .gitattributes, which is
 * left out; a repository with any other path is refused. A web_judge_fn; `arg` is not used. */
cJSON *hub_judge(const struct http_reply *reply, int arg);

#endif
