/* Python pickles as data: a reader that builds values and executes nothing.
 *
 * A pickle is a program for a small stack machine (Python's Lib/pickletools.py describes each
 * opcode); loading it with Python runs whatever it names. Here a name that is not on the caller's
 * list is an error, and one that is becomes an inert value: the name, the arguments it was to be
 * called with, and the state it was to be given. Memory stays linear in the size of the input:
 * there is no opcode here that copies a value. Thread: any. */
#ifndef CCALAB_MODEL_PICKLE_H
#define CCALAB_MODEL_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_LONG, /* an integer that needs more than 64 bits: `bytes`, little-endian */
    PICKLE_FLOAT,
    PICKLE_BYTES,
    PICKLE_TEXT,       /* `bytes`, UTF-8 as it came, not NUL-terminated */
    PICKLE_TUPLE,      /* `items` */
    PICKLE_LIST,       /* `items` */
    PICKLE_DICT,       /* `items`: key, value, key, value... in the order they came */
    PICKLE_GLOBAL,     /* `global`: one of the caller's names */
    PICKLE_OBJECT,     /* `object`: a call of a global that was not made */
    PICKLE_PERSISTENT, /* `persistent`: an id that the pickle's own container would resolve */
};

/* A list or dict may contain itself: whoever walks values bounds the walk. */
struct pickle_value {
    enum pickle_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct {
            const uint8_t *data; /* in the caller's input */
            size_t len;
        } bytes;
        struct {
            struct pickle_value **at;
            size_t count, cap;
        } items;
        const char *global;
        struct {
            const char *global;
            struct pickle_value *args;    /* a tuple */
            struct pickle_value *state;   /* of BUILD, or NULL */
            struct pickle_value *entries; /* a dict of what it was to hold, or NULL */
        } object;
        struct pickle_value *persistent;
    };
};

struct pickle;

/* Read one pickle from the front of `data`, which is borrowed for as long as *out lives. `globals`
 * lists the names that may occur, each "module name", NULL at the end. *used (may be NULL) is where
 * the pickle ended. *out is for pickle_free().
 * Errors: STATUS_INPUT naming `what`, the opcode and its offset; STATUS_NOMEM. */
CCALAB_MUST_USE enum status pickle_read(const void *data, size_t len, const char *const globals[],
                                        const char *what, struct pickle **out, size_t *used,
                                        struct error *err);
/* NULL is allowed. */
void pickle_free(struct pickle *p);
/* What the pickle left on its stack; valid until pickle_free(). */
const struct pickle_value *pickle_root(const struct pickle *p);

/* --- asking values; NULL and wrong kinds are answered, not feared ------------------------------
 */

bool pickle_is_text(const struct pickle_value *v, const char *text);
/* Is it a call of this global with `nargs` arguments (-1: any number)? */
bool pickle_is_call(const struct pickle_value *v, const char *global, int nargs);
/* Item of a tuple or list, argument of a call; NULL if there is none. */
const struct pickle_value *pickle_item(const struct pickle_value *v, size_t index);
/* The value of a text key of a dict (the last, as in Python); NULL if absent. */
const struct pickle_value *pickle_get(const struct pickle_value *dict, const char *key);
bool pickle_is_int(const struct pickle_value *v, int64_t integer);

#endif
