/* The lab file: which machine plays which part, written down once (docs/labfile.md).
 *
 * It is a Lua file of assignments, run in a state of its own with nothing in it but the
 * constructors ssh{}, netns{} and localhost{}: no libraries, 16 MiB, a million instructions. */
#ifndef CCALAB_LUA_LABFILE_H
#define CCALAB_LUA_LABFILE_H

#include <cjson/cJSON.h>

#include "core/error.h"

/* Read, run and check a lab file. *lab is for cJSON_Delete():
 *   {"path":"/home/s/lab.lua","hosts":[{"name":"client_x","kind":"ssh","host":...},...],
 *    "link":{"rate":"50mbit","rate_bps":50000000,"rtt":"20ms","rtt_us":20000,"aqm":...}}
 * hosts in the order client_x, client_y, router, server; kind is "ssh", "netns" or "local"; paths
 * absolute, ~ and what is relative (to the lab file) resolved; an ssh has "host" always, a netns
 * "netns", a path for
 * setns(2). `link` is absent where the file has none.
 *
 * *mistakes (for cJSON_Delete(), NULL if there are none) is a list of strings in the order of their
 * lines, "lab.lua:7: client_y: unknown field 'usr', did you mean 'user'?"; with any, *lab is NULL
 * and the result STATUS_INPUT. Errors besides: STATUS_IO, STATUS_NOMEM. */
CCALAB_MUST_USE enum status labfile_load(const char *path, cJSON **lab, cJSON **mistakes,
                                         struct error *err);
/* The same of a text; `path` is absolute, and only for names and what is relative to it. */
CCALAB_MUST_USE enum status labfile_parse(const char *path, const char *text, size_t len,
                                          cJSON **lab, cJSON **mistakes, struct error *err);

#endif
