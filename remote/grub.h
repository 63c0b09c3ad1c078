/* GRUB's menu, to start a certain kernel once: https://www.gnu.org/software/grub/manual, grub.cfg
 * as grub-mkconfig(8) writes it. */
#ifndef CCALAB_REMOTE_GRUB_H
#define CCALAB_REMOTE_GRUB_H

#include <stddef.h>

#include "core/error.h"

#define GRUB_CFG_MAX   (4u << 20)
#define GRUB_ENTRY_MAX 256

/* The entry of the kernel `release` in the text of a grub.cfg, as grub-reboot(8) takes it: the
 * identifiers of submenu and entry, "gnulinux-advanced-UUID>gnulinux-RELEASE-advanced-UUID", or the
 * entry's alone if it stands in no submenu. Recovery entries do not count. The text is a host's:
 * bounded, and an identifier holds nothing but letters, digits and "._+~-".
 * Errors: STATUS_HOST with a hint: no such entry; STATUS_NOMEM over GRUB_CFG_MAX. */
CCALAB_MUST_USE enum status grub_find_entry(const char *text, size_t len, const char *release,
                                            char *out, size_t size, struct error *err);

#endif
