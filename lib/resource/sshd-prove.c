/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * In force is what `sshd -T -C user=...` says, never what a file says. Asking costs a process (tens of
 * milliseconds), so an answer is remembered under a hash of everything it depends on: sshd itself, its
 * configuration files, and the kind of account; of the account itself too, where the files hold Match
 * blocks or user lists of somebody else.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/replace.h"
#include "host/spawn.h"
#include "model/sshdconf.h"
#include "resource/keys.h"
#include "resource/resource.h"
#include "resource/sshd.h"

#define PROOFS SP_STORE "/sshd.proofs"
#define PROOFS_MAX_BYTES (1U << 20)
#define SSHD_DEADLINE_MS 10000

int sp_sshd_effective(struct sp_host *h, const struct sp_config *c, const char *user, struct sp_buf *out,
                      struct sp_error *err)
{
    char who[SP_USER_SIZE + 64];
    const char *argv[] = {c->sshd, "-T", "-f", c->sshd_config, user != NULL ? "-C" : NULL, who, NULL};
    _cleanup_(sp_spawn_clear) struct sp_spawn run = {
        .argv = argv, .deadline_ms = SSHD_DEADLINE_MS, .max_output = 1U << 18};

    if (sp_str_format(who, sizeof(who), "user=%s,host=localhost,addr=127.0.0.1", user != NULL ? user : "") <
        0)
        return sp_fail(err, SP_E_INVALID, 0, "the user name is too long");
    if (h->ops->spawn(h, &run, err) < 0)
        return -1;
    if (run.status != 0) {
        sp_fail(err, SP_E_REJECTED, 0, "sshd refuses its configuration: %.250s", sp_buf_str(&run.err_out));
        return sp_hint(err, "run %s -t and mend what it names", c->sshd);
    }
    sp_buf_add(out, run.out.data, run.out.len);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* One setting that must have one value. */
struct expected {
    const char *keyword, *value;
};

static int expect(const struct sp_sshdconf *conf, const struct expected *e, const char *user,
                  struct sp_error *err)
{
    const char *is = sp_sshdconf_get(conf, e->keyword);

    if (is != NULL && strcasecmp(is, e->value) == 0)
        return 0;
    sp_fail(err, SP_E_NOT_IN_FORCE, 0, "sshd has %s %s for %s, not %s", e->keyword,
            is != NULL ? is : "(nothing)", user, e->value);
    return sp_hint(err,
                   "another Match block or an earlier line of sshd_config sets it, or the drop-in is not "
                   "included: `%s` shows it",
                   "sshd -T -C user=USER,host=localhost,addr=127.0.0.1");
}

static int expect_lists(const struct sp_sshdconf *conf, const char *user, bool *ret_foreign,
                        struct sp_error *err)
{
    static const char *const others[] = {"allowusers", "allowgroups", "denyusers"};

    *ret_foreign = sp_sshdconf_nth(conf, "denygroups", 1) != NULL;
    for (size_t i = 0; i < SP_COUNT(others); i++)
        *ret_foreign |= sp_sshdconf_get(conf, others[i]) != NULL;
    if (sp_sshdconf_has(conf, "denygroups", SP_GROUP_NONE))
        return 0;
    sp_fail(err, SP_E_NOT_IN_FORCE, 0, "sshd does not deny the group " SP_GROUP_NONE " (asked for %s)",
            user);
    return sp_hint(err, "sshd_config must have the line: Include /etc/ssh/sshd_config.d/*.conf");
}

/* One word of AllowUsers or AllowGroups against one name: fnmatch(3) is what sshd_config(5) calls a
 * pattern. USER@HOST lets in from that host only; from some host is enough here. */
static bool lets_in(const char *word, const char *name)
{
    char pattern[256];
    size_t n = strcspn(word, "@");

    return sp_str_format(pattern, sizeof(pattern), "%.*s", (int)n, word) == 0 &&
           fnmatch(pattern, name, 0) == 0;
}

static bool list_lets_in(const struct sp_sshdconf *conf, const char *keyword, const char *const *names)
{
    const char *line;

    for (size_t i = 0; (line = sp_sshdconf_nth(conf, keyword, i)) != NULL; i++)
        for (const char *word = line; *word != '\0';
             word += strcspn(word, " "), word += strspn(word, " ")) {
            char one[256];
            if (sp_str_format(one, sizeof(one), "%.*s", (int)strcspn(word, " "), word) < 0)
                continue;
            for (size_t k = 0; names[k] != NULL; k++)
                if (lets_in(one, names[k]))
                    return true;
        }
    return false;
}

/* A host that lists who may come in at all: its list is named, never overridden. */
static int expect_allowed(const struct sp_ctx *c, const struct sp_sshdconf *conf, struct sp_error *err)
{
    _cleanup_(sp_userdb_free_names) char **groups = NULL;
    const char *const user[] = {c->user->name, NULL};

    if (c->desired->shell == SP_SHELL_NONE)
        return 0;
    if (sp_sshdconf_get(conf, "allowusers") != NULL && !list_lets_in(conf, "allowusers", user)) {
        sp_fail(err, SP_E_NOT_IN_FORCE, 0, "AllowUsers in sshd_config does not name %s", c->user->name);
        return sp_hint(err, "add him there, or use AllowGroups with " SP_GROUP_ALL);
    }
    if (sp_sshdconf_get(conf, "allowgroups") == NULL)
        return 0;
    if (sp_userdb_groups_of(c->host, c->user, &groups, err) < 0)
        return -1;
    if (list_lets_in(conf, "allowgroups", (const char *const *)groups))
        return 0;
    sp_fail(err, SP_E_NOT_IN_FORCE, 0, "AllowGroups in sshd_config names no group of %s", c->user->name);
    return sp_hint(err, "add " SP_GROUP_ALL " to AllowGroups, then reload sshd");
}

static const char *forwarding_value(const struct sp_ctx *c)
{
    enum sp_forwarding f =
        c->desired->forwarding != SP_FORWARDING_UNSET ? c->desired->forwarding : c->config->forwarding;

    if (c->desired->shell == SP_SHELL_NONE || f == SP_FORWARDING_NONE)
        return "no";
    return f == SP_FORWARDING_ALL ? "yes" : "local";
}

/* sftp must go through the shell: internal-sftp would serve the host's files beside it. */
static int expect_sftp(const struct sp_sshdconf *conf, struct sp_error *err)
{
    const char *command = sp_sshdconf_subsystem(conf, "sftp");

    if (command == NULL || strstr(command, "internal-sftp") == NULL)
        return 0;
    sp_fail(err, SP_E_NOT_IN_FORCE, 0, "sshd serves sftp itself (internal-sftp), outside any jail");
    return sp_hint(err,
                   "set `Subsystem sftp /usr/lib/openssh/sftp-server` in sshd_config, then reload sshd");
}

static int judge(const struct sp_ctx *c, const char *output, size_t len, bool *ret_foreign,
                 struct sp_error *err)
{
    const struct expected all[] = {{"allowtcpforwarding", forwarding_value(c)},
                                   {"allowstreamlocalforwarding", "no"},
                                   {"x11forwarding", "no"},
                                   {"permittunnel", "no"},
                                   {"pubkeyauthentication", "yes"},
                                   {"permituserenvironment", "no"}};
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf conf = {0};
    const char *keys;

    if (sp_sshdconf_parse(output, len, &conf, err) < 0 ||
        expect_lists(&conf, c->user->name, ret_foreign, err) < 0 || expect_allowed(c, &conf, err) < 0)
        return -1;
    for (size_t i = 0; i < SP_COUNT(all); i++)
        if (expect(&conf, &all[i], c->user->name, err) < 0)
            return -1;
    keys = sp_sshdconf_get(&conf, "authorizedkeysfile");
    if (!sp_sshdconf_has(&conf, "authorizedkeysfile",
                         c->config->key_store == SP_KEY_STORE_ROOT ? SP_KEYS_ROOT_DIR "/%u"
                                                                   : SP_KEYS_HOME_FILE)) {
        sp_fail(err, SP_E_NOT_IN_FORCE, 0, "sshd reads keys from \"%.100s\", not where they are written",
                keys != NULL ? keys : "");
        return sp_hint(
            err,
            "set key_store in sallyport.conf, or AuthorizedKeysFile in sshd_config, so that both agree");
    }
    return c->desired->shell == SP_SHELL_CHROOT ? expect_sftp(&conf, err) : 0;
}

/* --- what an answer depends on --- */

static void mix_file(const struct sp_ctx *c, const char *path, SHA2_CTX *sum)
{
    struct sp_error ignored;
    char text[SP_PATH_SIZE + 128];
    struct stat st = {0};
    _cleanup_close_ int fd = sp_fsat_open(c->host->root_fd, path, O_PATH, 0, SP_FSAT_FOLLOW, &ignored);

    if (fd >= 0)
        (void)fstat(fd, &st);
    (void)snprintf(text, sizeof(text), "%s %ju %jd %jd.%09ld\n", path, (uintmax_t)st.st_ino,
                   (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    SHA256Update(sum, (const uint8_t *)text, strlen(text));
}

static void close_dir(DIR **d)
{
    if (*d != NULL)
        (void)closedir(*d);
}

/* Call `visit` with each file of the configuration: the main one and what stands beside our drop-in. */
static void each_config(const struct sp_ctx *c,
                        void (*visit)(const struct sp_ctx *, const char *path, void *), void *data)
{
    struct sp_error ignored;
    _cleanup_(close_dir) DIR *dir = NULL;
    const struct dirent *e;
    char path[SP_PATH_SIZE];
    int fd;

    visit(c, c->config->sshd_config, data);
    fd = sp_fsat_open(c->host->root_fd, "/etc/ssh/sshd_config.d", O_RDONLY | O_DIRECTORY, 0, SP_FSAT_FOLLOW,
                      &ignored);
    dir = fd >= 0 ? fdopendir(fd) : NULL;
    while (dir != NULL && (e = readdir(dir)) != NULL)
        if (e->d_name[0] != '.' &&
            sp_str_format(path, sizeof(path), "/etc/ssh/sshd_config.d/%s", e->d_name) == 0)
            visit(c, path, data);
}

static void mix_visit(const struct sp_ctx *c, const char *path, void *data)
{
    mix_file(c, path, data);
}

/* A line of somebody else's that makes the answer depend on who asks, or brings in files that we do not
 * watch. */
static void foreign_visit(const struct sp_ctx *c, const char *path, void *data)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error ignored;
    bool *foreign = data;

    if (sp_streq(path, SP_SSHD_DROPIN))
        return;
    if (sp_fsat_read(c->host->root_fd, path, 1U << 20, &text, NULL, &ignored) < 0) {
        *foreign = true;
        return;
    }
    for (const char *line = sp_buf_str(&text); line != NULL; line = strchr(line, '\n')) {
        line += strspn(line, "\n \t");
        if (strncasecmp(line, "match", 5) == 0 ||
            (strncasecmp(line, "include", 7) == 0 && strstr(line, "sshd_config.d/*.conf") == NULL))
            *foreign = true;
    }
}

static void proof_name(const struct sp_ctx *c, const char *user, char out[SHA256_DIGEST_STRING_LENGTH])
{
    char kind[SP_USER_SIZE + 128];
    SHA2_CTX sum;

    SHA256Init(&sum);
    mix_file(c, c->config->sshd, &sum);
    each_config(c, mix_visit, &sum);
    (void)snprintf(kind, sizeof(kind), "1 %s %s %d %s", sp_shell_name(c->desired->shell),
                   forwarding_value(c), (int)c->config->key_store, user);
    SHA256Update(&sum, (const uint8_t *)kind, strlen(kind));
    SHA256End(&sum, out);
}

/* Keep the newest; old ones fall out at the front. */
static void remember(const struct sp_ctx *c, struct sp_buf *proofs, const char *name)
{
    const struct sp_replace how = {.mode = 0600, .uid = 0, .gid = 0};
    size_t cut = proofs->len > PROOFS_MAX_BYTES / 2 ? proofs->len - PROOFS_MAX_BYTES / 4 : 0;
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error ignored;

    cut -= cut % SHA256_DIGEST_STRING_LENGTH; /* a line is a digest and its newline */
    sp_buf_add(&out, sp_buf_str(proofs) + cut, proofs->len - cut);
    sp_buf_printf(&out, "%s\n", name);
    if (sp_buf_ok(&out)) /* only a memory: failing to keep it costs the next caller a question */
        (void)sp_replace_path(c->host, PROOFS, out.data, out.len, &how, &ignored);
}

int sp_sshd_prove(const struct sp_ctx *c, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf proofs = {0}, output = {0};
    char anybody[SHA256_DIGEST_STRING_LENGTH], he[SHA256_DIGEST_STRING_LENGTH];
    bool foreign = false, lists = false;
    struct sp_error ignored;

    if (sp_ctx_absent(c) || c->user == NULL || c->desired->shell == SP_SHELL_UNSET)
        return 0;
    proof_name(c, "", anybody);
    proof_name(c, c->user->name, he);
    if (sp_fsat_read(c->host->root_fd, PROOFS, PROOFS_MAX_BYTES, &proofs, NULL, &ignored) < 0)
        sp_buf_clear(&proofs);
    if (strstr(sp_buf_str(&proofs), anybody) != NULL || strstr(sp_buf_str(&proofs), he) != NULL)
        return 0;
    if (sp_sshd_effective(c->host, c->config, c->user->name, &output, err) < 0 ||
        judge(c, sp_buf_str(&output), output.len, &lists, err) < 0)
        return -1;
    each_config(c, foreign_visit, &foreign);
    remember(c, &proofs, foreign || lists ? he : anybody);
    return 0;
}
