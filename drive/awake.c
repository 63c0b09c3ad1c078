#include "drive/awake.h"

#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

/* Microseconds: the kernel's "no matter how long", as of an open request without a value. */
#define ANY_LATENCY_US 2000000000

void awake_open(struct awake *a)
{
    *a = (struct awake){.fd = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC)};
}

bool awake_is_open(const struct awake *a)
{
    return a->fd >= 0;
}

void awake_hold(struct awake *a, bool is_held)
{
    int32_t latency_us = is_held ? 0 : ANY_LATENCY_US;

    if (a->fd < 0 || a->is_held == is_held)
        return;
    a->is_held = write(a->fd, &latency_us, sizeof latency_us) == sizeof latency_us && is_held;
}

void awake_close(struct awake *a)
{
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
}
