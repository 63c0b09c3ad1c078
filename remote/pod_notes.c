#include "remote/pod_notes.h"

#include <dirent.h>
#include <string.h>

#include "core/json.h"
#include "core/paths.h"

#define NOTES_MAX 200
#define NOTE_MAX  65536

static void add(struct pod_sum *sum, const cJSON *note, double now_s)
{
    double cost = json_num(note, "cost_per_h", -1), began = json_num(note, "began", now_s);
    double before = json_num(note, "spent_usd", 0);

    if (!json_bool(note, "is_running", false) || !(cost >= 0) || !(before >= 0))
        return;
    sum->running++;
    sum->usd_per_h += cost;
    sum->spent_usd += before + (now_s > began ? (now_s - began) / 3600 * cost : 0);
}

struct pod_sum pod_notes_sum(double now_s)
{
    struct pod_sum sum = {0};
    char state[CCALAB_PATH_MAX], dir[CCALAB_PATH_MAX], path[CCALAB_PATH_MAX];
    const struct dirent *e;
    DIR *d;

    if (!paths_state(state, sizeof state) || !path_join(dir, sizeof dir, state, "pods"))
        return sum;
    d = opendir(dir);
    for (int i = 0; d && i < NOTES_MAX && (e = readdir(d));) {
        const char *dot = strrchr(e->d_name, '.');
        cJSON *note;

        if (!dot || strcmp(dot, ".json") != 0 || !path_join(path, sizeof path, dir, e->d_name))
            continue;
        note = json_read_file(path, NOTE_MAX, NULL);
        add(&sum, note, now_s);
        cJSON_Delete(note);
        i++;
    }
    if (d)
        closedir(d);
    return sum;
}
