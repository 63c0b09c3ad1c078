/* The corpus of tests/capture/corpus, made packet by packet, and random connections for tshark to
 * judge. The same bytes every time.
 *
 * usage: corpus_make DIRECTORY             all files of the corpus
 *        corpus_make DIRECTORY SEEDS       and the first frames of each as seeds of fuzz_dissect
 *        corpus_make SEED FRAMES FILE      a capture of random TCP behaviour */
#include <stdlib.h>

#include "corpus.h"

int main(int argc, char **argv)
{
    static void (*const makers[])(const char *dir) = {
        make_accecn, make_handshakes, make_tunnels, make_quoted, make_extensions, make_wlan,
        make_llc,    make_options,    make_lies,    make_loops,  make_cut};

    if (argc == 4) {
        make_random(argv[3], strtoull(argv[1], NULL, 10), (unsigned)strtoul(argv[2], NULL, 10));
        return 0;
    }
    if (argc != 2 && argc != 3) {
        fputs("usage: corpus_make DIRECTORY [SEEDS] | SEED FRAMES FILE\n", stderr);
        return 2;
    }
    if (argc == 3)
        out_set_seeds(argv[2]);
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
        makers[i](argv[1]);
    return 0;
}
