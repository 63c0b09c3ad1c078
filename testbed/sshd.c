#include "testbed/sshd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/event.h"
#include "core/paths.h"
#include "core/spawn.h"
#include "testbed/lab.h"

#define KEYGEN_TIMEOUT_MS 10000
#define TEXT_MAX          65536

enum status sshd_check(struct error *err)
{
    static const struct {
        const char *command, *package;
    } needed[] = {{"sshd", "openssh-server"}, {"ssh-keygen", "openssh-client"}};
    if (!paths_is_root()) {
        error_set(err, STATUS_UNAVAILABLE, "testbed",
                  "--sshd needs root: an OpenSSH server changes users");
        return err ? error_hint(err, "ccalab testbed shell HOST works without; or use sudo")
                   : STATUS_UNAVAILABLE;
    }
    for (int i = 0; i < 2; i++) {
        if (paths_which(needed[i].command, NULL, 0))
            continue;
        error_set(err, STATUS_UNAVAILABLE, "testbed", "--sshd: the command %s was not found",
                  needed[i].command);
        return err ? error_hint(err, "install the package %s", needed[i].package)
                   : STATUS_UNAVAILABLE;
    }
    return STATUS_OK;
}

static enum status make_key(const char *path, const char *comment, struct error *err)
{
    const char *const argv[] = {"ssh-keygen", "-q",    "-t", "ed25519", "-N", "",
                                "-C",         comment, "-f", path,      NULL};
    return spawn_run(argv, NULL, NULL, NULL, KEYGEN_TIMEOUT_MS, err);
}

static enum status write_text(const char *dir, const char *name, struct buf *b, struct error *err)
{
    char path[CCALAB_PATH_MAX];
    if (!path_join(path, sizeof path, dir, name) || b->is_failed)
        return error_set(err, STATUS_NOMEM, "testbed", "%s/%s is too long", dir, name);
    return file_write_atomic(path, b->data, b->len, err);
}

/* No PAM and no DNS: nothing of this machine's own set-up is asked. Only the lab's key opens. */
static enum status write_server(const char *dir, struct error *err)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_printf(&b,
               "HostKey %s/host_key\n"
               "AuthorizedKeysFile %s/user_key.pub\n"
               "PidFile none\n"
               "StrictModes no\n"
               "UsePAM no\n"
               "UseDNS no\n"
               "PermitRootLogin prohibit-password\n"
               "PasswordAuthentication no\n"
               "KbdInteractiveAuthentication no\n"
               "PrintMotd no\n"
               "Subsystem sftp internal-sftp\n",
               dir, dir);
    enum status st = write_text(dir, "sshd_config", &b, err);
    buf_done(&b);
    return st;
}

/* The name as it is, and with dashes: libssh takes no underscore. */
static void put_host(struct buf *b, const char *before, const char *name, const char *between)
{
    buf_printf(b, "%s%s", before, name);
    if (!strchr(name, '_'))
        return;
    buf_puts(b, between);
    for (const char *c = name; *c; c++)
        buf_append(b, *c == '_' ? "-" : c, 1);
}

static enum status write_client(const char *lab, const struct topology *t, const char *dir,
                                struct error *err)
{
    char self[CCALAB_PATH_MAX];
    struct buf b;
    if (!paths_self(self, sizeof self))
        return error_set(err, STATUS_INTERNAL, "testbed", "cannot find this program's own path");
    buf_init(&b, TEXT_MAX);
    for (int i = 0; i < topology_nodes(t); i++) {
        put_host(&b, "Host ", topology_node(t, i).name, " ");
        buf_printf(&b, "\n  ProxyCommand \"%s\" testbed dial --name %s %s %%p\n", self, lab,
                   topology_node(t, i).name);
    }
    buf_printf(&b,
               "Host *\n"
               "  User root\n"
               "  IdentityFile %s/user_key\n"
               "  IdentitiesOnly yes\n"
               "  UserKnownHostsFile %s/known_hosts\n"
               "  StrictHostKeyChecking yes\n",
               dir, dir);
    enum status st = write_text(dir, "config", &b, err);
    buf_done(&b);
    return st;
}

static enum status write_known_hosts(const char *dir, const struct topology *t, struct error *err)
{
    char path[CCALAB_PATH_MAX];
    struct buf key, b;
    if (!path_join(path, sizeof path, dir, "host_key.pub"))
        return error_set(err, STATUS_NOMEM, "testbed", "%s is too long", dir);
    enum status st = buf_read_file(&key, path, 4096, err);
    if (st == STATUS_OK) {
        buf_init(&b, TEXT_MAX);
        for (int i = 0; i < topology_nodes(t); i++)
            put_host(&b, i ? "," : "", topology_node(t, i).name, ",");
        buf_printf(&b, " %s", key.data);
        st = write_text(dir, "known_hosts", &b, err);
        buf_done(&b);
    }
    buf_done(&key);
    return st;
}

enum status sshd_prepare(const char *lab, const struct topology *t, struct error *err)
{
    char dir[LAB_PATH_MAX], key[LAB_PATH_MAX];
    lab_path(lab, "ssh", dir, sizeof dir);
    enum status st = path_mkdirs(dir, err);
    if (st == STATUS_OK)
        st = path_mkdirs("/run/sshd", err); /* sshd's empty directory; it refuses to run without */
    if (st == STATUS_OK && chmod(dir, 0700) != 0)
        st = error_sys(err, STATUS_IO, errno, "testbed", "cannot protect %s", dir);
    lab_path(lab, "ssh/host_key", key, sizeof key);
    if (st == STATUS_OK)
        st = make_key(key, "ccalab-host", err);
    lab_path(lab, "ssh/user_key", key, sizeof key);
    if (st == STATUS_OK)
        st = make_key(key, "ccalab-user", err);
    if (st == STATUS_OK)
        st = write_server(dir, err);
    if (st == STATUS_OK)
        st = write_client(lab, t, dir, err);
    if (st == STATUS_OK)
        st = write_known_hosts(dir, t, err);
    return st;
}

static void on_output(void *user, int fd, const char *data, size_t len)
{
    struct sshd *s = user;
    (void)fd;
    while (len && (data[len - 1] == '\n' || data[len - 1] == '\r'))
        len--;
    if (len == 0)
        return;
    size_t keep = len < sizeof s->last_line ? len : sizeof s->last_line - 1;
    memcpy(s->last_line, data + len - keep, keep);
    s->last_line[keep] = '\0';
    s->is_listening |= strstr(s->last_line, "Server listening") != NULL;
}

static void on_exit(void *user, int wait_status)
{
    struct sshd *s = user;
    (void)wait_status;
    s->child = NULL;
}

enum status sshd_start(struct sshd *s, uv_loop_t *loop, const char *lab,
                       const struct topology_node *n, struct error *err)
{
    char self[CCALAB_PATH_MAX], sshd[CCALAB_PATH_MAX], config[LAB_PATH_MAX];
    char bin[LAB_PATH_MAX], path[LAB_PATH_MAX + 256];
    *s = (struct sshd){0};
    /* By its whole path: it starts itself again for every connection. */
    if (!paths_self(self, sizeof self) || !paths_which("sshd", sshd, sizeof sshd))
        return error_set(err, STATUS_UNAVAILABLE, "testbed", "sshd is not where it was");
    lab_path(lab, "ssh/sshd_config", config, sizeof config);
    lab_path(lab, "bin:", bin, sizeof bin);
    snprintf(path, sizeof path,
             "SetEnv=PATH=%s/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "
             "CCALAB_LAB=%s CCALAB_HOST=%s",
             n->role == TOPOLOGY_ROUTER ? bin : "", lab, n->name);
    const char *const argv[] = {
        self, "testbed", "shell", "--name", lab,    n->name, "--",
        sshd, "-D",      "-e",    "-f",     config, "-o",    "ListenAddress=0.0.0.0:22",
        "-o", path,      NULL};
    struct spawn_opts opts = {.argv = argv};
    struct child_callbacks cb = {on_output, on_exit};
    return child_start(loop, &opts, &cb, s, &s->child, err);
}
