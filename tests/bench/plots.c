/* Plots on a terminal: what a frame of many series costs, and what ten million samples do. A
 * measurement, not a test: run it alone, by plots.sh.
 *
 * usage: plots_bench [SERIES [FRAMES]] */
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "console/panel_plot.h"
#include "core/clock.h"
#include "core/plot_page.h"

#define ROWS    50
#define COLUMNS 200
#define FPS     30
#define RATE    1000 /* samples a second of each series */

static size_t written; /* bytes to the terminal */

static int compare(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The terminal: whatever comes is read at once. */
static void *sink(void *arg)
{
    char text[65536];
    ssize_t n;
    while ((n = read(*(int *)arg, text, sizeof text)) > 0)
        written += (size_t)n;
    return NULL;
}

static FILE *open_terminal(int *master, pthread_t *thread)
{
    struct winsize size = {.ws_row = ROWS, .ws_col = COLUMNS};
    *master = posix_openpt(O_RDWR | O_NOCTTY);
    if (*master < 0 || grantpt(*master) || unlockpt(*master) || ioctl(*master, TIOCSWINSZ, &size))
        return NULL;
    FILE *slave = fopen(ptsname(*master), "r+");
    return slave && !pthread_create(thread, NULL, sink, master) ? slave : NULL;
}

/* A sawtooth with noise and a spike now and then, as a congestion window is. */
static double value(size_t series, size_t i)
{
    static unsigned seed = 1;
    double saw = (double)((i + series * 311) % 4000) / 4000;
    return (10 + (double)series + 20 * saw + rand_r(&seed) % 100 / 50.0) * 1e6 *
           (i % 7777 == 0 ? 2 : 1);
}

static void bench_frames(size_t nseries, int frames)
{
    struct series_set set;
    struct panel_plot panel;
    struct series *s[64];
    double *ms = calloc((size_t)frames, sizeof *ms), cpu = 0;
    size_t at = 0, before;

    series_set_init(&set, nseries);
    for (size_t k = 0; k < nseries; k++) {
        char name[64];
        snprintf(name, sizeof name, "flow_%02zu/throughput_bps", k);
        s[k] = series_set_get(&set, name);
    }
    panel_plot_init(&panel, PANEL_PLOT_THROUGHPUT, &set);
    panel.base.win = newwin(ROWS - 2, COLUMNS, 1, 0);
    for (; at < 60 * RATE; at++)
        for (size_t k = 0; k < nseries; k++)
            series_append(s[k], (double)at / RATE, value(k, at));
    before = written;
    for (int f = 0; f < frames; f++) {
        for (size_t end = at + RATE / FPS; at < end; at++)
            for (size_t k = 0; k < nseries; k++)
                series_append(s[k], (double)at / RATE, value(k, at));
        uint64_t start = clock_mono_ns();
        double cpu_start = cpu_ms();
        werase(panel.base.win);
        panel.base.ops->draw(&panel.base);
        wnoutrefresh(panel.base.win);
        doupdate();
        cpu += cpu_ms() - cpu_start;
        ms[f] = (double)(clock_mono_ns() - start) / 1e6;
    }
    qsort(ms, (size_t)frames, sizeof *ms, compare);
    usleep(100000); /* the sink reads on */
    fprintf(stderr,
            "%2zu series, %d each in view   frame median %.2f ms, 99 %% %.2f, worst %.2f; "
            "%.1f %% of a core at %d frames/s; %.1f kB a frame\n",
            nseries, 60 * RATE, ms[frames / 2], ms[frames * 99 / 100], ms[frames - 1],
            cpu / frames * FPS / 10, FPS, (double)(written - before) / frames / 1e3);
    panel_plot_done(&panel);
    delwin(panel.base.win);
    series_set_done(&set);
    free(ms);
}

static long rss_kib(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%*s %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void bench_memory(void)
{
    const size_t n = 10000000, peak = 7654321;
    struct series s = {0};
    struct series_col cols[1000];
    struct rusage usage;
    long before = rss_kib();
    uint64_t start = clock_mono_ns();

    for (size_t i = 0; i < n; i++)
        series_append(&s, (double)i / RATE, i == peak ? 1e9 : value(0, i));
    double append_ns = (double)(clock_mono_ns() - start) / (double)n;
    start = clock_mono_ns();
    int lost = 0;
    for (size_t width = 1; width <= 1000; width++) {
        series_columns(&s, 0, (double)n / RATE, width, cols);
        lost += cols[peak * width / n].max != 1e9f;
    }
    double query_us = (double)(clock_mono_ns() - start) / 1e3 / 1000;
    getrusage(RUSAGE_SELF, &usage);
    fprintf(
        stderr,
        "10 million samples           %.0f MB resident (limit 200), at most %.0f in all; append "
        "%.0f ns; a plot of 1 to 1000 columns %.0f us; the peak lost in %d of 1000\n",
        (double)(rss_kib() - before) * 1024 / 1e6, (double)usage.ru_maxrss * 1024 / 1e6, append_ns,
        query_us, lost);

    struct plot_line line = {"x", &s, 1};
    struct plot p = {.title = "t", .lines = &line, .nlines = 1};
    struct buf out;
    buf_init(&out, 64u << 20);
    start = clock_mono_ns();
    plot_svg(&p, 860, 320, &out);
    fprintf(stderr, "the same as SVG              %.1f ms, %zu kB\n",
            (double)(clock_mono_ns() - start) / 1e6, out.len / 1000);
    buf_done(&out);
    series_done(&s);
}

int main(int argc, char **argv)
{
    int nseries = argc > 1 ? atoi(argv[1]) : 20, frames = argc > 2 ? atoi(argv[2]) : 300, master;
    pthread_t thread;
    FILE *terminal = open_terminal(&master, &thread);

    if (nseries < 1 || nseries > PANEL_PLOT_LINES || frames < 100 || !terminal ||
        !setlocale(LC_CTYPE, "C.UTF-8") || !newterm("xterm-256color", terminal, terminal)) {
        fputs("usage: plots_bench [SERIES [FRAMES]], in UTF-8\n", stderr);
        return 2;
    }
    theme_init(OPTIONS_PLOT_AUTO);
    resizeterm(ROWS, COLUMNS);
    bench_frames((size_t)nseries, frames);
    bench_frames(2, frames);
    endwin();
    bench_memory();
    return 0;
}
