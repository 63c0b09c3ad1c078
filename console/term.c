#define NCURSES_WIDECHAR 1
#include "console/term.h"
#include "core/buf.h"
#include "core/run.h" /* before <term.h>, which takes common names for macros */

#include <errno.h>
#include <fcntl.h>
#include <ncurses.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

static struct {
    volatile sig_atomic_t is_open;
    int tty;       /* a file description of our own: O_NONBLOCK on the shell's would outlive us */
    int screen_fd; /* where curses draws: the standard output we were given */
    int saved[3];  /* what 1 and 2 were; -1: not redirected */
    int stray[3];  /* where to read what is written to 1 and 2 */
    FILE *in, *out;
    SCREEN *screen;
    struct termios modes;
    char reset[256]; /* what leaves the alternate screen; made beforehand for the crash handler */
    size_t reset_len;
    bool has_exit_hook, has_mouse;
} term = {.tty = -1, .screen_fd = -1, .saved = {-1, -1, -1}, .stray = {-1, -1, -1}};

/* xterm's modes: presses, and coordinates as text. */
#define MOUSE_OFF "\033[?1006l\033[?1000l"
static const char paste_on[] = "\033[?2004h", paste_off[] = "\033[?2004l";

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT};
#define NCRASHES (sizeof crashes / sizeof crashes[0])
static struct sigaction before_crash[NCRASHES];
static char crash_stack[65536];

static void say(int fd, const char *text)
{
    ssize_t ignored = write(fd, text, strlen(text));

    (void)ignored;
}

/* Only async-signal-safe calls (signal-safety(7)): endwin() is not one. */
static void on_crash(int signum)
{
    ssize_t ignored;

    if (term.is_open) {
        term.is_open = 0;
        if (term.has_mouse)
            say(term.screen_fd, MOUSE_OFF);
        ignored = write(term.screen_fd, term.reset, term.reset_len);
        (void)ignored;
        tcsetattr(term.tty, TCSANOW, &term.modes);
        for (int fd = 1; fd <= 2; fd++)
            if (term.saved[fd] >= 0)
                dup2(term.saved[fd], fd);
        if (*run_unfinished()) {
            say(STDERR_FILENO, "ccalab: crashed; what the run has recorded is in ");
            say(STDERR_FILENO, run_unfinished());
            say(STDERR_FILENO, "\n");
        }
    }
    for (size_t i = 0; i < NCRASHES; i++)
        if (crashes[i] == signum)
            sigaction(signum, &before_crash[i], NULL);
    raise(signum);
}

static void watch_crashes(void)
{
    stack_t stack = {.ss_sp = crash_stack, .ss_size = sizeof crash_stack};
    struct sigaction sa = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK};

    sigaltstack(&stack, NULL); /* a stack overflow has no other */
    sigfillset(&sa.sa_mask);
    for (size_t i = 0; i < NCRASHES; i++)
        sigaction(crashes[i], &sa, &before_crash[i]);
}

static void unwatch_crashes(void)
{
    for (size_t i = 0; i < NCRASHES; i++)
        sigaction(crashes[i], &before_crash[i], NULL);
}

static void write_all(const char *text)
{
    ssize_t ignored = write(term.screen_fd, text, strlen(text));

    (void)ignored; /* a terminal that is gone is noticed where keys are read */
}

/* Append a terminfo string without its padding ("$<5>"). */
static void add_reset(const char *capability)
{
    const char *s = tigetstr(capability);

    if (!s || s == (char *)-1)
        return;
    while (*s && term.reset_len < sizeof term.reset) {
        if (s[0] == '$' && s[1] == '<' && strchr(s, '>'))
            s = strchr(s, '>') + 1;
        else
            term.reset[term.reset_len++] = *s++;
    }
}

static enum status refuse(struct error *err, const char *why)
{
    error_set(err, STATUS_USAGE, "console", "%s", why);
    return error_hint(err, "without a terminal: ccalab --run FILE.lua");
}

static enum status redirect(int fd, struct error *err)
{
    int ends[2];

    term.saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    /* Non-blocking at both ends: a library that writes a lot loses text, but cannot block the
     * thread that is to read it. */
    if (term.saved[fd] < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK))
        return error_sys(err, STATUS_IO, errno, "console", "cannot redirect descriptor %d", fd);
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    term.stray[fd] = ends[0];
    dup2(ends[1], fd);
    close(ends[1]);
    return STATUS_OK;
}

enum status term_open(struct error *err)
{
    const char *name = getenv("TERM");
    TERMINAL *probe;
    enum status st;
    int r;

    if (!isatty(STDOUT_FILENO))
        return refuse(err, "standard output is no terminal");
    if (!name || !*name || !strcmp(name, "dumb"))
        return refuse(err, "TERM says that this terminal cannot be drawn on");
    if (setupterm(NULL, STDOUT_FILENO, &r) != OK)
        return refuse(err, "TERM names a terminal that terminfo does not know");
    if (!tigetstr("cup") || tigetstr("cup") == (char *)-1)
        return refuse(err, "this terminal cannot place its cursor");

    term.tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (term.tty < 0)
        return refuse(err, "there is no controlling terminal");
    if (tcgetattr(term.tty, &term.modes))
        goto io;
    term.reset_len = 0;
    for (const char *s = paste_off; *s; s++)
        term.reset[term.reset_len++] = *s;
    add_reset("sgr0");
    add_reset("rmkx");
    add_reset("cnorm");
    add_reset("rmcup");
    probe = cur_term;

    term.screen_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (term.screen_fd < 0)
        goto io;
    term.in = fdopen(fcntl(term.tty, F_DUPFD_CLOEXEC, 3), "r");
    term.out = fdopen(fcntl(term.screen_fd, F_DUPFD_CLOEXEC, 3), "w");
    if (!term.in || !term.out)
        goto io;
    term.screen = newterm(NULL, term.out, term.in);
    if (!term.screen) {
        term_close();
        return refuse(err, "curses cannot use this terminal");
    }
    if (probe != cur_term)
        del_curterm(probe);
    term.is_open = 1;
    if (!term.has_exit_hook)
        term.has_exit_hook = !atexit(term_close);
    fflush(stdout);
    setvbuf(stdout, NULL, _IOLBF, 0); /* curses has its own stream */
    st = redirect(STDOUT_FILENO, err);
    if (st == STATUS_OK && isatty(STDERR_FILENO))
        st = redirect(STDERR_FILENO, err);
    if (st != STATUS_OK) {
        term_close();
        return st;
    }
    watch_crashes();
    cbreak(); /* Ctrl-C stays a signal: it must reach a script that keeps the loop busy */
    noecho();
    nonl();
    curs_set(0);
    set_escdelay(25);
    define_key("\033[200~", TERM_KEY_PASTE);
    define_key("\033[201~", TERM_KEY_PASTE_END);
    write_all(paste_on);
    return STATUS_OK;
io:
    st = error_sys(err, STATUS_IO, errno, "console", "cannot open the terminal");
    term_close();
    return st;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void term_close(void)
{
    if (term.is_open) {
        unwatch_crashes();
        write_all(paste_off);
        endwin();
        tcsetattr(term.tty, TCSADRAIN, &term.modes);
        term.is_open = 0;
        fflush(stdout); /* into the pipe: it was not meant for the screen */
    }
    for (int fd = 1; fd <= 2; fd++) {
        if (term.saved[fd] >= 0)
            dup2(term.saved[fd], fd);
        close_fd(&term.saved[fd]);
        close_fd(&term.stray[fd]);
    }
    if (term.screen)
        delscreen(term.screen);
    term.screen = NULL;
    if (term.in)
        fclose(term.in);
    if (term.out)
        fclose(term.out);
    term.in = term.out = NULL;
    close_fd(&term.screen_fd);
    close_fd(&term.tty);
}

int term_input_fd(void)
{
    return term.tty;
}

int term_stray_fd(int fd)
{
    return term.stray[fd];
}

bool term_mouse(bool is_on)
{
    mousemask(is_on ? BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0, NULL);
    mouseinterval(0); /* a press is a click: nothing waits for a second one */
    term.has_mouse = is_on && has_mouse();
    return !is_on || term.has_mouse;
}

static void add_base64(struct buf *b, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)(unsigned char)text[i] << 16;
        char four[4];

        bits |= i + 1 < len ? (uint32_t)(unsigned char)text[i + 1] << 8 : 0;
        bits |= i + 2 < len ? (unsigned char)text[i + 2] : 0;
        for (int k = 0; k < 4; k++)
            four[k] = i + (size_t)k > len ? '=' : digits[bits >> (18 - 6 * k) & 63];
        buf_append(b, four, sizeof four);
    }
}

bool term_copy(const char *text)
{
    const char *name = getenv("TERM"), *tmux = getenv("TMUX");
    struct buf b;
    bool is_sent;

    if (!name || !strcmp(name, "linux")) /* the console of the kernel has no clipboard */
        return false;
    buf_init(&b, 64u << 10);
    /* tmux hands it on where it may (set-clipboard); wrapped, it may go past it. */
    buf_puts(&b, "\033]52;c;");
    add_base64(&b, text);
    buf_puts(&b, "\a");
    if (tmux && *tmux) {
        buf_puts(&b, "\033Ptmux;\033\033]52;c;");
        add_base64(&b, text);
        buf_puts(&b, "\a\033\\");
    }
    is_sent = !b.is_failed && write(term.screen_fd, b.data, b.len) == (ssize_t)b.len;
    buf_done(&b);
    return is_sent;
}

void term_suspend(void)
{
    write_all(paste_off);
    endwin();
    tcsetattr(term.tty, TCSADRAIN, &term.modes);
}

void term_resume(void)
{
    reset_prog_mode();
    write_all(paste_on);
    term_resize();
    clearok(curscr, TRUE);
}

void term_resize(void)
{
    struct winsize ws;

    if (!ioctl(term.screen_fd, TIOCGWINSZ, &ws) && ws.ws_row > 0 && ws.ws_col > 0)
        resizeterm(ws.ws_row, ws.ws_col);
}
