/* The journal of changes to a host: written and on disk before the change is made, so that whatever
 * happens to the console the host can be put back (`ccalab restore`).
 *
 * One file a host in $XDG_STATE_HOME/ccalab/journal, JSON Lines:
 *   {"journal":1,"key":"<boot id>-<namespace>","host":{...},"pid":4711,"t":...}   who, and how to
 * reach it
 *   {"id":1,"t":...,"pid":4711,"what":"sysctl","target":"net.ipv4.tcp_ecn","before":...,"undo":[...]}
 *   {"undone":1}
 * A line is complete or, after a power cut, the last and ignored: its change was not made. The
 * console that changes a host holds a lock on its file (flock(2)), which ends with that console.
 * The file goes when all is undone. Thread: any, a journal by one. */
#ifndef CCALAB_REMOTE_JOURNAL_H
#define CCALAB_REMOTE_JOURNAL_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "core/error.h"

struct journal;

enum journal_mode {
    JOURNAL_CHANGE, /* to change the host; refused where a console left changes that nobody wanted
                       kept */
    JOURNAL_RESTORE /* to put it back */
};

/* Open (and lock) the journal of the host `key` (letters, digits, '-'), creating it for
 * JOURNAL_CHANGE. `host` (may be NULL for JOURNAL_RESTORE) says how to reach the host, without
 * secrets; borrowed. Errors: STATUS_HOST with a hint (another console is changing this host;
 * changes are left from one that ended), STATUS_IO, STATUS_INPUT. */
CCALAB_MUST_USE enum status journal_open(const char *key, enum journal_mode mode, const cJSON *host,
                                         struct journal **out, struct error *err);
/* Close; the file is removed if nothing is left to undo. NULL is fine. */
void journal_close(struct journal *j);
/* Add an entry: it is on disk when this returns. Takes `entry` (an object with what, target,
 * before, undo, perhaps keep), and gives it an id. */
CCALAB_MUST_USE enum status journal_add(struct journal *j, cJSON *entry, int *id,
                                        struct error *err);
/* The entry has been undone. */
CCALAB_MUST_USE enum status journal_done(struct journal *j, int id, struct error *err);
/* What is left to undo, oldest first, each with its id. Borrowed, until the next call on `j`. */
const cJSON *journal_pending(const struct journal *j);
/* All journals: an array for cJSON_Delete() of {"key","host","pid","is_held","pending":[...]};
 * is_held: its console lives. What cannot be read is {"key","error"}. */
CCALAB_MUST_USE enum status journal_list(cJSON **out, struct error *err);

#endif
