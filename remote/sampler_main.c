/* `ccalab-sampler`: the commands tcp-info and probe alone, in one static program without other
 * libraries, so that it can be sent to any Linux host of this kind of machine. */
#include <stdio.h>
#include <string.h>

#include "remote/probe.h"
#include "remote/tcp_info.h"

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "tcp-info") == 0)
        return tcp_info_main(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "probe") == 0)
        return probe_main(argc - 1, argv + 1);
    fputs("usage: ccalab-sampler tcp-info|probe --help\n", stderr);
    return 2;
}
