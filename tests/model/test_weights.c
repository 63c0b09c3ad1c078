/* Folders of weights: what is read, converted, and refused with file and field named. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "core/buf.h"
#include "core/paths.h"
#include "model/torch_zip.h"
#include "model/weights.h"

static char dir[] = "/tmp/test_weights.XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[CCALAB_PATH_MAX];
    assert_true(path_join(path, sizeof path, dir, name));
    return path;
}

static void put(const char *name, const char *text)
{
    assert_int_equal(file_write_atomic(in_dir(name), text, strlen(text), NULL), STATUS_OK);
}

static void put_tensor(const char *file, const char *name, enum safetensors_dtype dtype,
                       const void *data, size_t bytes)
{
    const struct safetensors_tensor t = {
        .name = name, .dtype = dtype, .rank = 2, .shape = {2, 2}, .data = data, .len_bytes = bytes};
    assert_int_equal(safetensors_write(in_dir(file), &t, 1, NULL, NULL), STATUS_OK);
}

static void expect(enum status st, enum status want, const struct error *err, const char *what,
                   const char *why)
{
    assert_int_equal(st, want);
    if (!strstr(err->message, what) || !strstr(err->message, why))
        fail_msg("'%s' does not say '%s' and '%s'", err->message, what, why);
}

/* Open the folder, ask for a tensor of 2 x 2. */
static enum status ask(const char *name, enum safetensors_dtype want, void *out, struct error *err)
{
    struct weights *w;
    const int64_t shape[] = {2, 2};
    enum status st = weights_open(dir, &w, err);
    if (!st)
        st = weights_read(w, name, 2, shape, want, out, err);
    weights_close(w);
    return st;
}

static void test_files_and_types(void **state)
{
    (void)state;
    float out[4];
    uint16_t narrow[4];
    struct error err;
    const float plain[] = {1, -2.5f, 1e-30f, 3};
    /* 1, -2.5, the smallest subnormal, the largest number. */
    const uint16_t half[] = {0x3c00, 0xc100, 0x0001, 0x7bff};
    const uint16_t brain[] = {0x3f80, 0xc020, 0x0001, 0x7f7f};

    expect(ask("a", SAFETENSORS_F32, out, &err), STATUS_IO, &err, dir, "holds no weights");
    put_tensor("model.safetensors", "model.a", SAFETENSORS_F32, plain, sizeof plain);
    assert_int_equal(ask("model.a", SAFETENSORS_F32, out, &err), STATUS_OK);
    assert_memory_equal(out, plain, sizeof out);
    assert_int_equal(ask("model.a", SAFETENSORS_BF16, narrow, &err), STATUS_OK);
    assert_int_equal(narrow[0], 0x3f80);
    assert_int_equal(narrow[1], 0xc020);
    put_tensor("model.safetensors", "a", SAFETENSORS_F16, half, sizeof half); /* no prefix */
    assert_int_equal(ask("model.a", SAFETENSORS_F32, out, &err), STATUS_OK);
    assert_true(out[0] == 1 && out[1] == -2.5f && out[2] == 0x1p-24f && out[3] == 65504);
    put_tensor("model.safetensors", "a", SAFETENSORS_BF16, brain, sizeof brain);
    assert_int_equal(ask("model.a", SAFETENSORS_F32, out, &err), STATUS_OK);
    assert_true(out[0] == 1 && out[1] == -2.5f && out[2] == 0x1p-133f && out[3] > 3e38f);
    assert_int_equal(ask("model.a", SAFETENSORS_BF16, narrow, &err), STATUS_OK);
    assert_memory_equal(narrow, brain, sizeof narrow);
    unlink(in_dir("model.safetensors"));
}

static void test_refused(void **state)
{
    (void)state;
    float out[4], values[] = {1, 2, 3, NAN};
    const int64_t longs[4] = {0};
    struct error err;
    struct weights *w;
    put_tensor("model.safetensors", "model.a", SAFETENSORS_F32, values, sizeof values);
    expect(ask("model.a", SAFETENSORS_F32, out, &err), STATUS_INPUT, &err, "model.a", "not finite");
    expect(ask("model.b", SAFETENSORS_F32, out, &err), STATUS_INPUT, &err, "model.b", "missing");
    assert_int_equal(weights_open(dir, &w, &err), STATUS_OK);
    expect(weights_read(w, "model.a", 2, (const int64_t[]){4, 1}, SAFETENSORS_F32, out, &err),
           STATUS_INPUT, &err, "model.safetensors", "'model.a' has another shape");
    expect(weights_read(w, "model.a", 1, (const int64_t[]){4}, SAFETENSORS_F32, out, &err),
           STATUS_INPUT, &err, "model.safetensors", "'model.a' has another shape");
    weights_close(w);
    put_tensor("model.safetensors", "model.a", SAFETENSORS_I64, longs, sizeof longs);
    expect(ask("model.a", SAFETENSORS_F32, out, &err), STATUS_INPUT, &err, "model.safetensors",
           "'model.a' is I64");
    put_tensor("model.safetensors", "model.a", SAFETENSORS_F32, values, sizeof values);
    struct stat sb;
    assert_int_equal(stat(in_dir("model.safetensors"), &sb), 0);
    assert_int_equal(truncate(in_dir("model.safetensors"), sb.st_size - 1), 0);
    expect(ask("model.a", SAFETENSORS_F32, out, &err), STATUS_INPUT, &err, "model.safetensors",
           "beyond the end of the file");
    unlink(in_dir("model.safetensors"));
}

static void test_shards(void **state)
{
    (void)state;
    float out[4];
    const float values[] = {1, 2, 3, 4};
    struct error err;
    const char *index = "model.safetensors.index.json";
    put(index, "{\"weight_map\":{\"model.a\":\"1.safetensors\",\"model.b\":\"2.safetensors\","
               "\"model.c\":\"1.safetensors\"}}");
    put_tensor("1.safetensors", "model.a", SAFETENSORS_F32, values, sizeof values);
    expect(ask("model.a", SAFETENSORS_F32, out, &err), STATUS_IO, &err, "2.safetensors", "open");
    put_tensor("2.safetensors", "model.b", SAFETENSORS_F32, values, sizeof values);
    assert_int_equal(ask("model.b", SAFETENSORS_F32, out, &err), STATUS_OK);
    assert_memory_equal(out, values, sizeof out);
    put_tensor("2.safetensors", "model.a", SAFETENSORS_F32, values, sizeof values);
    expect(ask("model.b", SAFETENSORS_F32, out, &err), STATUS_INPUT, &err, "model.a", "twice");
    put(index, "{\"weight_map\":{\"model.a\":\"../1.safetensors\"}}");
    expect(ask("model.a", SAFETENSORS_F32, out, &err), STATUS_INPUT, &err, index, "'model.a'");
    put(index, "{}");
    expect(ask("model.a", SAFETENSORS_F32, out, &err), STATUS_INPUT, &err, index, "weight_map");
    unlink(in_dir(index));
    unlink(in_dir("1.safetensors"));
    unlink(in_dir("2.safetensors"));
}

/* --- torch.save() ----------------------------------------------------------------------------- */

static void add_le(struct buf *b, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++, v >>= 8)
        buf_append(b, &(uint8_t){(uint8_t)v}, 1);
}

/* A zip of stored files, as far as a reader looks. */
static void add_member(struct buf *zip, struct buf *directory, const char *name, const void *data,
                       size_t len, int method)
{
    uint64_t at = zip->len;
    add_le(zip, 0x04034b50, 4);
    add_le(zip, 0, 22);
    add_le(zip, strlen(name), 2);
    add_le(zip, 0, 2);
    buf_append(zip, name, strlen(name));
    buf_append(zip, data, len);
    add_le(directory, 0x02014b50, 4);
    add_le(directory, 0, 6);
    add_le(directory, (uint64_t)method, 2);
    add_le(directory, 0, 8);
    add_le(directory, len, 4);
    add_le(directory, len, 4);
    add_le(directory, strlen(name), 2);
    add_le(directory, 0, 12);
    add_le(directory, at, 4);
    buf_append(directory, name, strlen(name));
}

/* {"model.a": a tensor of 2 x 2} with a storage of four floats; `stride` and `global` vary. */
static enum status parse_zip(const char *global, char stride, int method, size_t cut, float out[4],
                             struct error *err)
{
    struct buf pickle, zip, directory;
    const float values[] = {1, 2, 3, 4};
    buf_init(&pickle, 4096);
    buf_init(&zip, 4096);
    buf_init(&directory, 4096);
    buf_printf(&pickle, "ccollections\nOrderedDict\n)R(X%c%c%c%cmodel.a", 7, 0, 0, 0);
    buf_printf(&pickle, "c%s\n((X%c%c%c%cstorage", global, 7, 0, 0, 0);
    buf_printf(&pickle, "ctorch\nFloatStorage\nX%c%c%c%c0X%c%c%c%ccpuK%ct", 1, 0, 0, 0, 3, 0, 0, 0,
               4);
    buf_printf(&pickle, "QK%cK%cK%c\x86K%cK%c\x86\x89", 0, 2, 2, stride, 1);
    buf_printf(&pickle, "ccollections\nOrderedDict\n)RtRu.");
    add_member(&zip, &directory, "archive/data.pkl", pickle.data, pickle.len, method);
    add_member(&zip, &directory, "archive/data/0", values, sizeof values, 0);
    uint64_t at = zip.len;
    buf_append(&zip, directory.data, directory.len);
    add_le(&zip, 0x06054b50, 4);
    add_le(&zip, 0, 6);
    add_le(&zip, 2, 2);
    add_le(&zip, directory.len, 4);
    add_le(&zip, at, 4);
    add_le(&zip, 0, 2);
    struct torch_zip *z;
    enum status st = torch_zip_parse(zip.data, zip.len - cut, "x.bin", &z, err);
    if (!st) {
        const struct safetensors_tensor *t = torch_zip_at(z, 0);
        assert_int_equal(torch_zip_count(z), 1);
        assert_string_equal(t->name, "model.a");
        assert_int_equal(t->dtype, SAFETENSORS_F32);
        assert_true(t->rank == 2 && t->shape[0] == 2 && t->shape[1] == 2);
        memcpy(out, t->data, sizeof values);
    }
    torch_zip_close(z);
    buf_done(&pickle);
    buf_done(&zip);
    buf_done(&directory);
    return st;
}

static void test_torch_zip(void **state)
{
    (void)state;
    static const char rebuild[] = "torch._utils\n_rebuild_tensor_v2";
    float out[4];
    struct error err;
    if (parse_zip(rebuild, 2, 0, 0, out, &err))
        fail_msg("%s", err.message);
    assert_true(out[0] == 1 && out[3] == 4);
    expect(parse_zip("os\nsystem", 2, 0, 0, out, &err), STATUS_INPUT, &err, "x.bin", "os");
    expect(parse_zip(rebuild, 1, 0, 0, out, &err), STATUS_INPUT, &err, "model.a", "contiguous");
    expect(parse_zip(rebuild, 2, 8, 0, out, &err), STATUS_INPUT, &err, "x.bin", "compressed");
    for (size_t cut = 1; cut < 300; cut++)
        expect(parse_zip(rebuild, 2, 0, cut, out, &err), STATUS_INPUT, &err, "x.bin", "truncated");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_and_types),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_torch_zip),
    };
    if (!mkdtemp(dir))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    return failed;
}
