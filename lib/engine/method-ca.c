/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * certificate.ca.*: the authorities whose certificates open managed accounts. Rotation is: add one (both
 * are trusted, the new one signs), wait until the old one's certificates have ended, drop it. sshd reads
 * the list at each login: only the first and the last need the drop-in written.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/certs.h"
#include "engine/methods.h"
#include "host/fsat.h"
#include "host/replace.h"
#include "host/spawn.h"
#include "resource/certificates.h"
#include "resource/sshd-certs.h"
#include "resource/sshd.h"

#define KEYGEN_DEADLINE_MS 20000

enum ca_method { CREATE, ROTATE };

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int report(struct sp_engine *e, cJSON *result, struct sp_error *err)
{
    _cleanup_(sp_cas_clear) struct sp_cas cas = {0};
    cJSON *array = cJSON_AddArrayToObject(result, "cas");

    if (array == NULL)
        return no_memory(err);
    if (sp_cas_read(e->host, &cas, err) < 0)
        return -1;
    for (size_t i = 0; i < cas.n; i++) {
        _cleanup_(sp_buf_clear) struct sp_buf line = {0};
        cJSON *o = cJSON_CreateObject();
        sp_sshkey_format(&cas.v[i].key, &line);
        if (o == NULL || !cJSON_AddItemToArray(array, o) ||
            !cJSON_AddNumberToObject(o, "number", cas.v[i].number) ||
            !cJSON_AddStringToObject(o, "fingerprint", cas.v[i].key.fingerprint) ||
            !cJSON_AddStringToObject(o, "key", sp_buf_str(&line)) ||
            !cJSON_AddBoolToObject(o, "in_agent", cas.v[i].in_agent) ||
            !cJSON_AddBoolToObject(o, "signs", i + 1 == cas.n))
            return no_memory(err);
    }
    return 0;
}

SP_METHOD(sp_certificate_ca_get)
{
    _cleanup_(sp_cert_request_clear) struct sp_cert_request r = {0};

    (void)p;
    return sp_cert_request_decode(SP_CERT_CA_GET, raw, &r, err) < 0 ? -1 : report(e, result, err);
}

static int begin_report(cJSON *result, struct sp_error *err)
{
    return cJSON_AddBoolToObject(result, "changed", true) && cJSON_AddArrayToObject(result, "changes") &&
                   cJSON_AddArrayToObject(result, "warnings")
               ? 0
               : no_memory(err);
}

/* ssh-keygen writes the private half first. One that was killed there left it alone, which nothing trusts.
 */
static void forget_half(int dir, const char *name)
{
    char public[NAME_MAX + 8];
    struct stat st;

    (void)sp_str_format(public, sizeof(public), "%s.pub", name);
    if (strspn(name, "0123456789") == strlen(name) && fstatat(dir, public, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
        errno == ENOENT)
        (void)unlinkat(dir, name, 0);
}

/* One more than any number that a CA bears; what was half made goes. */
static int next_number(struct sp_host *h, unsigned *ret, struct sp_error *err)
{
    _cleanup_closedir_ DIR *dir = sp_fsat_list(h->root_fd, SP_CA_DIR, SP_FSAT_NONE, err);
    const struct dirent *entry;
    int rc;

    *ret = 1;
    if (dir == NULL)
        return -1;
    while ((rc = sp_fsat_next(dir, SP_CA_DIR, &entry, err)) > 0) {
        const char *end = strchr(entry->d_name, '.');
        unsigned long n = end != NULL && sp_streq(end, ".pub") ? strtoul(entry->d_name, NULL, 10) : 0;
        forget_half(dirfd(dir), entry->d_name);
        if (n < 999999 && n >= *ret)
            *ret = (unsigned)n + 1;
    }
    return rc;
}

/* ssh-keygen syncs nothing. */
static int sync_path(struct sp_host *h, const char *path, struct sp_error *err)
{
    _cleanup_close_ int fd = sp_fsat_open(h->root_fd, path, O_RDONLY, 0, SP_FSAT_NONE, err);

    if (fd < 0)
        return -1;
    return fsync(fd) == 0 ? 0 : sp_fail(err, SP_E_IO, errno, "%s", path);
}

/* No number: nobody takes it for a CA. */
static const char half_made[] = SP_CA_DIR "/new", half_made_public[] = SP_CA_DIR "/new.pub";

/* Both halves are whole on the disk before one has its name; the public one makes it a CA, and comes last.
 */
static int name_key(struct sp_host *h, unsigned number, struct sp_error *err)
{
    _cleanup_close_ int dir = sp_fsat_open_dir(h->root_fd, SP_CA_DIR, SP_FSAT_NONE, err);
    char private[32], public[32];

    (void)sp_str_format(private, sizeof(private), "%u", number);
    (void)sp_str_format(public, sizeof(public), "%u.pub", number);
    if (dir < 0 || sync_path(h, half_made, err) < 0 || sync_path(h, half_made_public, err) < 0)
        return -1;
    if (renameat(dir, "new", dir, private) < 0 || fsync(dir) < 0 ||
        renameat(dir, "new.pub", dir, public) < 0 || fsync(dir) < 0)
        return sp_fail(err, SP_E_IO, errno, SP_CA_DIR "/%u", number);
    return 0;
}

static int make_key(struct sp_host *h, unsigned number, struct sp_error *err)
{
    char comment[64];
    const char *argv[] = {SP_SSH_KEYGEN, "-q",    "-t", "ed25519", "-N", "",
                          "-C",          comment, "-f", half_made, NULL};
    _cleanup_(sp_spawn_clear) struct sp_spawn run = {
        .argv = argv, .deadline_ms = KEYGEN_DEADLINE_MS, .max_output = 4096};

    (void)sp_str_format(comment, sizeof(comment), "sallyport-ca-%u", number);
    (void)unlinkat(h->root_fd, &half_made[1], 0); /* of a first try */
    (void)unlinkat(h->root_fd, &half_made_public[1], 0);
    if (h->ops->spawn(h, &run, err) < 0)
        return -1;
    if (run.status != 0)
        return sp_fail(err, SP_E_REJECTED, 0, "ssh-keygen makes no CA: %.250s", sp_buf_str(&run.err_out));
    return name_key(h, number, err);
}

static int note_key(struct sp_engine *e, unsigned number, const struct sp_sshkey *key, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = 0, .gid = 0};
    _cleanup_(sp_buf_clear) struct sp_buf line = {0};
    char path[SP_PATH_SIZE];

    if (e->config->ca_agent[0] == '\0') {
        sp_fail(err, SP_E_INVALID, 0, "ca_agent names no agent that holds this key");
        sp_hint(err,
                "set ca_agent to the agent's socket, or leave the key out: then a CA is made in a file");
        return sp_field(err, "key");
    }
    sp_sshkey_format(key, &line);
    sp_buf_puts(&line, "\n");
    (void)sp_str_format(path, sizeof(path), SP_CA_DIR "/%u.pub", number);
    return sp_replace_path(e->host, path, sp_buf_str(&line), line.len, &how, err);
}

static int there_is_one(struct sp_error *err)
{
    sp_fail(err, SP_E_CONFLICT, 0, "there is a certificate authority already");
    return sp_hint(err, "certificate.ca.rotate adds the next one");
}

static int check_number(const struct sp_cas *cas, enum ca_method which, struct sp_error *err)
{
    if (which == CREATE && cas->n > 0)
        return there_is_one(err);
    if (which == ROTATE && cas->n == 0) {
        sp_fail(err, SP_E_NOT_FOUND, 0, "there is no certificate authority yet");
        return sp_hint(err, "certificate.ca.create makes the first one");
    }
    if (cas->n < SP_CA_MAX)
        return 0;
    sp_fail(err, SP_E_CONFLICT, 0, "%d certificate authorities are trusted already", SP_CA_MAX);
    return sp_hint(err, "certificate.ca.drop takes one away");
}

/* The list of revoked ones is there before sshd is told to look at it. */
static int put_in_force(struct sp_engine *e, const struct sp_ctx *c, enum ca_method which,
                        struct sp_error *err)
{
    _cleanup_(sp_certlog_clear) struct sp_certlog log = {0};
    _cleanup_(sp_cas_clear) struct sp_cas cas = {0};

    if (sp_cas_read(e->host, &cas, err) < 0 || sp_certstore_read(e->host, &log, err) < 0 ||
        sp_certstore_krl(e->host, &log, e->host->ops->now(e->host), NULL, err) < 0 ||
        sp_cas_trust(e->host, &cas, NULL, err) < 0)
        return -1;
    if (which == ROTATE || sp_sshd_write_dropin(c, err) == 0)
        return 0;
    (void)unlinkat(e->host->root_fd, &SP_CA_TRUSTED[1], 0);
    return -1;
}

/* What would be is said after the same checks, and nothing is locked or written for it. */
static int plan_ca(struct sp_engine *e, const char *target, const char *from, const char *to, cJSON *result,
                   struct sp_error *err)
{
    if (begin_report(result, err) < 0 || report(e, result, err) < 0)
        return -1;
    return sp_report_first(result, "certificate_authority", target, from, to, NULL, err);
}

static int answer(struct sp_engine *e, unsigned number, cJSON *result, struct sp_error *err)
{
    char target[16];

    (void)sp_str_format(target, sizeof(target), "%u", number);
    if (begin_report(result, err) < 0 || report(e, result, err) < 0)
        return -1;
    return sp_report_first(result, "certificate_authority", target, "", "trusted", "trusted", err);
}

/* A first request that was cut off had made the key: the second one finishes what it began. */
static int finish(struct sp_engine *e, const struct sp_ctx *c, const struct sp_cas *cas, cJSON *result,
                  struct sp_error *err)
{
    bool stood = sp_cas_exist(e->host);

    if (put_in_force(e, c, CREATE, err) < 0)
        return -1;
    return stood ? there_is_one(err) : answer(e, cas->v[cas->n - 1].number, result, err);
}

static int add_ca(struct sp_engine *e, const cJSON *raw, enum ca_method which, cJSON *result,
                  struct sp_error *err)
{
    _cleanup_(sp_cert_request_clear) struct sp_cert_request r = {0};
    _cleanup_(sp_cas_clear) struct sp_cas cas = {0};
    const struct sp_ctx c = {.host = e->host, .config = e->config};
    _cleanup_close_ int lock = -1;
    unsigned number = 0;

    if (sp_cert_request_decode(SP_CERT_CA_CREATE, raw, &r, err) < 0)
        return -1;
    if (!r.dry_run && (lock = sp_certstore_lock(e->host, err)) < 0)
        return -1;
    if (sp_cas_read(e->host, &cas, err) < 0)
        return -1;
    if (which == CREATE && cas.n > 0 && !r.dry_run)
        return finish(e, &c, &cas, result, err);
    if (check_number(&cas, which, err) < 0 || sp_sshd_certs_conflict(&c, err) < 0)
        return -1;
    if (r.dry_run)
        return plan_ca(e, "new", "", "trusted", result, err);
    if (next_number(e->host, &number, err) < 0)
        return -1;
    if ((r.key.blob != NULL ? note_key(e, number, &r.key, err) : make_key(e->host, number, err)) < 0 ||
        put_in_force(e, &c, which, err) < 0)
        return -1;
    return answer(e, number, result, err);
}

SP_METHOD(sp_certificate_ca_create)
{
    (void)p;
    return add_ca(e, raw, CREATE, result, err);
}

SP_METHOD(sp_certificate_ca_rotate)
{
    (void)p;
    return add_ca(e, raw, ROTATE, result, err);
}

/* sshd trusts it no more; whoever makes the list anew meanwhile waits for our lock. */
static int distrust(struct sp_engine *e, const struct sp_cas *cas, size_t which, struct sp_error *err)
{
    const struct sp_ctx c = {.host = e->host, .config = e->config};
    _cleanup_close_ int dir = sp_fsat_open_dir(e->host->root_fd, SP_CA_DIR, SP_FSAT_NONE, err);
    struct sp_cas left = *cas; /* borrowed */

    if (dir < 0)
        return -1;
    memmove(&left.v[which], &left.v[which + 1], (--left.n - which) * sizeof(left.v[0]));
    if (left.n > 0)
        return sp_cas_trust(e->host, &left, NULL, err);
    return sp_replace_remove(e->host, dir, "trusted", err) < 0 ? -1 : sp_sshd_write_dropin(&c, err);
}

/* A CA is dropped when it is old or stolen; nobody knows which, so what it opened ends.
 * The public half goes last: until then it is there to be dropped, by a second request where a first one
 * was cut off. */
static int drop(struct sp_engine *e, const struct sp_cas *cas, size_t which, struct sp_error *err)
{
    _cleanup_close_ int dir = sp_fsat_open_dir(e->host->root_fd, SP_CA_DIR, SP_FSAT_NONE, err);
    const struct sp_ca *ca = &cas->v[which];
    char public[32], private[32];

    (void)sp_str_format(private, sizeof(private), "%u", ca->number);
    (void)sp_str_format(public, sizeof(public), "%u.pub", ca->number);
    if (dir < 0 || distrust(e, cas, which, err) < 0 ||
        sp_certificates_end_of_ca(e->host, e->config, ca->key.fingerprint, err) < 0 ||
        sp_replace_remove(e->host, dir, private, err) < 0)
        return -1;
    return sp_replace_remove(e->host, dir, public, err);
}

SP_METHOD(sp_certificate_ca_drop)
{
    _cleanup_(sp_cert_request_clear) struct sp_cert_request r = {0};
    _cleanup_(sp_cas_clear) struct sp_cas cas = {0};
    _cleanup_close_ int lock = -1;
    size_t i = 0;
    char target[16];

    (void)p;
    if (sp_cert_request_decode(SP_CERT_CA_DROP, raw, &r, err) < 0)
        return -1;
    if (!r.dry_run && (lock = sp_certstore_lock(e->host, err)) < 0)
        return -1;
    if (sp_cas_read(e->host, &cas, err) < 0)
        return -1;
    while (i < cas.n && cas.v[i].number != r.number)
        i++;
    if (i == cas.n) {
        sp_fail(err, SP_E_NOT_FOUND, 0, "there is no certificate authority %u", r.number);
        sp_hint(err, "certificate.ca.get lists them");
        return sp_field(err, "number");
    }
    (void)sp_str_format(target, sizeof(target), "%u", r.number);
    if (r.dry_run)
        return plan_ca(e, target, "trusted", "", result, err);
    if (drop(e, &cas, i, err) < 0 || begin_report(result, err) < 0 || report(e, result, err) < 0)
        return -1;
    return sp_report_first(result, "certificate_authority", target, "trusted", "", "", err);
}
