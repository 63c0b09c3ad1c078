/* Who is the host (known_hosts), and who are we (agent, keys, then what a person types). */
#include <stdlib.h>
#include <string.h>

#include <libssh/callbacks.h>

#include "core/clock.h"
#include "remote/ssh_internal.h"

#define KNOWN_HOSTS_MAX (8u << 20)
#define SECRET_MAX      512
#define ATTEMPTS        3

/* --- the host's key --------------------------------------------------------------------------- */

static void fingerprint(ssh_key key, char *out, size_t size)
{
    unsigned char *hash = NULL;
    size_t len = 0;
    char *text = NULL;
    if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &len) == 0)
        text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, len);
    snprintf(out, size, "%s", text ? text : "?");
    ssh_string_free_char(text);
    ssh_clean_pubkey_hash(&hash);
}

/* Fingerprint of the key of this type that `path` knows for the host; "?" if there is none. */
static void known_fingerprint(const char *path, const char *host, enum ssh_keytypes_e type,
                              char *out, size_t size)
{
    struct buf text;
    snprintf(out, size, "?");
    if (buf_read_file(&text, path, KNOWN_HOSTS_MAX, NULL) == STATUS_OK) {
        for (char *line = text.data, *next; line && *line; line = next) {
            struct ssh_knownhosts_entry *e = NULL;
            next = strchr(line, '\n');
            if (next)
                *next++ = '\0';
            if (ssh_known_hosts_parse_line(host, line, &e) != SSH_OK)
                continue;
            if (ssh_key_type(e->publickey) == type || out[0] == '?')
                fingerprint(e->publickey, out, size);
            ssh_knownhosts_entry_free(e);
        }
    }
    buf_done(&text);
}

/* Does a person accept the key of a host that is not known? */
static bool is_accepted(struct ssh_link *l, ssh_key key, const char *fingerprint, const char *who,
                        uint64_t *deadline_ns)
{
    char prompt[600], answer[16] = "";
    uint64_t began = clock_mono_ns();
    snprintf(prompt, sizeof prompt,
             "The host key of %s (%s) is not known: %s %s\n"
             "`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host shows the true one\n"
             "Accept the key of %s (yes/no)? ",
             l->name, who, ssh_key_type_to_char(ssh_key_type(key)), fingerprint, l->name);
    bool is =
        link_ask(l, SSH_QUESTION_KEY, prompt, answer, sizeof answer) && strcmp(answer, "yes") == 0;
    *deadline_ns += clock_mono_ns() - began;
    return is;
}

enum status ssh_check_host_key(struct ssh_link *l, ssh_session s, uint64_t *deadline_ns,
                               struct error *err)
{
    ssh_key key = NULL;
    char now[128], before[128], who[300];
    char *path = NULL, *host = NULL;
    unsigned port = 22;
    enum status st = STATUS_OK;
    if (ssh_get_server_publickey(s, &key) != SSH_OK)
        return error_set(err, STATUS_HOST, "ssh", "%s showed no host key", l->name);
    fingerprint(key, now, sizeof now);
    ssh_options_get_port(s, &port);
    ssh_options_get(s, SSH_OPTIONS_HOST, &host);
    ssh_options_get(s, SSH_OPTIONS_KNOWNHOSTS, &path);
    snprintf(who, sizeof who, port == 22 ? "%s" : "[%s]:%u", host ? host : l->host, port);
    switch (ssh_session_is_known_server(s)) {
    case SSH_KNOWN_HOSTS_OK:
        break;
    case SSH_KNOWN_HOSTS_CHANGED:
    case SSH_KNOWN_HOSTS_OTHER:
        known_fingerprint(path ? path : "", who, ssh_key_type(key), before, sizeof before);
        error_set(err, STATUS_HOST, "ssh",
                  "the host key of %s has CHANGED: known is %s, it shows %s. Somebody may be in "
                  "between, or the host was installed anew",
                  l->name, before, now);
        st = error_hint(err, "only if you know why: ssh-keygen -f %.120s -R '%s'",
                        path ? path : "~/.ssh/known_hosts", who);
        break;
    case SSH_KNOWN_HOSTS_UNKNOWN:
    case SSH_KNOWN_HOSTS_NOT_FOUND:
        if (!l->accept_new && !is_accepted(l, key, now, who, deadline_ns)) {
            error_set(err, STATUS_HOST, "ssh", "the host key of %s is not known: %s %s", l->name,
                      ssh_key_type_to_char(ssh_key_type(key)), now);
            st = error_hint(err,
                            "compare it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` "
                            "on the host, then say accept_new = true, or --accept-new-hosts, once");
        } else if (ssh_session_update_known_hosts(s) != SSH_OK) {
            st = error_set(err, STATUS_IO, "ssh", "cannot write the host key of %s to %s: %s",
                           l->name, path ? path : "known_hosts", ssh_get_error(s));
        } else {
            link_log(l, LOG_LEVEL_INFO, "new host key %s accepted, written to %s", now,
                     path ? path : "known_hosts");
        }
        break;
    case SSH_KNOWN_HOSTS_ERROR:
        st = error_set(err, STATUS_HOST, "ssh", "cannot check the host key of %s: %s", l->name,
                       ssh_get_error(s));
        break;
    }
    ssh_key_free(key);
    ssh_string_free_char(path);
    ssh_string_free_char(host);
    return st;
}

/* --- us --------------------------------------------------------------------------------------- */

struct login {
    struct ssh_link *link;
    ssh_session session;
    uint64_t deadline_ns; /* a person's time at the prompt does not count */
    bool has_locked_key;  /* a passphrase was wanted, and nobody was there */
    struct error *err;
};

static bool ask(struct login *g, const char *prompt, char *out, size_t size)
{
    uint64_t began = clock_mono_ns();
    bool has = link_ask(g->link, SSH_QUESTION_SECRET, prompt, out, size);
    g->deadline_ns += clock_mono_ns() - began;
    return has;
}

static int on_passphrase(const char *prompt, char *out, size_t size, int echo, int verify,
                         void *user)
{
    struct login *g = user;
    char *file = NULL, text[400];
    (void)prompt;
    (void)echo;
    (void)verify;
    if (g->link->identity)
        snprintf(text, sizeof text, "Passphrase of %s: ", g->link->identity);
    else if (ssh_userauth_publickey_auto_get_current_identity(g->session, &file) == SSH_OK)
        snprintf(text, sizeof text, "Passphrase of %s: ", file);
    else
        snprintf(text, sizeof text, "Passphrase of the key for %s: ", g->link->name);
    ssh_string_free_char(file);
    if (ask(g, text, out, size))
        return 0;
    g->has_locked_key = true;
    return -1;
}

/* Repeat CALL until it says more than "again". Evaluates to its answer, SSH_AUTH_ERROR with
 * g->err set when there is no more time. */
#define UNTIL_DONE(g, r, CALL)                                                                     \
    do {                                                                                           \
        (r) = (CALL);                                                                              \
    } while ((r) == SSH_AUTH_AGAIN && (ssh_again((g)->link, (g)->session, (g)->deadline_ns,        \
                                                 "no end of the login", (g)->err) ||               \
                                       ((r) = SSH_AUTH_ERROR, false)))

static int try_identity(struct login *g)
{
    ssh_key key = NULL;
    int r = ssh_pki_import_privkey_file(g->link->identity, NULL, on_passphrase, g, &key);
    if (r != SSH_OK) {
        if (r == SSH_EOF)
            error_set(g->err, STATUS_IO, "ssh", "cannot read the key %s for %s", g->link->identity,
                      g->link->name);
        return SSH_AUTH_DENIED;
    }
    UNTIL_DONE(g, r, ssh_userauth_publickey(g->session, NULL, key));
    ssh_key_free(key);
    return r;
}

static int try_password(struct login *g)
{
    char prompt[300], secret[SECRET_MAX];
    int r = SSH_AUTH_DENIED;
    snprintf(prompt, sizeof prompt, "Password for %s: ", g->link->name);
    for (int i = 0; i < ATTEMPTS && r == SSH_AUTH_DENIED; i++) {
        if (!ask(g, prompt, secret, sizeof secret))
            break;
        UNTIL_DONE(g, r, ssh_userauth_password(g->session, NULL, secret));
        explicit_bzero(secret, sizeof secret);
    }
    return r;
}

static int try_questions(struct login *g)
{
    int r;
    UNTIL_DONE(g, r, ssh_userauth_kbdint(g->session, NULL, NULL));
    for (int round = 0; r == SSH_AUTH_INFO && round < 16; round++) {
        int n = ssh_userauth_kbdint_getnprompts(g->session);
        for (int i = 0; i < n; i++) {
            char echo, secret[SECRET_MAX], clean[200];
            const char *p = ssh_userauth_kbdint_getprompt(g->session, (unsigned)i, &echo);
            if (!ask(g, log_escape(p ? p : "", clean, sizeof clean), secret, sizeof secret))
                return SSH_AUTH_DENIED;
            ssh_userauth_kbdint_setanswer(g->session, (unsigned)i, secret);
            explicit_bzero(secret, sizeof secret);
        }
        UNTIL_DONE(g, r, ssh_userauth_kbdint(g->session, NULL, NULL));
    }
    return r;
}

enum status ssh_authenticate(struct ssh_link *l, ssh_session s, uint64_t deadline_ns,
                             struct error *err)
{
    struct login g = {l, s, deadline_ns, false, err};
    char *user = NULL;
    int r, methods;
    /* The session keeps the pointer, and looks at it when keys are exchanged anew. */
    l->callbacks = (struct ssh_callbacks_struct){.userdata = &g, .auth_function = on_passphrase};
    ssh_callbacks_init(&l->callbacks);
    ssh_set_callbacks(s, &l->callbacks);
    error_set(err, STATUS_OK, "ssh", "%s", "");
    UNTIL_DONE(&g, r, ssh_userauth_none(s, NULL));
    methods = ssh_userauth_list(s, NULL);
    if ((r == SSH_AUTH_DENIED || r == SSH_AUTH_PARTIAL) && (methods & SSH_AUTH_METHOD_PUBLICKEY)) {
        if (l->identity)
            r = try_identity(&g);
        else
            UNTIL_DONE(&g, r, ssh_userauth_publickey_auto(s, NULL, NULL));
        methods = ssh_userauth_list(s, NULL);
    }
    if ((r == SSH_AUTH_DENIED || r == SSH_AUTH_PARTIAL) && l->can_ask &&
        (methods & SSH_AUTH_METHOD_INTERACTIVE))
        r = try_questions(&g);
    if ((r == SSH_AUTH_DENIED || r == SSH_AUTH_PARTIAL) && l->can_ask &&
        (methods & SSH_AUTH_METHOD_PASSWORD))
        r = try_password(&g);
    l->callbacks.auth_function = NULL;
    l->callbacks.userdata = NULL;
    if (r == SSH_AUTH_SUCCESS)
        return STATUS_OK;
    if (err->status != STATUS_OK)
        return err->status;
    ssh_options_get(s, SSH_OPTIONS_USER, &user);
    if (r == SSH_AUTH_ERROR)
        error_set(err, STATUS_HOST, "ssh", "the login to %s as %s failed: %s", l->name,
                  user ? user : "?", ssh_get_error(s));
    else
        error_set(err, STATUS_HOST, "ssh", "%s refused the login as %s (it takes:%s%s%s)", l->name,
                  user ? user : "?", methods & SSH_AUTH_METHOD_PUBLICKEY ? " publickey" : "",
                  methods & SSH_AUTH_METHOD_PASSWORD ? " password" : "",
                  methods & SSH_AUTH_METHOD_INTERACTIVE ? " keyboard-interactive" : "");
    ssh_string_free_char(user);
    if (g.has_locked_key)
        return error_hint(err,
                          "the key has a passphrase and nobody can be asked here: ssh-add it to "
                          "an agent first");
    return error_hint(err,
                      "bring your key there with ssh-copy-id, or name it: identity = \"FILE\"");
}
