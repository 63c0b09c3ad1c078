/* TCP Prague for the lab: the kernel's own where it exists, else BPF Prague, else a refusal that
 * says what to do. */
#ifndef CCALAB_TESTBED_PRAGUE_H
#define CCALAB_TESTBED_PRAGUE_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "core/error.h"

enum prague_source { PRAGUE_SOURCE_NONE, PRAGUE_SOURCE_KERNEL, PRAGUE_SOURCE_BPF };

struct prague {
    enum prague_source source;
    struct error refusal; /* why there is none, if source is NONE */
    bool is_borrowed;     /* registered by another lab's keeper; gone when that one ends */
    int link_fd;          /* BPF link of our own registration; -1 if none */
};

/* Find TCP Prague or register BPF Prague. Always fills *p; having none is no failure, the lab is
 * useful without it. Registration is machine-wide (tcp_available_congestion_control of every
 * namespace), and lasts as long as link_fd is open: the kernel takes it back when this process
 * ends, however it ends. */
void prague_start(struct prague *p);
/* Take the registration back. Sockets that use it live on until they close. */
void prague_stop(struct prague *p);
/* {"cc","label","source"} and, where they apply, "note" or "reason" and "hint". `cc` (the name for
 * TCP_CONGESTION) and the others are null if there is none. Caller deletes. */
cJSON *prague_json(const struct prague *p);

/* Is `name` among the words of tcp_available_congestion_control? */
bool prague_is_available(const char *name);
/* Was this program built with BPF Prague? */
bool prague_is_built(void);

#endif
