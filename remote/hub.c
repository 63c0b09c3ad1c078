#include "remote/hub.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "remote/runpod.h"
#include "remote/web.h"

const char *hub_base(void)
{
    const char *base = getenv("HF_ENDPOINT");

    return base && base[0] ? base : HUB_URL;
}

enum status hub_url(const char *repo, const char *revision, struct buf *out, struct error *err)
{
    const char *slash = strchr(repo, '/');
    char org[97];
    size_t len = slash ? (size_t)(slash - repo) : 0;

    snprintf(org, sizeof org, "%.*s", (int)(len < sizeof org ? len : sizeof org - 1), repo);
    if ((slash && (len > 96 || !web_is_word(org, 96))) ||
        !web_is_word(slash ? slash + 1 : repo, 96)) {
        error_set(err, STATUS_USAGE, "hub", "%.100s is no model of the hub", repo);
        return error_hint(err, "ORG/NAME is wanted, as in meta-llama/Llama-2-7b-hf");
    }
    if (!web_is_word(revision, 96))
        return error_set(err, STATUS_USAGE, "hub", "%.100s is no revision", revision);
    buf_printf(out, "%s/api/models/%s/revision/%s?blobs=true", hub_base(), repo, revision);
    return out->is_failed ? error_set(err, STATUS_NOMEM, "hub", "the address is too long")
                          : STATUS_OK;
}

/* A path that is safe below a directory, in a shell's word and in JSON. */
static bool is_path(const char *s)
{
    size_t len = 0;

    for (bool is_start = true; *s; s++, len++) {
        if (is_start && (*s == '/' || *s == '.' || *s == '-'))
            return false;
        if (!isalnum((unsigned char)*s) && !strchr("._+=@-/", *s))
            return false;
        is_start = *s == '/';
    }
    return len > 0 && len <= 255 && s[-1] != '/';
}

static bool is_hex(const char *s, size_t digits)
{
    return s && strlen(s) == digits && strspn(s, "0123456789abcdef") == digits;
}

static enum status read_file(const cJSON *from, cJSON *files, struct error *err)
{
    const char *path = json_str(from, "rfilename", "");
    const cJSON *lfs = json_get(from, "lfs");
    const char *sha256 = json_str(lfs, "sha256", NULL), *blob = json_str(from, "blobId", NULL);
    double size = json_num(lfs, "size", json_num(from, "size", -1));
    cJSON *o;

    if (strcmp(path, ".gitattributes") == 0)
        return STATUS_OK;
    if (!is_path(path)) {
        char clean[256];

        return error_set(err, STATUS_INPUT, "hub", "a file of the repository is called %s",
                         log_escape(path, clean, sizeof clean));
    }
    if (!(size >= 0 && size < 1e15) || !(is_hex(sha256, 64) || (!lfs && is_hex(blob, 40))))
        return error_set(err, STATUS_INPUT, "hub", "the hub tells no size or hash of %s", path);
    o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "path", path);
    cJSON_AddNumberToObject(o, "size", size);
    cJSON_AddStringToObject(o, lfs ? "sha256" : "git_sha1", lfs ? sha256 : blob);
    cJSON_AddItemToArray(files, o);
    return STATUS_OK;
}

static cJSON *read_model(const cJSON *body, struct error *err)
{
    const char *commit = json_str(body, "sha", NULL);
    const cJSON *siblings = json_get(body, "siblings"), *one;
    cJSON *data = cJSON_CreateObject(), *files = cJSON_AddArrayToObject(data, "files");
    int n = 0;

    if (!is_hex(commit, 40) || !cJSON_IsArray(siblings)) {
        error_set(err, STATUS_INPUT, "hub", "the hub's answer lacks what it should hold");
        goto fail;
    }
    cJSON_AddStringToObject(data, "commit", commit);
    cJSON_ArrayForEach(one, siblings)
    {
        if (n++ == HUB_FILES_MAX) {
            error_set(err, STATUS_INPUT, "hub", "the repository has more than %d files",
                      HUB_FILES_MAX);
            goto fail;
        }
        if (read_file(one, files, err) != STATUS_OK)
            goto fail;
    }
    return data;
fail:
    cJSON_Delete(data);
    return NULL;
}

static cJSON *say_no(const struct http_reply *reply)
{
    struct error e = {0};
    bool is_gated = !strcmp(reply->error_code, "GatedRepo");
    cJSON *o;

    switch (reply->status) {
    case 401:
    case 403:
        if (!is_gated && reply->status == 401) {
            /* The hub does not tell strangers whether a private repository exists. */
            error_set(&e, STATUS_HOST, "hub", "the hub does not know this model, or not you (401)");
            error_hint(&e, "look at its name; of a private or gated one set $HF_TOKEN "
                           "(huggingface.co/settings/tokens)");
            return web_no("auth", reply->status, &e);
        }
        error_set(&e, STATUS_HOST, "hub", "the model is gated: its owner must let you in (%ld)",
                  reply->status);
        error_hint(&e, "accept its terms on its page while logged in, wait for the owner's mail, "
                       "and set $HF_TOKEN to a token that may read gated repositories");
        return web_no("gated", reply->status, &e);
    case 404:
        error_set(&e, STATUS_HOST, "hub", "the hub has no such model or revision (404)");
        error_hint(&e, "look at the name on huggingface.co; capitals count");
        return web_no("missing", 404, &e);
    case 429:
        error_set(&e, STATUS_HOST, "hub", "the hub wants a pause (429)");
        o = web_no("rate", 429, &e);
        cJSON_AddNumberToObject(o, "retry_s", runpod_wait_s(reply->retry_after, reply->rate_limit));
        return o;
    default:
        error_set(&e, STATUS_HOST, "hub", "the hub answers with %ld", reply->status);
        return web_no(reply->status >= 500 ? "transient" : "malformed", reply->status, &e);
    }
}

cJSON *hub_judge(const struct http_reply *reply, int arg)
{
    struct error e = {0};
    cJSON *body, *data;

    (void)arg;
    if (reply->error.status != STATUS_OK)
        return web_no_reply(reply);
    if (reply->status != 200)
        return say_no(reply);
    body = json_parse(reply->body, reply->len, "the hub's answer", &e);
    data = body ? read_model(body, &e) : NULL;
    cJSON_Delete(body);
    return data ? web_yes(200, data) : web_no("malformed", 200, &e);
}
