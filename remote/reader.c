#include "remote/reader.h"

#include <string.h>

#include "remote/iperf3_reader.h"
#include "remote/ss_reader.h"

struct reader *reader_new(const struct reader_opts *opts)
{
    if (strcmp(opts->kind, "ss") == 0)
        return ss_reader_new(opts);
    if (strcmp(opts->kind, "iperf3") == 0)
        return iperf3_reader_new(opts);
    return NULL;
}
