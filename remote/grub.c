#include "remote/grub.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ID_MAX 120

/* The identifier at the end of a line like
 *   menuentry 'Ubuntu, with Linux 5.15' --class ubuntu $menuentry_id_option 'gnulinux-5.15-...' {
 */
static bool identifier(const char *line, size_t len, char *out, size_t size)
{
    static const char key[] = "$menuentry_id_option '";
    const char *at = memmem(line, len, key, sizeof key - 1);
    if (!at)
        return false;
    at += sizeof key - 1;
    size_t n = 0, left = len - (size_t)(at - line);
    while (n < left && n + 1 < size &&
           memchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+~-", at[n], 67))
        n++;
    if (n == 0 || n == left || at[n] != '\'')
        return false;
    memcpy(out, at, n);
    out[n] = '\0';
    return true;
}

static bool begins(const char *line, size_t len, const char *word)
{
    size_t n = strlen(word);
    return len > n && memcmp(line, word, n) == 0 && (line[n] == ' ' || line[n] == '\t');
}

/* Is this the identifier of the release's ordinary entry? */
static bool is_entry_of(const char *id, const char *release)
{
    size_t n = strlen(release);
    return strncmp(id, "gnulinux-", 9) == 0 && strncmp(id + 9, release, n) == 0 &&
           strncmp(id + 9 + n, "-advanced-", 10) == 0;
}

enum status grub_find_entry(const char *text, size_t len, const char *release, char *out,
                            size_t size, struct error *err)
{
    char submenu[ID_MAX] = "", id[ID_MAX];
    int depth = 0, submenu_depth = 0;
    if (len > GRUB_CFG_MAX)
        return error_set(err, STATUS_NOMEM, "grub", "a grub.cfg of more than %u MiB",
                         GRUB_CFG_MAX >> 20);
    while (len) {
        const char *nl = memchr(text, '\n', len), *line = text;
        size_t n = nl ? (size_t)(nl - text) : len, whole = n + (nl != NULL);
        text += whole;
        len -= whole;
        while (n && (*line == ' ' || *line == '\t'))
            line++, n--;
        bool is_open = n && line[n - 1] == '{';
        if (begins(line, n, "submenu") && is_open) {
            if (!identifier(line, n, submenu, sizeof submenu))
                submenu[0] = '\0';
            submenu_depth = depth + 1;
        } else if (begins(line, n, "menuentry") && identifier(line, n, id, sizeof id) &&
                   is_entry_of(id, release)) {
            int k = snprintf(out, size, "%s%s%s", submenu, submenu[0] ? ">" : "", id);
            if (k > 0 && (size_t)k < size)
                return STATUS_OK;
        }
        if (is_open) {
            depth++;
        } else if (n == 1 && line[0] == '}') {
            if (depth == submenu_depth)
                submenu[0] = '\0';
            depth--;
        }
    }
    error_set(err, STATUS_HOST, "grub", "grub.cfg has no entry for the kernel %.100s", release);
    return err ? error_hint(err, "run update-grub on the host and look into /boot/grub/grub.cfg")
               : STATUS_HOST;
}
