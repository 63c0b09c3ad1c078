/* The command line of `netllm adapt`. Thread: one, as getopt_long(3) has one state. */
#ifndef CCALAB_MODEL_ADAPT_OPTIONS_H
#define CCALAB_MODEL_ADAPT_OPTIONS_H

#include <signal.h>

#include "core/paths.h"
#include "model/dataset.h"
#include "model/train.h"

#define ADAPT_NOT_GIVEN (-1) /* gamma, scale and horizon that follow from the pool's recipe */

/* Texts are those of argv, which must outlive it. */
struct adapt_options {
    struct train_opts train;
    struct dataset_opts data;
    const char *config_path, *plm_path, *plm_type, *plm_size, *logs_dir;
    char plm_dir[CCALAB_PATH_MAX]; /* of --plm-type and --plm-size */
    bool has_random_init, is_ce, is_dry;
    int threads, bins;
    bool wants_help;
};

/* What holds without options. */
struct adapt_options adapt_options_default(const volatile sig_atomic_t *stop);
/* The options of argv on top of what is in `a`; what is without effect is said by a log event.
 * --help is printed, and sets wants_help. Errors: STATUS_USAGE, with what is wrong and a hint. */
CCALAB_MUST_USE enum status adapt_options_parse(int argc, char *argv[], struct adapt_options *a,
                                                struct error *err);

#endif
