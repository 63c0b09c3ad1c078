/* The testbed's commands without the console around them: `testbed-cli testbed up ...`. */
#include <stdio.h>
#include <string.h>

#include "testbed/testbed.h"

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "testbed") != 0) {
        fprintf(stderr, "usage: testbed-cli testbed ...\n");
        return 2;
    }
    return testbed_main(argc - 1, argv + 1);
}
