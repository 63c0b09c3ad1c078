/* Recorded surveys of hosts (data/survey_*.txt), with edits, and what to expect of their checks. */
#ifndef CCALAB_TESTS_RECORDED_H
#define CCALAB_TESTS_RECORDED_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/buf.h"
#include "core/json.h"
#include "remote/checks.h"
#include "remote/survey.h"

#define PASS    "pass"
#define FAIL    "fail"
#define UNKNOWN "unknown"
#define NONE    "none"

/* The text of a recorded survey with edits: pairs of what to find and what to put there, to NULL. A
 * pair that is not found fails the test. */
static inline char *recorded(const char *name, const char *const *edits)
{
    char path[256];
    struct buf b;
    struct error e;
    snprintf(path, sizeof path, TEST_DATA "/survey_%s.txt", name);
    if (buf_read_file(&b, path, SURVEY_TEXT_MAX, &e) != STATUS_OK)
        fail_msg("%s", e.message);
    char *text = buf_take(&b);
    for (; edits && *edits; edits += 2) {
        char *at = strstr(text, edits[0]);
        if (!at)
            fail_msg("%s has no '%s'", name, edits[0]);
        buf_init(&b, SURVEY_TEXT_MAX);
        buf_append(&b, text, (size_t)(at - text));
        buf_puts(&b, edits[1]);
        buf_puts(&b, at + strlen(edits[0]));
        free(text);
        text = buf_take(&b);
    }
    return text;
}

static inline cJSON *facts_of(const char *name, const char *const *edits)
{
    char *text = recorded(name, edits);
    cJSON *facts;
    struct error e;
    if (survey_parse(text, strlen(text), &facts, &e) != STATUS_OK)
        fail_msg("%s: %s", name, e.message);
    free(text);
    return facts;
}

static inline const cJSON *find(const cJSON *checks, const char *name)
{
    const cJSON *c;
    cJSON_ArrayForEach(c, checks)
    {
        if (strcmp(json_str(c, "name", ""), name) == 0)
            return c;
    }
    return NULL;
}

static inline void expect(const cJSON *checks, const char *name, const char *verdict)
{
    const cJSON *c = find(checks, name);
    const char *is = json_str(c, "verdict", NONE);
    if (strcmp(is, verdict) != 0)
        fail_msg("%s is %s, not %s (%s)", name, is, verdict, json_str(c, "seen", ""));
}

/* The verdict of one check, and that its text, its want and its fix contain these words. */
static inline void expect_words(const cJSON *checks, const char *name, const char *verdict,
                                const char *seen, const char *fix)
{
    const cJSON *c = find(checks, name);
    expect(checks, name, verdict);
    if (seen && !strstr(json_str(c, "seen", ""), seen))
        fail_msg("%s: seen is \"%s\", without \"%s\"", name, json_str(c, "seen", ""), seen);
    if (fix && !strstr(json_str(c, "fix", ""), fix))
        fail_msg("%s: fix is \"%s\", without \"%s\"", name, json_str(c, "fix", ""), fix);
}

static inline void expect_all(const cJSON *checks, const char *verdict)
{
    const cJSON *c;
    cJSON_ArrayForEach(c, checks)
    {
        expect(checks, json_str(c, "name", ""), verdict);
    }
}

#endif
