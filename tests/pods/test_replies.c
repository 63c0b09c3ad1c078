/* What the answers of Runpod's API and of the hub are taken for, and where keys may lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/paths.h"
#include "remote/hub.h"
#include "remote/runpod.h"
#include "remote/secret.h"

static cJSON *judge(int op, long status, const char *body, const char *kind)
{
    struct http_reply r = {.status = status, .body = body, .len = strlen(body)};
    cJSON *a = op == RUNPOD_OP_COUNT ? hub_judge(&r, 0) : runpod_judge(&r, op);

    assert_non_null(a);
    if (strcmp(json_str(a, "kind", ""), kind) != 0)
        print_message("%s\n", cJSON_PrintUnformatted(a));
    assert_string_equal(json_str(a, "kind", ""), kind);
    return a;
}

#define POD(extra)                                                                                 \
    "{\"id\":\"7h9k2m4n6p\",\"name\":\"n\",\"status\":\"RUNNING\",\"cost\":0.44," extra "}"

static void test_pod(void **state)
{
    /* Hosts that are options, commands, or nowhere; ports and users that are none. */
    static const char *const bad[] = {
        POD("\"ssh\":{\"proxy\":null,\"direct\":null}"),
        POD("\"ssh\":{\"direct\":{\"host\":\"-oProxyCommand=x\",\"port\":22,\"username\":\"root\"}"
            "}"),
        POD("\"ssh\":{\"direct\":{\"host\":\"a;b\",\"port\":22,\"username\":\"root\"}}"),
        POD("\"ssh\":{\"direct\":{\"host\":\"a\",\"port\":0,\"username\":\"root\"}}"),
        POD("\"ssh\":{\"direct\":{\"host\":\"a\",\"port\":70000,\"username\":\"root\"}}"),
        POD("\"ssh\":{\"direct\":{\"host\":\"a\",\"port\":22,\"username\":\"-l x\"}}"),
    };
    (void)state;
    cJSON *a =
        judge(RUNPOD_GET, 200,
              POD("\"gpu\":{\"id\":\"NVIDIA GeForce RTX 4090\",\"count\":2},\"dataCenterId\":null,"
                  "\"ssh\":{\"direct\":{\"host\":\"195.26.233.3\",\"port\":34446,"
                  "\"username\":\"root\",\"command\":\"x\"}}"),
              "ok");
    const cJSON *pod = json_get(a, "data"), *ssh = json_get(pod, "ssh");
    assert_string_equal(json_str(pod, "gpu", ""), "NVIDIA GeForce RTX 4090");
    assert_true(json_num(pod, "gpu_count", 0) == 2 && json_num(pod, "cost_per_h", 0) == 0.44);
    assert_string_equal(json_str(ssh, "host", ""), "195.26.233.3");
    assert_true(json_num(ssh, "port", 0) == 34446);
    assert_null(json_get(pod, "data_center"));
    cJSON_Delete(a);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        a = judge(RUNPOD_GET, 200, bad[i], "ok");
        assert_null(json_get(json_get(a, "data"), "ssh"));
        cJSON_Delete(a);
    }
    /* An id goes into addresses and file names. */
    cJSON_Delete(judge(RUNPOD_GET, 200, "{\"id\":\"../x\",\"status\":\"RUNNING\"}", "malformed"));
    cJSON_Delete(judge(RUNPOD_GET, 200, "[]", "malformed"));
    cJSON_Delete(judge(RUNPOD_GET, 200, "", "malformed"));
    a = judge(RUNPOD_LIST, 200, "{\"pods\":[" POD("\"a\":1") ",{\"id\":\"/\"}]}", "ok");
    assert_int_equal(cJSON_GetArraySize(json_get(a, "data")), 1);
    cJSON_Delete(a);
    cJSON_Delete(judge(RUNPOD_DELETE, 204, "", "ok"));
}

static void test_noes(void **state)
{
    static const struct {
        int op;
        long status;
        const char *kind;
    } cases[] = {{RUNPOD_CREATE, 400, "candidate"}, {RUNPOD_GET, 400, "contract"},
                 {RUNPOD_GET, 401, "auth"},         {RUNPOD_CREATE, 402, "money"},
                 {RUNPOD_CREATE, 403, "forbidden"}, {RUNPOD_GET, 404, "missing"},
                 {RUNPOD_ACTION, 409, "conflict"},  {RUNPOD_CREATE, 422, "contract"},
                 {RUNPOD_LIST, 429, "rate"},        {RUNPOD_LIST, 503, "transient"},
                 {RUNPOD_LIST, 302, "malformed"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cJSON *a = judge(cases[i].op, cases[i].status,
                         "{\"title\":\"T\",\"status\":1,\"detail\":\"the \\u001b[31mreason\","
                         "\"errors\":[\"gpu: wrong\"]}",
                         cases[i].kind);
        const char *message = json_str(json_get(a, "error"), "message", "");
        assert_non_null(strstr(message, "reason: gpu: wrong"));
        assert_null(strchr(message, 27)); /* what a service says moves no cursor */
        cJSON_Delete(a);
    }
}

static void test_pauses(void **state)
{
    (void)state;
    assert_int_equal(runpod_wait_s("12", ""), 12);
    assert_int_equal(
        runpod_wait_s("", "\"minute\";r=0;t=12, \"hour\";r=0;t=1812, \"day\";r=9;t=45012"), 1812);
    assert_int_equal(runpod_wait_s("soon", "\"minute\";r=0;t=7"), 7);
    assert_int_equal(runpod_wait_s("", ""), 5);
    assert_int_equal(runpod_wait_s("-4", "nonsense;;r=;t="), 5);
    assert_int_equal(runpod_wait_s("99999999999999999999", ""), 3600);
}

static void test_urls(void **state)
{
    struct buf b;
    struct error e;
    (void)state;
    unsetenv("CCALAB_RUNPOD_URL");
    unsetenv("HF_ENDPOINT");
    buf_init(&b, 1000);
    assert_int_equal(runpod_url(RUNPOD_ACTION, "abc", NULL, &b, &e), STATUS_OK);
    assert_string_equal(b.data, "https://api.runpod.io/v2/pods/abc/action");
    assert_int_equal(runpod_url(RUNPOD_GET, "a/../b", NULL, &b, &e), STATUS_USAGE);
    assert_int_equal(runpod_url(RUNPOD_GET, NULL, NULL, &b, &e), STATUS_USAGE);
    buf_clear(&b);
    assert_int_equal(hub_url("meta-llama/Llama-2-7b-hf", "main", &b, &e), STATUS_OK);
    assert_string_equal(
        b.data,
        "https://huggingface.co/api/models/meta-llama/Llama-2-7b-hf/revision/main?blobs=true");
    static const char *const bad[] = {"", "/", "a/", "/b", "a/b/c", "../x", "a b", "a/../b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(hub_url(bad[i], "main", &b, &e), STATUS_USAGE);
    assert_int_equal(hub_url("a/b", "x/../y", &b, &e), STATUS_USAGE);
    buf_done(&b);
}

#define SHA  "\"sha\":\"c0ffee0000000000000000000000000000000000\""
#define BLOB "\"blobId\":\"c0ffee0000000000000000000000000000000000\""

static void test_hub(void **state)
{
    static const char *const bad[] = {
        "{" SHA "}",
        "{\"sha\":\"main\",\"siblings\":[]}",
        "{" SHA ",\"siblings\":[{\"rfilename\":\"../x\",\"size\":1," BLOB "}]}",
        "{" SHA ",\"siblings\":[{\"rfilename\":\"a/.ssh/x\",\"size\":1," BLOB "}]}",
        "{" SHA ",\"siblings\":[{\"rfilename\":\"a b\",\"size\":1," BLOB "}]}",
        "{" SHA ",\"siblings\":[{\"rfilename\":\"a\",\"size\":-1," BLOB "}]}",
        "{" SHA ",\"siblings\":[{\"rfilename\":\"a\",\"size\":1}]}",
        "{" SHA ",\"siblings\":[{\"rfilename\":\"a\",\"size\":1,\"lfs\":{\"sha256\":\"x\"}," BLOB
        "}]}",
    };
    (void)state;
    cJSON *a = judge(RUNPOD_OP_COUNT, 200,
                     "{" SHA ",\"siblings\":[{\"rfilename\":\".gitattributes\"},"
                     "{\"rfilename\":\"config.json\",\"size\":7," BLOB "}]}",
                     "ok");
    assert_int_equal(cJSON_GetArraySize(json_get(json_get(a, "data"), "files")), 1);
    cJSON_Delete(a);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cJSON_Delete(judge(RUNPOD_OP_COUNT, 200, bad[i], "malformed"));
    cJSON_Delete(judge(RUNPOD_OP_COUNT, 403, "{}", "gated"));
    cJSON_Delete(judge(RUNPOD_OP_COUNT, 401, "{}", "auth"));
    cJSON_Delete(judge(RUNPOD_OP_COUNT, 404, "{}", "missing"));
}

static void test_secret(void **state)
{
    char dir[] = "/tmp/ccalab-secret-XXXXXX", path[64], key[SECRET_MAX];
    struct error e;
    FILE *f;
    (void)state;
    assert_non_null(mkdtemp(dir));
    unsetenv("HF_TOKEN");
    snprintf(path, sizeof path, "%s/token", dir);
    setenv("HF_TOKEN_PATH", path, 1);
    assert_int_equal(secret_get(SECRET_HUB, key, &e), STATUS_UNAVAILABLE);
    f = fopen(path, "we");
    assert_non_null(f);
    fputs("  hf_abc\n", f);
    fclose(f);
    chmod(path, 0640);
    assert_int_equal(secret_get(SECRET_HUB, key, &e), STATUS_IO);
    assert_non_null(strstr(e.hint, "chmod 600"));
    chmod(path, 0600);
    assert_int_equal(secret_get(SECRET_HUB, key, &e), STATUS_OK);
    assert_string_equal(key, "hf_abc");
    setenv("HF_TOKEN", "one\r\nHost: two", 1); /* no second header */
    assert_int_equal(secret_get(SECRET_HUB, key, &e), STATUS_INPUT);
    unsetenv("HF_TOKEN");
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pod),  cmocka_unit_test(test_noes), cmocka_unit_test(test_pauses),
        cmocka_unit_test(test_urls), cmocka_unit_test(test_hub),  cmocka_unit_test(test_secret)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
