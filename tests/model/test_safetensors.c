/* The reader against files that lie, and the writer against the reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "model/safetensors.h"
#include "tests/temp_file.h"

static void write_raw(uint64_t header_len, const char *header, size_t header_bytes,
                      size_t data_bytes)
{
    FILE *f = fopen(temp_path, "wb");
    assert_non_null(f);
    for (int i = 0; i < 8; i++)
        fputc((int)(header_len >> 8 * i & 0xff), f);
    fwrite(header, 1, header_bytes, f);
    for (size_t i = 0; i < data_bytes; i++)
        fputc((int)i & 0x7f, f);
    fclose(f);
}

/* A file with this header and so many bytes of data must be refused with a message that holds
 * `why`. */
static void refuse(const char *header, size_t data_bytes, const char *why)
{
    struct safetensors *f;
    struct error err;
    write_raw(strlen(header), header, strlen(header), data_bytes);
    assert_int_equal(safetensors_open(temp_path, &f, &err), STATUS_INPUT);
    assert_null(f);
    if (!strstr(err.message, why))
        fail_msg("'%s' does not say '%s'", err.message, why);
}

static void test_hostile(void **state)
{
    (void)state;
    refuse("", 0, "empty");
    refuse("[1]", 0, "no object");
    refuse("{\"a\":", 0, "not valid JSON");
    refuse("{\"a\":3}", 0, "no object");
    refuse("{\"a\":{}}", 0, "no dtype");
    refuse("{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "unknown dtype");
    refuse("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "no shape");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
           "8 dimensions");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "dimension");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,6]}}", 6, "dimension");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]}}", 4, "dimension");
    /* 2^32 * 2^32 wraps to 0 in 64 bits. */
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}",
           0, "dimension");
    refuse("{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", 0,
           "dimension");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "data_offsets");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "data_offsets");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, "data_offsets");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,1e300]}}", 4,
           "data_offsets");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, "beyond the end");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "do not give");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5,
           "behind the last");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
           "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
           12, "overlaps");
    refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
           "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[4,6]}}",
           6, "gap");
    refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
           "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}",
           4, "named twice");
    refuse("{\"__metadata__\":{\"x\":1}}", 0, "other than strings");
    refuse("{\"__metadata__\":[]}", 0, "__metadata__");
}

static void test_lengths(void **state)
{
    (void)state;
    struct safetensors *f;
    struct error err;

    write_raw(2, "{}", 0, 0); /* the header is cut off */
    assert_int_equal(safetensors_open(temp_path, &f, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "longer than the file"));

    write_raw(UINT64_MAX, "{}", 2, 0);
    assert_int_equal(safetensors_open(temp_path, &f, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "100 MB"));

    write_raw((100u << 20) + 1, "{}", 2, 0);
    assert_int_equal(safetensors_open(temp_path, &f, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "100 MB"));

    assert_int_equal(truncate(temp_path, 7), 0);
    assert_int_equal(safetensors_open(temp_path, &f, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "too short"));

    assert_int_equal(safetensors_open("/nonexistent/x", &f, &err), STATUS_IO);
    assert_int_equal(safetensors_open("/tmp", &f, &err), STATUS_INPUT);

    write_raw(2, "{}", 2, 0); /* no tensors at all is allowed */
    assert_int_equal(safetensors_open(temp_path, &f, &err), STATUS_OK);
    assert_int_equal(safetensors_count(f), 0);
    safetensors_close(f);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct error err;
    const double a[] = {1.5, -2.25, 1e300};
    const float b[2][2] = {{1, 2}, {3, 4.5f}};
    const uint8_t c[] = {1, 0, 1};
    const struct safetensors_tensor tensors[] = {
        {"a", SAFETENSORS_F64, 1, {3}, a, sizeof a},
        {"b \"quoted\"", SAFETENSORS_F32, 2, {2, 2}, b, sizeof b},
        {"c", SAFETENSORS_BOOL, 1, {3}, c, sizeof c},
        {"empty", SAFETENSORS_F32, 1, {0}, NULL, 0},
        {"scalar", SAFETENSORS_U8, 0, {0}, c, 1},
    };
    cJSON *metadata = cJSON_CreateObject();
    cJSON_AddStringToObject(metadata, "key", "value");
    assert_int_equal(safetensors_write(temp_path, tensors, 5, metadata, &err), STATUS_OK);
    cJSON_Delete(metadata);

    struct safetensors *f;
    assert_int_equal(safetensors_open(temp_path, &f, &err), STATUS_OK);
    assert_int_equal(safetensors_count(f), 5);
    assert_string_equal(safetensors_metadata(f, "key"), "value");
    assert_null(safetensors_metadata(f, "other"));
    for (int i = 0; i < 5; i++) {
        const struct safetensors_tensor *t = safetensors_expect(
            f, tensors[i].name, tensors[i].dtype, tensors[i].rank, tensors[i].shape, &err);
        assert_non_null(t);
        assert_int_equal(t->len_bytes, tensors[i].len_bytes);
        if (t->len_bytes)
            assert_memory_equal(t->data, tensors[i].data, t->len_bytes);
    }
    assert_int_equal((uintptr_t)safetensors_at(f, 0)->data % 8, 0);
    assert_null(safetensors_at(f, 5));
    assert_null(safetensors_find(f, "d"));

    assert_null(safetensors_expect(f, "a", SAFETENSORS_F32, 1, (int64_t[]){3}, &err));
    assert_non_null(strstr(err.message, "tensor 'a' is not F32 [3]"));
    assert_null(safetensors_expect(f, "a", SAFETENSORS_F64, 1, (int64_t[]){4}, &err));
    assert_non_null(safetensors_expect(f, "a", SAFETENSORS_F64, 1, (int64_t[]){-1}, &err));
    assert_null(safetensors_expect(f, "d", SAFETENSORS_F64, 1, (int64_t[]){4}, &err));
    assert_non_null(strstr(err.message, "tensor 'd' is missing"));
    safetensors_close(f);

    const struct safetensors_tensor wrong = {"w", SAFETENSORS_F32, 1, {3}, a, 8};
    assert_int_equal(safetensors_write(temp_path, &wrong, 1, NULL, &err), STATUS_INTERNAL);
    assert_int_equal(safetensors_write("/nonexistent/x", tensors, 5, NULL, &err), STATUS_IO);
}

/* A valid file cut at every length, and with every byte of its header changed, either reads or is
 * refused: never more than that (the sanitizers watch). */
static void test_damage(void **state)
{
    (void)state;
    const char *header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    size_t len = strlen(header);
    struct safetensors *f;
    struct error err;
    for (size_t cut = 0; cut < 8 + len + 8; cut++) {
        write_raw(len, header, len, 8);
        assert_int_equal(truncate(temp_path, (off_t)cut), 0);
        assert_int_equal(safetensors_open(temp_path, &f, &err), STATUS_INPUT);
    }
    char damaged[128];
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            memcpy(damaged, header, len);
            damaged[i] = (char)(damaged[i] ^ 1 << bit);
            write_raw(len, damaged, len, 8);
            if (safetensors_open(temp_path, &f, &err) == STATUS_OK)
                safetensors_close(f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, temp_file_make, temp_file_remove);
}
