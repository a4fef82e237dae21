/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * In force is what `sshd -T -C user=...` says, never what a file says. Asking costs a process (tens of
 * milliseconds), so an answer is remembered under a hash of everything it depends on: sshd itself, its
 * configuration files, and the kind of account; of the account itself too, where the files hold Match
 * blocks or user lists of somebody else.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/replace.h"
#include "host/rootfile.h"
#include "host/spawn.h"
#include "model/sshdconf.h"
#include "resource/resource.h"
#include "resource/sshd-files.h"
#include "resource/sshd.h"

#define PROOFS SP_STORE "/sshd.proofs"
#define PROOFS_MAX_BYTES (1U << 20)
#define SSHD_DEADLINE_MS 10000
#define SSHD_RUN "/run/sshd"

/* sshd wants it for itself and refuses to say anything without. It goes with ssh.service
 * (RuntimeDirectory=sshd), so under ssh.socket it is missing while nobody is logged in. */
static bool makes_up_for_service(struct sp_host *h, const char *words)
{
    static const char missing[] = "Missing privilege separation directory: " SSHD_RUN;
    struct sp_error ignored;
    _cleanup_close_ int fd =
        strstr(words, missing) != NULL ? sp_fsat_make_dirs(h->root_fd, SSHD_RUN, 0755, &ignored) : -1;

    return fd >= 0;
}

static int ask(struct sp_host *h, struct sp_spawn *run, struct sp_error *err)
{
    if (h->ops->spawn(h, run, err) < 0)
        return -1;
    if (run->status == 0 || !makes_up_for_service(h, sp_buf_str(&run->err_out)))
        return 0;
    sp_buf_clear(&run->out);
    sp_buf_clear(&run->err_out);
    return h->ops->spawn(h, run, err);
}

int sp_sshd_effective_from(struct sp_host *h, const struct sp_config *c, const char *user,
                           const char *address, struct sp_buf *out, struct sp_error *err)
{
    char who[SP_USER_SIZE + 160];
    const char *argv[] = {c->sshd, "-T", "-f", c->sshd_config, user != NULL ? "-C" : NULL, who, NULL};
    _cleanup_(sp_spawn_clear) struct sp_spawn run = {
        .argv = argv, .deadline_ms = SSHD_DEADLINE_MS, .max_output = 1U << 18};

    if (sp_str_format(who, sizeof(who), "user=%s,host=%s,addr=%s", user != NULL ? user : "",
                      address != NULL ? address : "localhost", address != NULL ? address : "127.0.0.1") < 0)
        return sp_fail(err, SP_E_INVALID, 0, "the user name is too long");
    if (ask(h, &run, err) < 0)
        return -1;
    if (run.status != 0) {
        sp_fail(err, SP_E_REJECTED, 0, "sshd refuses its configuration: %.250s", sp_buf_str(&run.err_out));
        return sp_hint(err, "run %s -t and mend what it names", c->sshd);
    }
    sp_buf_add(out, run.out.data, run.out.len);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_sshd_effective(struct sp_host *h, const struct sp_config *c, const char *user, struct sp_buf *out,
                      struct sp_error *err)
{
    return sp_sshd_effective_from(h, c, user, NULL, out, err);
}

/* --- what an answer depends on --- */

typedef char digest[SHA256_DIGEST_STRING_LENGTH];

/* A line of somebody else's that makes the answer depend on who asks, or brings in files that we do not
 * watch. */
static int is_foreign(const struct sp_sshd_line *l, void *data)
{
    (void)data;
    return l->keyword == NULL || strcasecmp(l->keyword, "match") == 0 ||
           (strcasecmp(l->keyword, "include") == 0 && strstr(l->value, "sshd_config.d/*.conf") == NULL);
}

/* What an answer about this kind of account goes by: as anybody's, and as this one's alone. */
struct proof {
    digest anybody, he;
};

static void name_for(const struct sp_ctx *c, SHA2_CTX sum, const char *user, digest out)
{
    char kind[SP_USER_SIZE + 128];

    (void)snprintf(kind, sizeof(kind), "3 %s %s %d %s %d %d %s", sp_shell_name(c->desired->shell),
                   sp_sshd_forwarding(c), (int)c->config->key_store,
                   sp_authentication_name(c->desired->access.authentication),
                   c->desired->access.password_locked, sp_ctx_shut(c), user);
    SHA256Update(&sum, (const uint8_t *)kind, strlen(kind));
    SHA256End(&sum, out);
}

static void name_proof(const struct sp_ctx *c, struct proof *ret)
{
    SHA2_CTX files;

    SHA256Init(&files);
    sp_sshd_mix(c, c->config->sshd, &files);
    sp_sshd_mix_files(c, SP_SSHD_ALL_FILES, &files);
    sp_sshd_mix(c, "/etc/ssh/sshrc", &files);
    name_for(c, files, "", ret->anybody);
    name_for(c, files, c->user->name, ret->he);
}

/* Our drop-in says nothing of who serves sftp: it is written after the answer. */
static void sftp_name(const struct sp_ctx *c, enum sp_sftp sftp, digest out)
{
    static const char *const facts[] = {
        [SP_SFTP_PROGRAM] = "sftp program", [SP_SFTP_INTERNAL] = "sftp internal"};
    SHA2_CTX sum;

    SHA256Init(&sum);
    sp_sshd_mix(c, c->config->sshd, &sum);
    sp_sshd_mix_files(c, SP_SSHD_NOT_OURS, &sum);
    SHA256Update(&sum, (const uint8_t *)facts[sftp], strlen(facts[sftp]));
    SHA256End(&sum, out);
}

static void read_proofs(const struct sp_ctx *c, struct sp_buf *proofs)
{
    struct sp_error ignored;

    if (sp_rootfile_read(c->host, PROOFS, PROOFS_MAX_BYTES, proofs, &ignored) < 0)
        sp_buf_clear(proofs);
}

/* Keep the newest; old ones fall out at the front. */
static void remember(const struct sp_ctx *c, struct sp_buf *proofs, const char *name, const char *sftp)
{
    const struct sp_replace how = {.mode = 0600, .uid = 0, .gid = 0};
    size_t cut = proofs->len > PROOFS_MAX_BYTES / 2 ? proofs->len - PROOFS_MAX_BYTES / 4 : 0;
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error ignored;

    cut -= cut % SHA256_DIGEST_STRING_LENGTH; /* a line is a digest and its newline */
    sp_buf_add(&out, sp_buf_str(proofs) + cut, proofs->len - cut);
    sp_buf_printf(&out, "%s\n", name);
    if (strstr(sp_buf_str(proofs) + cut, sftp) == NULL)
        sp_buf_printf(&out, "%s\n", sftp);
    if (sp_buf_ok(&out)) /* only a memory: failing to keep it costs the next caller a question */
        (void)sp_replace_path(c->host, PROOFS, out.data, out.len, &how, &ignored);
}

/* Has anything been asked for that sshd must say yes to? */
static bool has_wishes(const struct sp_account *a)
{
    return a->shell != SP_SHELL_UNSET || a->access.authentication != SP_AUTH_UNSET ||
           a->access.password_locked;
}

static bool is_known(const struct sp_buf *proofs, const struct proof *p)
{
    return strstr(sp_buf_str(proofs), p->anybody) != NULL || strstr(sp_buf_str(proofs), p->he) != NULL;
}

bool sp_sshd_is_proved(const struct sp_ctx *c)
{
    _cleanup_(sp_buf_clear) struct sp_buf proofs = {0};
    struct proof mine;

    if (!has_wishes(c->desired))
        return true;
    read_proofs(c, &proofs);
    name_proof(c, &mine);
    return is_known(&proofs, &mine);
}

int sp_sshd_prove(const struct sp_ctx *c, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf proofs = {0}, output = {0};
    struct sp_sshd_answer answer;
    struct proof mine;
    digest sftp;
    bool personal;

    if (sp_ctx_absent(c) || c->user == NULL || !has_wishes(c->desired))
        return 0;
    read_proofs(c, &proofs);
    name_proof(c, &mine);
    if (is_known(&proofs, &mine))
        return 0;
    if (sp_sshd_effective(c->host, c->config, c->user->name, &output, err) < 0 ||
        sp_sshd_judge(c, sp_buf_str(&output), output.len, &answer, err) < 0)
        return -1;
    personal = sp_sshd_each_line(c, is_foreign, NULL) != 0 || answer.personal;
    sftp_name(c, answer.sftp, sftp);
    if (answer.transient)
        return 0;
    /* What was put off: whether it can be synced is the request's, not the memory's. */
    if (sp_sync_now(c->host, err) < 0)
        return -1;
    remember(c, &proofs, personal ? mine.he : mine.anybody, sftp);
    return 0;
}

/* --- who serves sftp --- */

static int may_be_internal(const struct sp_sshd_line *l, void *data)
{
    (void)data;
    if (l->keyword == NULL)
        return 1;
    if (strcasecmp(l->keyword, "include") == 0)
        return strstr(l->value, "sshd_config.d/*.conf") == NULL;
    return strcasecmp(l->keyword, "subsystem") == 0 && strstr(l->value, "internal-sftp") != NULL;
}

int sp_sshd_sftp(const struct sp_ctx *c, enum sp_sftp *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf proofs = {0}, output = {0};
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf conf = {0};
    const char *command;
    digest fact;

    *ret = SP_SFTP_PROGRAM;
    if (sp_sshd_each_line(c, may_be_internal, NULL) == 0)
        return 0;
    read_proofs(c, &proofs);
    for (enum sp_sftp known = SP_SFTP_PROGRAM; known <= SP_SFTP_INTERNAL; known++) {
        sftp_name(c, known, fact);
        *ret = known;
        if (strstr(sp_buf_str(&proofs), fact) != NULL)
            return 0;
    }
    if (sp_sshd_effective(c->host, c->config, NULL, &output, err) < 0 ||
        sp_sshdconf_parse(sp_buf_str(&output), output.len, &conf, err) < 0)
        return -1;
    command = sp_sshdconf_subsystem(&conf, "sftp");
    *ret = command != NULL && strstr(command, "internal-sftp") != NULL ? SP_SFTP_INTERNAL : SP_SFTP_PROGRAM;
    return 0;
}
