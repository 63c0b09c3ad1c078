/* A client of the SSH File Transfer Protocol, version 3 (draft-ietf-secsh-filexfer-02), over a
 * stream descriptor: single calls that wait for their answer, and below them requests by number, of
 * which any amount may be under way.
 * Thread: any one. Shutting the descriptor down elsewhere ends a call with STATUS_HOST. */
#ifndef CCALAB_REMOTE_SFTP_H
#define CCALAB_REMOTE_SFTP_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

#define SFTP_HANDLE_MAX 256 /* by the protocol */

struct sftp;

struct sftp_attrs {
    bool is_dir, is_file;
    uint64_t size;
    unsigned mode; /* permission bits */
    uint32_t mtime_s;
};

struct sftp_handle {
    unsigned char bytes[SFTP_HANDLE_MAX];
    uint32_t len;
};

/* --- calls ------------------------------------------------------------------------------------ */

/* Greet. `host` is what messages call it (borrowed for good). The descriptor stays the caller's.
 * Errors of all: STATUS_HOST (the server's own words), STATUS_NOMEM. */
CCALAB_MUST_USE enum status sftp_open(int fd, const char *host, struct sftp **out,
                                      struct error *err);
void sftp_close(struct sftp *s);
/* Has the channel been closed? */
bool sftp_is_lost(const struct sftp *s);
/* Follows links. *is_there is false, without an error, if there is no such file. */
CCALAB_MUST_USE enum status sftp_stat(struct sftp *s, const char *path, struct sftp_attrs *out,
                                      bool *is_there, struct error *err);
/* Bytes that a user may still write on the file system of `path`; UINT64_MAX if the server cannot
 * tell (statvfs@openssh.com). */
uint64_t sftp_free_bytes(struct sftp *s, const char *path);
/* Each entry of a directory but "." and "..", unsorted; names that are no file names are left out.
 * `fn` returns false to stop. */
CCALAB_MUST_USE enum status sftp_list(struct sftp *s, const char *path,
                                      bool (*fn)(void *user, const char *name,
                                                 const struct sftp_attrs *a),
                                      void *user, struct error *err);
/* Wait until all that was asked has been answered, whatever the answers are. */
CCALAB_MUST_USE enum status sftp_flush(struct sftp *s, struct error *err);
/* A whole small file, written anew. */
CCALAB_MUST_USE enum status sftp_store(struct sftp *s, const char *path, const void *data,
                                       size_t len, struct error *err);

/* --- requests under way ----------------------------------------------------------------------- */

enum sftp_change {
    SFTP_MKDIR,  /* `mode` counts */
    SFTP_REMOVE, /* a file */
    SFTP_RMDIR,
    SFTP_CHMOD,  /* `mode` counts */
    SFTP_RENAME, /* to `to`: replaces it at once where the server can (posix-rename@openssh.com) */
};

/* Each queues a request under the caller's number, which is no other's under way. 0: the answer
 * does not matter, and is passed over by whoever takes it. */
void sftp_ask_open(struct sftp *s, uint32_t id, const char *path);
/* Create it if need be, with that mode; is_new: emptied first. */
void sftp_ask_create(struct sftp *s, uint32_t id, const char *path, unsigned mode, bool is_new);
void sftp_ask_close(struct sftp *s, uint32_t id, const struct sftp_handle *h);
void sftp_ask_read(struct sftp *s, uint32_t id, const struct sftp_handle *h, uint64_t offset,
                   uint32_t len);
/* Where to put at most `max` bytes that shall go to `offset`, then sftp_ask_write_end() with how
 * many there are; 0: forget it. NULL: no memory. Nothing else may be asked in between. */
char *sftp_ask_write(struct sftp *s, uint32_t id, const struct sftp_handle *h, uint64_t offset,
                     uint32_t max);
void sftp_ask_write_end(struct sftp *s, uint32_t len);
void sftp_ask_attrs(struct sftp *s, uint32_t id, const struct sftp_handle *h);
void sftp_ask_set_attrs(struct sftp *s, uint32_t id, const struct sftp_handle *h, unsigned mode,
                        uint32_t mtime_s);
void sftp_ask_change(struct sftp *s, uint32_t id, enum sftp_change what, const char *path,
                     const char *to, unsigned mode);

/* Bytes that one read may ask for and one write may carry. */
uint32_t sftp_read_max(const struct sftp *s);
uint32_t sftp_write_max(const struct sftp *s);
/* Is little enough waiting to be sent that more bytes of a file should be asked for? */
bool sftp_has_room(const struct sftp *s);
/* Send what can be sent and take in what is there; where there is nothing to do wait for that or
 * for `others` (at most 3), at most timeout_ms. */
CCALAB_MUST_USE enum status sftp_turn(struct sftp *s, const struct pollfd *others, int nothers,
                                      int timeout_ms, struct error *err);

enum sftp_answer_kind { SFTP_STATUS, SFTP_HANDLE, SFTP_DATA, SFTP_ATTRS, SFTP_OTHER };
enum { SFTP_OK = 0, SFTP_EOF = 1, SFTP_NO_SUCH_FILE = 2, SFTP_DENIED = 3, SFTP_FAILURE = 4 };

struct sftp_answer {
    uint32_t id;
    enum sftp_answer_kind kind;
    uint32_t code;     /* STATUS */
    const char *bytes; /* STATUS: the server's words; HANDLE, DATA; until the next sftp_turn() */
    uint32_t len;
    struct sftp_attrs attrs; /* ATTRS */
};

/* Take the next answer that is there; *has is false if none is. */
CCALAB_MUST_USE enum status sftp_take(struct sftp *s, struct sftp_answer *a, bool *has,
                                      struct error *err);
/* "cannot WHAT PATH on HOST: the server's words"; the answer need not be a status. */
enum status sftp_refused(struct sftp *s, const struct sftp_answer *a, const char *what,
                         const char *path, struct error *err);

#endif
