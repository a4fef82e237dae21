/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The access record, which pam_sallyport reads: suspension, dates and sources of an account for whatever
 * its people prove themselves with. It is written whether a service asks or not. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/replace.h"
#include "model/pamrecord.h"
#include "resource/resource.h"

enum { WRITE, MEET, REMOVE };

static int record_path(const struct sp_ctx *c, char out[SP_PATH_SIZE])
{
    return sp_str_format(out, SP_PATH_SIZE, SP_PAMRECORD_DIR "/%s", c->desired->user);
}

/* From wherever one of its domains may be reached from; one without sources is reached from anywhere. */
static int add_sources(const struct sp_account *a, struct sp_cidr_list *ret, struct sp_error *err)
{
    for (size_t i = 0; i < a->n_domains; i++)
        if (a->domains[i].sources.n == 0)
            return 0;
    for (size_t i = 0; i < a->n_domains; i++)
        for (size_t k = 0; k < a->domains[i].sources.n; k++)
            if (sp_cidr_list_add(ret, &a->domains[i].sources.v[k], err) < 0)
                return -1;
    return 0;
}

static int wanted(const struct sp_ctx *c, struct sp_pamrecord *ret, struct sp_error *err)
{
    const struct sp_access *a = &c->desired->access;

    ret->uid = c->desired->uid;
    ret->suspended = a->suspended;
    ret->valid_from = a->valid_from;
    ret->valid_until = a->valid_until;
    if (sp_str_copy(ret->user, sizeof(ret->user), c->desired->user) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "the user name is too long");
    return add_sources(c->desired, &ret->sources, err);
}

/* *ret_is: it is there and can be read, as text in *text. Rights that somebody loosened make it unreadable
 * to the module: then it is written anew. */
static int read_now(const struct sp_ctx *c, struct sp_buf *text, bool *ret_there, struct sp_error *err)
{
    char path[SP_PATH_SIZE];
    struct stat st;

    *ret_there = false;
    if (record_path(c, path) < 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "path too long");
    if (sp_fsat_read(c->host->root_fd, path, SP_PAMRECORD_MAX_BYTES, text, &st, err) < 0) {
        *ret_there = err->code != SP_E_NOT_FOUND;
        return err->code == SP_E_NO_MEMORY ? -1 : 0;
    }
    *ret_there = true;
    if (c->host->real && (st.st_uid != 0 || (st.st_mode & 07777) != 0600))
        sp_buf_clear(text);
    return 0;
}

static int add(const struct sp_ctx *c, struct sp_plan *p, int what, enum sp_phase phase, const char *from,
               const char *to, struct sp_error *err)
{
    struct sp_change *change = sp_plan_add(p, &sp_resource_access, phase,
                                           phase == SP_NARROW ? SP_TIGHTENS : SP_NEUTRAL, what, err);

    if (change == NULL)
        return -1;
    (void)sp_str_format(change->target, sizeof(change->target), SP_PAMRECORD_DIR "/%.200s",
                        c->desired->user);
    (void)sp_str_copy(change->from, sizeof(change->from), from);
    return sp_str_copy(change->to, sizeof(change->to), to);
}

static const char written[] = "written", different[] = "different", stricter[] = "only what both let in";

static int plan_write(const struct sp_ctx *c, struct sp_plan *p, const struct sp_buf *have, bool there,
                      struct sp_error *err)
{
    _cleanup_(sp_pamrecord_clear) struct sp_pamrecord now = {0}, want = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error ignored;

    if (wanted(c, &want, err) < 0 || sp_pamrecord_format(&want, &text, err) < 0)
        return -1;
    if (there && have->len == text.len && memcmp(have->data, text.data, text.len) == 0)
        return 0;
    /* None, or one that lets nobody in: nothing gets looser than what the account may have. */
    if (sp_pamrecord_parse(sp_buf_str(have), have->len, &now, &ignored) < 0 || now.uid != want.uid ||
        sp_pamrecord_is_stricter(&want, &now))
        return add(c, p, WRITE, SP_NARROW, there ? different : "", written, err);
    if (!sp_pamrecord_is_stricter(&now, &want) && add(c, p, MEET, SP_NARROW, different, stricter, err) < 0)
        return -1;
    return add(c, p, WRITE, SP_WIDEN, different, written, err);
}

static int access_plan(const struct sp_ctx *c, struct sp_plan *p, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf have = {0};
    bool there = false;

    if (read_now(c, &have, &there, err) < 0)
        return -1;
    if (c->user != NULL && !sp_ctx_absent(c))
        return plan_write(c, p, &have, there, err);
    if (!there || !sp_ctx_absent(c))
        return 0;
    return add(c, p, REMOVE, SP_WIDEN, written, "", err);
}

static int write_text(const struct sp_ctx *c, const struct sp_pamrecord *r, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = 0, .gid = 0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_close_ int dir = -1;

    if (sp_pamrecord_format(r, &text, err) < 0)
        return -1;
    dir = sp_fsat_make_dirs(c->host->root_fd, SP_PAMRECORD_DIR, 0700, err);
    return dir < 0 ? -1 : sp_replace_at(c->host, dir, r->user, text.data, text.len, &how, err);
}

static int apply_one(const struct sp_ctx *c, int what, struct sp_error *err)
{
    _cleanup_(sp_pamrecord_clear) struct sp_pamrecord now = {0}, want = {0}, both = {0};
    _cleanup_(sp_buf_clear) struct sp_buf have = {0};
    _cleanup_close_ int dir = -1;
    bool there = false;

    if (what == REMOVE) {
        dir = sp_fsat_open_dir(c->host->root_fd, SP_PAMRECORD_DIR, SP_FSAT_NONE, err);
        return dir < 0 ? -1 : sp_replace_remove(c->host, dir, c->desired->user, err);
    }
    if (wanted(c, &want, err) < 0)
        return -1;
    if (what == WRITE)
        return write_text(c, &want, err);
    if (read_now(c, &have, &there, err) < 0 ||
        sp_pamrecord_parse(sp_buf_str(&have), have.len, &now, err) < 0 ||
        sp_pamrecord_meet(&now, &want, &both, err) < 0)
        return -1;
    return write_text(c, &both, err);
}

static int access_apply(const struct sp_ctx *c, const struct sp_plan *p, enum sp_phase phase,
                        struct sp_error *err)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].resource == &sp_resource_access && p->v[i].phase == phase &&
            apply_one(c, p->v[i].what, err) < 0)
            return -1;
    return 0;
}

static int access_read_back(const struct sp_ctx *c, struct sp_change *change, struct sp_error *err)
{
    _cleanup_(sp_pamrecord_clear) struct sp_pamrecord now = {0};
    _cleanup_(sp_buf_clear) struct sp_buf have = {0};
    struct sp_error ignored;
    bool there = false;

    if (read_now(c, &have, &there, err) < 0)
        return -1;
    if (there && sp_pamrecord_parse(sp_buf_str(&have), have.len, &now, &ignored) < 0)
        return sp_str_copy(change->read_back, sizeof(change->read_back), different);
    return sp_str_copy(change->read_back, sizeof(change->read_back),
                       !there                 ? ""
                       : change->what == MEET ? stricter
                                              : written);
}

const struct sp_resource sp_resource_access = {"access", access_plan, access_apply, access_read_back, NULL};
