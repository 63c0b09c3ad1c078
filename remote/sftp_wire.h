/* The packets of SFTP: packing, unpacking, and the stream that they travel on. Only for sftp.c. */
#ifndef CCALAB_REMOTE_SFTP_WIRE_H
#define CCALAB_REMOTE_SFTP_WIRE_H

#include <stddef.h>

#include "remote/sftp.h"

enum {
    FXP_INIT = 1,
    FXP_VERSION = 2,
    FXP_OPEN = 3,
    FXP_CLOSE = 4,
    FXP_READ = 5,
    FXP_WRITE = 6,
    FXP_FSTAT = 8,
    FXP_SETSTAT = 9,
    FXP_FSETSTAT = 10,
    FXP_OPENDIR = 11,
    FXP_READDIR = 12,
    FXP_REMOVE = 13,
    FXP_MKDIR = 14,
    FXP_RMDIR = 15,
    FXP_STAT = 17,
    FXP_RENAME = 18,
    FXP_STATUS = 101,
    FXP_HANDLE = 102,
    FXP_DATA = 103,
    FXP_NAME = 104,
    FXP_ATTRS = 105,
    FXP_EXTENDED = 200,
    FXP_EXTENDED_REPLY = 201
};
enum { OPEN_READ = 1, OPEN_WRITE = 2, OPEN_CREATE = 8, OPEN_TRUNC = 16 };
enum { ATTR_SIZE = 1, ATTR_OWNER = 2, ATTR_MODE = 4, ATTR_TIMES = 8, ATTR_EXTENDED = 0x80000000u };

/* Bytes from `at` to `end` count. */
struct sftp_queue {
    char *data;
    size_t at, end, cap;
};

struct sftp {
    int fd;
    const char *host;
    bool has_posix_rename, has_statvfs, has_limits, is_out_of_memory, is_lost;
    uint32_t read_max, write_max;
    struct sftp_queue in, out;
    size_t packet; /* of the request being packed: its place in `out` */
    /* The packet being read: within `in`. */
    const unsigned char *p, *p_end;
    bool is_cut_off; /* read past its end */
};

/* False: out of memory. */
bool wire_open(struct sftp *s);
void wire_close(struct sftp *s);

/* A request: begin, its fields, end. A lack of memory is told by the next sftp_turn(). */
void wire_begin(struct sftp *s, int type, uint32_t id);
void wire_end(struct sftp *s);
void wire_put(struct sftp *s, const void *data, size_t len);
void wire_put_u32(struct sftp *s, uint32_t v);
void wire_put_u64(struct sftp *s, uint64_t v);
void wire_put_bytes(struct sftp *s, const void *data, size_t len);
void wire_put_str(struct sftp *s, const char *text);
/* Room for `len` bytes at out.end; false: out of memory. */
bool wire_reserve(struct sftp *s, size_t len);
void wire_pack_u32(void *to, uint32_t v);

/* Go to the next whole packet; *type is 0 if there is none. */
enum status wire_next(struct sftp *s, int *type, struct error *err);
/* Its fields; past its end they are 0 and "", and is_cut_off is set. */
uint32_t wire_u32(struct sftp *s);
uint64_t wire_u64(struct sftp *s);
const char *wire_bytes(struct sftp *s, uint32_t *len);
struct sftp_attrs wire_attrs(struct sftp *s);

#endif
