/* `ccalab ecn` and `ccalab capture` without the rest of ccalab. */
#include <stdio.h>
#include <string.h>

#include "capture/capture.h"

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "ecn") == 0)
        return ecn_main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "capture") == 0)
        return capture_main(argc - 1, argv + 1);
    fprintf(stderr, "usage: capture-cli ecn|capture ...\n");
    return 2;
}
