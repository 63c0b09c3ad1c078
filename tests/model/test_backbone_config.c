#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "model/backbone_config.h"

static enum status parse(const char *json, struct backbone_config *c, struct error *err)
{
    cJSON *o = cJSON_Parse(json);
    assert_non_null(o);
    enum status st = backbone_config_from_json(o, "config.json", c, err);
    cJSON_Delete(o);
    return st;
}

#define LLAMA                                                                                      \
    "{\"model_type\":\"llama\",\"hidden_size\":64,\"intermediate_size\":172,"                      \
    "\"num_hidden_layers\":2,\"num_attention_heads\":4"

static void test_defaults(void **state)
{
    (void)state;
    struct backbone_config c;
    struct error err;
    assert_int_equal(parse(LLAMA "}", &c, &err), STATUS_OK);
    assert_int_equal(c.num_key_value_heads, 4);
    assert_true(c.rope_theta == 10000 && c.norm_eps == 1e-6);
    assert_int_equal(c.max_position_embeddings, 2048);
    assert_int_equal(parse(LLAMA ",\"num_key_value_heads\":2,\"rms_norm_eps\":1e-5,"
                                 "\"rope_theta\":5e5,\"rope_scaling\":null,\"vocab_size\":7}",
                           &c, &err),
                     STATUS_OK);
    assert_int_equal(c.num_key_value_heads, 2);
    assert_true(c.rope_theta == 5e5 && c.norm_eps == 1e-5);
}

static void refuse(const char *json, const char *why)
{
    struct backbone_config c;
    struct error err;
    assert_int_equal(parse(json, &c, &err), STATUS_INPUT);
    if (!strstr(err.message, why) || !strstr(err.message, "config.json"))
        fail_msg("'%s' does not say '%s'", err.message, why);
}

static void test_refused(void **state)
{
    (void)state;
    refuse("{}", "'model_type' is missing");
    refuse("{\"model_type\":\"t5\"}", "'t5' is not supported");
    refuse("{\"model_type\":\"llama\",\"hidden_size\":64}", "'intermediate_size' is missing");
    refuse("{\"model_type\":\"llama\",\"hidden_size\":0}", "'hidden_size'");
    refuse("{\"model_type\":\"llama\",\"hidden_size\":1e9}", "'hidden_size'");
    refuse("{\"model_type\":\"llama\",\"hidden_size\":\"64\"}", "'hidden_size'");
    refuse(LLAMA ",\"num_key_value_heads\":3}", "'num_key_value_heads'");
    refuse(LLAMA ",\"rope_theta\":0}", "'rope_theta'");
    refuse(LLAMA ",\"rms_norm_eps\":null}", "'rms_norm_eps'");
    refuse(LLAMA ",\"hidden_act\":\"gelu\"}", "'hidden_act'");
    refuse(LLAMA ",\"rope_scaling\":{\"type\":\"linear\"}}", "'rope_scaling'");
    refuse(LLAMA ",\"attention_bias\":true}", "bias");
    refuse(LLAMA ",\"head_dim\":32}", "'head_dim'");
    refuse("{\"model_type\":\"llama\",\"hidden_size\":60,\"intermediate_size\":172,"
           "\"num_hidden_layers\":2,\"num_attention_heads\":4}",
           "'hidden_size' does not split into heads of an even");
}

static void test_round_trip(void **state)
{
    (void)state;
    struct backbone_config tiny = backbone_config_tiny(), c;
    struct error err;
    cJSON *o = backbone_config_to_json(&tiny);
    assert_int_equal(backbone_config_from_json(o, "config.json", &c, &err), STATUS_OK);
    cJSON_Delete(o);
    assert_string_equal(backbone_config_type(&c), "llama");
    assert_int_equal(c.hidden_size, tiny.hidden_size);
    assert_int_equal(c.num_key_value_heads, tiny.num_key_value_heads);
    assert_true(c.norm_eps == tiny.norm_eps);

    /* Llama-2-7B: 6,738,415,616 parameters, less the two tables of 32000 x 4096. */
    struct backbone_config llama = {.family = BACKBONE_LLAMA,
                                    .hidden_size = 4096,
                                    .intermediate_size = 11008,
                                    .num_hidden_layers = 32,
                                    .num_attention_heads = 32,
                                    .num_key_value_heads = 32,
                                    .max_position_embeddings = 4096,
                                    .embedding_size = 4096};
    assert_true(backbone_config_parameters(&llama) == 6738415616u - 2u * 32000 * 4096);

    assert_int_equal(backbone_config_read("/nonexistent/config.json", &c, &err), STATUS_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
