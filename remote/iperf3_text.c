#include "remote/iperf3_text.h"

#include <string.h>

#include "core/json.h"

/* Documents, and damaged lines, looked at in one text: iperf3 prints one, or two when it fails
 * badly. What follows them is passed over. */
#define DOCUMENTS_MAX 8

static void note_error(struct iperf3_text *t, const char *text, size_t len)
{
    if (t->error[0] == '\0' && len > 0) {
        len = len < sizeof(t->error) ? len : sizeof(t->error) - 1;
        memcpy(t->error, text, len);
        t->error[len] = '\0';
    }
}

/* A line like "iperf3: error - unable to connect to server: Connection refused". */
static void read_line(struct iperf3_text *t, const char *line, size_t len)
{
    static const char mark[] = "iperf3: ";
    if (len > sizeof(mark) - 1 && memcmp(line, mark, sizeof(mark) - 1) == 0) {
        note_error(t, line + sizeof(mark) - 1, len - (sizeof(mark) - 1));
    }
}

/* {"event": NAME, "data": ...}: a line of --json-stream (iperf_api.c, JSONStream_Output()). What is
 * taken is detached from `line`. */
static void take_stream_event(struct iperf3_text *t, cJSON *line)
{
    const char *name = json_str(line, "event", "");
    cJSON *data = cJSON_DetachItemFromObjectCaseSensitive(line, "data");
    if (strcmp(name, "error") == 0) {
        const char *error = cJSON_IsString(data) ? data->valuestring : "";
        note_error(t, error, strlen(error));
    } else if (strcmp(name, "start") == 0 && cJSON_IsObject(data)) {
        cJSON_Delete(t->root);
        t->root = cJSON_CreateObject();
        t->is_stream = true;
        if (cJSON_AddItemToObject(t->root, "start", data)) {
            data = NULL;
        }
        cJSON_AddArrayToObject(t->root, "intervals");
    } else if (t->is_stream && strcmp(name, "interval") == 0) {
        cJSON *intervals = cJSON_GetObjectItemCaseSensitive(t->root, "intervals");
        if (cJSON_IsObject(data) && cJSON_AddItemToArray(intervals, data)) {
            data = NULL;
        }
    } else if (t->is_stream && strcmp(name, "end") == 0 && cJSON_IsObject(data) &&
               !json_get(t->root, "end") && cJSON_AddItemToObject(t->root, "end", data)) {
        data = NULL;
    }
    cJSON_Delete(data);
}

static void take_document(struct iperf3_text *t, cJSON *root)
{
    const char *error = json_str(root, "error", "");
    note_error(t, error, strlen(error));
    cJSON_Delete(t->root);
    t->root = root;
    t->is_stream = false;
}

/* A document begins with '{' at the start of a line. iperf3 indents everything inside, so that the
 * inner objects of a document that is cut off are not taken for one. */
void iperf3_text_read(const char *text, size_t len, struct iperf3_text *t)
{
    const char *end = text + len;
    int documents = 0;
    *t = (struct iperf3_text){0};
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *next = newline ? newline + 1 : end;
        if (*text == '{' && documents < DOCUMENTS_MAX) {
            const char *stop = NULL;
            cJSON *root = cJSON_ParseWithLengthOpts(text, (size_t)(end - text), &stop, false);
            t->is_cut = !root;
            t->cut_at = len - (size_t)(end - (stop ? stop : text));
            if (root && cJSON_IsString(json_get(root, "event"))) {
                take_stream_event(t, root);
                cJSON_Delete(root);
                next = stop;
            } else {
                documents++;
                if (root) {
                    take_document(t, root);
                    next = stop;
                }
            }
        } else {
            read_line(t, text, (size_t)((newline ? newline : end) - text));
        }
        text = next;
    }
}

void iperf3_text_done(struct iperf3_text *t)
{
    cJSON_Delete(t->root);
    t->root = NULL;
}
