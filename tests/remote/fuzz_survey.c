/* libFuzzer target: the survey of a host, the judgement of what it says, and GRUB's menu. Every fix
 * must be free of control characters and of commands that the host has slipped in. Build: clang,
 * -DCCALAB_FUZZ=ON. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "remote/checks.h"
#include "remote/grub.h"
#include "remote/survey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const ccs[] = {"prague"}, *const to[] = {"10.0.3.2", "10.98.3.2"};
    static const int ports[] = {5201};
    char entry[GRUB_ENTRY_MAX];
    cJSON *facts;
    (void)!grub_find_entry((const char *)data, size, "6.18.3", entry, sizeof entry, NULL);
    if (survey_parse((const char *)data, size, &facts, NULL) != STATUS_OK)
        return 0;
    for (unsigned roles = 1; roles <= CHECKS_ALL; roles++) {
        struct checks_want want = {.roles = roles,
                                   .ccs = ccs,
                                   .nccs = 1,
                                   .to = to,
                                   .nto = roles == CHECKS_ALL ? 0 : 2,
                                   .ports = ports,
                                   .nports = 1,
                                   .rate_bps = 50e6,
                                   .rtt_s = 0.02};
        cJSON *checks = checks_judge(facts, &want);
        const cJSON *c;
        cJSON_ArrayForEach(c, checks)
        {
            for (const char *s = json_str(c, "fix", ""); *s; s++)
                if ((unsigned char)*s < ' ' || *s == '`' || (*s == '$' && s[1] == '('))
                    abort();
        }
        cJSON_Delete(checks);
    }
    cJSON_Delete(facts);
    return 0;
}
