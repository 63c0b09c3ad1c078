#include "model/bins.h"

#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Labels of the training rows into `out` (may be NULL); how many. */
static size_t training_labels(const struct dataset *d, float *out)
{
    size_t n = 0;
    for (size_t e = 0; e < d->pool->episode_count; e++) {
        size_t begin, end;
        dataset_part(d, e, DATASET_TRAIN, &begin, &end);
        for (size_t row = begin; row < end; row++, n++)
            if (out)
                out[n] = d->labels[row];
    }
    return n;
}

/* Bins of the sorted labels: each takes its share of what is left, to the end of a value. */
static void divide(const float *labels, size_t n, int count, struct policy_bins *out)
{
    out->count = 0;
    for (size_t begin = 0, end; begin < n; begin = end) {
        size_t share = (n - begin) / (size_t)(count - out->count);
        double sum = 0;
        for (end = begin; end < n && (end - begin < share || end == begin ||
                                      out->count == count - 1 || labels[end] <= labels[end - 1]);
             end++)
            sum += (double)labels[end];
        out->value[out->count++] = (float)(sum / (double)(end - begin));
    }
}

enum status bins_fit(const struct dataset *d, int count, struct policy_bins *out, struct error *err)
{
    enum status st = STATUS_OK;
    size_t n = training_labels(d, NULL);
    float *labels = malloc((n + 1) * sizeof *labels);
    if (!labels)
        return error_set(err, STATUS_NOMEM, "adapt", "no memory for %zu labels", n);
    training_labels(d, labels);
    qsort(labels, n, sizeof *labels, by_value);
    divide(labels, n, count, out);
    if (out->count < 2) {
        error_set(err, STATUS_INPUT, "adapt",
                  "--loss ce: the actions of the training rows fall into one bin");
        st = error_hint(err, "use --loss mse, or more --bins");
    }
    free(labels);
    return st;
}

int bins_of(const struct policy_bins *b, float label)
{
    int best = 0;
    while (best + 1 < b->count && label - b->value[best] > b->value[best + 1] - label)
        best++;
    return best;
}

void bins_shares(const struct policy_bins *b, const struct dataset *d,
                 double shares[POLICY_BINS_MAX])
{
    size_t n = 0;
    for (int i = 0; i < b->count; i++)
        shares[i] = 0;
    for (size_t e = 0; e < d->pool->episode_count; e++) {
        size_t begin, end;
        dataset_part(d, e, DATASET_TRAIN, &begin, &end);
        for (size_t row = begin; row < end; row++, n++)
            shares[bins_of(b, d->labels[row])] += 1;
    }
    for (int i = 0; i < b->count; i++)
        shares[i] /= (double)n;
}
