/* The packet screen on a large file, without a terminal: how long it takes to the first page, to
 * the end of the index, to any packet, to the next mark, through a filter; and the memory. A
 * measurement, not a test: run it alone, by packet_screen.sh.
 *
 * usage: packet_screen_bench FILE [FILTER] */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "console/screen_packets.h"
#include "core/clock.h"

#define JUMPS 200

static struct screen_packets screen;

static double ms_since(uint64_t start_ns)
{
    return (double)(clock_mono_ns() - start_ns) / 1e6;
}

static int compare(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void print(const char *what, double *ms, int n)
{
    qsort(ms, (size_t)n, sizeof *ms, compare);
    printf("%-28s median %6.1f ms, 99 %% %6.1f, worst %6.1f (%d rounds)\n", what, ms[n / 2],
           ms[n * 99 / 100], ms[n - 1], n);
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void type(const char *keys)
{
    for (; *keys; keys++)
        screen_packets_key(&screen, false, (wint_t)*keys);
}

/* Until a page with its packet is drawn. */
static void draw_page(void)
{
    while (screen_packets_look(&screen) || !screen.shown || screen.anchor)
        if (!screen.state.packets)
            nap();
    screen_packets_draw(&screen);
}

int main(int argc, char **argv)
{
    FILE *null = fopen("/dev/null", "r+");
    struct screen_packets_opts opts = {.path = argv[1]};
    const char *filter = argc > 2 ? argv[2] : "ip.dsfield.ecn == 3 and tcp.stream == 7";
    double ms[JUMPS];
    struct rusage usage;
    struct error err;
    uint64_t start;
    char keys[300];

    if (argc < 2 || !null || !setlocale(LC_CTYPE, "C.UTF-8") || !newterm("xterm", null, null)) {
        fputs("usage: packet_screen_bench FILE [FILTER]\n", stderr);
        return 2;
    }
    theme_init(OPTIONS_PLOT_AUTO);
    resizeterm(50, 200);
    start = clock_mono_ns();
    if (screen_packets_open(&screen, &opts, &err) != STATUS_OK) {
        error_print(stderr, &err);
        return 1;
    }
    draw_page();
    printf("first page                   %.1f ms\n", ms_since(start));
    while (!screen.state.is_done) {
        screen_packets_look(&screen);
        nap();
    }
    printf("index                        %.0f ms, %llu packets\n", ms_since(start),
           (unsigned long long)screen.state.packets);
    srandom(1);
    for (int i = 0; i < JUMPS; i++) {
        snprintf(keys, sizeof keys, "g%llu\r",
                 1 + (unsigned long long)random() % (unsigned long long)screen.state.packets);
        start = clock_mono_ns();
        type(keys);
        draw_page();
        ms[i] = ms_since(start);
    }
    print("jump to any packet", ms, JUMPS);
    for (int i = 0; i < JUMPS; i++) {
        start = clock_mono_ns();
        screen_packets_key(&screen, true, KEY_PPAGE);
        draw_page();
        ms[i] = ms_since(start);
    }
    print("page up", ms, JUMPS);
    for (int i = 0; i < JUMPS; i++) {
        start = clock_mono_ns();
        type("c");
        draw_page();
        ms[i] = ms_since(start);
    }
    print("next CE", ms, JUMPS);
    snprintf(keys, sizeof keys, "/%s\r", filter);
    start = clock_mono_ns();
    type(keys);
    while (screen_packets_look(&screen) || !screen.scan_state.is_done)
        nap();
    printf("filter '%s': %.0f ms, %llu pass\n", filter, ms_since(start),
           (unsigned long long)screen.scan_state.hits);
    getrusage(RUSAGE_SELF, &usage);
    printf("memory                       %llu MiB in copies, %ld MiB at most in all\n",
           (unsigned long long)screen.state.bytes >> 20, usage.ru_maxrss >> 10);
    screen_packets_close(&screen);
    return 0;
}
