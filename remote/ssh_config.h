/* What libssh's parser of ssh_config(5) leaves out, for the blocks that apply to one host. */
#ifndef CCALAB_REMOTE_SSH_CONFIG_H
#define CCALAB_REMOTE_SSH_CONFIG_H

#include <stdbool.h>

#include "core/buf.h"

struct ssh_config_facts {
    bool has_identities_only, is_identities_only; /* the first value counts */
    unsigned nfiles;                              /* read so far; more than 64 are not */
    struct buf ignored; /* "ControlMaster, SendEnv": without effect here */
};

void ssh_config_facts_init(struct ssh_config_facts *f);
void ssh_config_facts_done(struct ssh_config_facts *f);
/* Read a file (one that cannot be read counts as empty) with its Includes, relative ones below
 * `dir`. A Match block counts as one that applies. */
void ssh_config_scan(struct ssh_config_facts *f, const char *path, const char *dir,
                     const char *host);

#endif
