/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/fwstore.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/lock.h"
#include "host/replace.h"
#include "model/fwstate.h"

#define LOCK SP_STORE "/firewall.lock"
#define PENDING "firewall.pending"
#define LOCK_DEADLINE_MS 10000

static const char *const paths[] = {
    [SP_FWSTORE_CURRENT] = SP_STORE "/firewall.json",
    [SP_FWSTORE_LAST_GOOD] = SP_STORE "/firewall.json-",
};

static int make_store(struct sp_host *h, struct sp_error *err)
{
    _cleanup_close_ int fd = -1;

    if (sp_fsat_exists(h->root_fd, SP_STORE))
        return 0;
    fd = sp_fsat_make_dirs(h->root_fd, SP_STORE, 0711, err);
    return fd < 0 ? -1 : 0;
}

int sp_fwstore_lock(struct sp_host *h, struct sp_error *err)
{
    return make_store(h, err) < 0 ? -1 : sp_lock_take(h, LOCK, LOCK_DEADLINE_MS, err);
}

int sp_fwstore_load(struct sp_host *h, enum sp_fwstore_copy which, struct sp_fw_policy *ret,
                    struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    if (sp_fsat_read(h->root_fd, paths[which], SP_FWSTATE_MAX_BYTES, &text, NULL, err) == 0)
        return sp_fwstate_parse(sp_buf_str(&text), text.len, ret, err);
    if (err->code != SP_E_NOT_FOUND)
        return -1;
    if (which == SP_FWSTORE_CURRENT && !sp_fsat_exists(h->root_fd, paths[SP_FWSTORE_LAST_GOOD]))
        return 0;
    (void)sp_fail(err, SP_E_STATE, 0, "%s is missing, though there was one", paths[which]);
    return sp_hint(err,
                   "what is in force stays in force; copy firewall.json- back, or remove it to begin anew");
}

/* The copy comes second: between the two it is one change behind, never half of one. */
int sp_fwstore_save(struct sp_host *h, const struct sp_fw_policy *p, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    if (sp_fwstate_format(p, &text, err) < 0 || make_store(h, err) < 0)
        return -1;
    if (sp_replace_path(h, paths[SP_FWSTORE_CURRENT], text.data, text.len, &how, err) < 0)
        return -1;
    return sp_replace_path(h, paths[SP_FWSTORE_LAST_GOOD], text.data, text.len, &how, err);
}

int sp_fwstore_follow(struct sp_host *h, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1};
    _cleanup_(sp_buf_clear) struct sp_buf current = {0}, copy = {0};
    struct sp_error ignored;

    if (sp_fsat_read(h->root_fd, paths[SP_FWSTORE_CURRENT], SP_FWSTATE_MAX_BYTES, &current, NULL, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (sp_fsat_read(h->root_fd, paths[SP_FWSTORE_LAST_GOOD], SP_FWSTATE_MAX_BYTES, &copy, NULL,
                     &ignored) == 0 &&
        current.len == copy.len && memcmp(sp_buf_str(&current), sp_buf_str(&copy), copy.len) == 0)
        return 0;
    return sp_replace_path(h, paths[SP_FWSTORE_LAST_GOOD], current.data, current.len, &how, err);
}

int sp_fwstore_load_pending(struct sp_host *h, struct sp_fw_pending *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    if (sp_fsat_read(h->root_fd, SP_STORE "/" PENDING, SP_FWSTATE_MAX_BYTES, &text, NULL, err) == 0)
        return sp_fwpending_parse(sp_buf_str(&text), text.len, ret, err);
    return err->code == SP_E_NOT_FOUND ? 0 : -1;
}

int sp_fwstore_save_pending(struct sp_host *h, const struct sp_fw_pending *p, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    if (sp_fwpending_format(p, &text, err) < 0 || make_store(h, err) < 0)
        return -1;
    return sp_replace_path(h, SP_STORE "/" PENDING, text.data, text.len, &how, err);
}

int sp_fwstore_drop_pending(struct sp_host *h, struct sp_error *err)
{
    _cleanup_close_ int dir = sp_fsat_open_dir(h->root_fd, SP_STORE, SP_FSAT_NONE, err);

    return dir < 0 ? -1 : sp_replace_remove(dir, PENDING, err);
}
