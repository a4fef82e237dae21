/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/extra.h"

#include "base/str.h"

void sp_extra_dir(uint32_t owner_uid, char ret[SP_PATH_SIZE])
{
    (void)sp_str_format(ret, SP_PATH_SIZE, SP_LOGINS_DIR "/%u", owner_uid);
}

void sp_extra_home(const struct sp_account *a, char ret[SP_PATH_SIZE])
{
    (void)sp_str_format(ret, SP_PATH_SIZE, SP_LOGINS_DIR "/%u/%s", a->extra.owner_uid, a->user);
}

void sp_extra_map(const struct sp_account *a, struct sp_idmap *ret)
{
    *ret = (struct sp_idmap){a->extra.owner_uid, a->extra.owner_gid, a->uid, a->uid};
}

/* The owner's keys would let in whoever can write to them. */
static int hide(const struct sp_account *a, struct sp_record *r, struct sp_error *err)
{
    const char *home = a->extra.owner_home, *rest = NULL;

    if (home[0] == '\0' || !sp_str_prefix(home, r->roots[0], &rest) || (rest[0] != '\0' && rest[0] != '/'))
        return 0;
    if (sp_str_format(r->hidden[r->n_hidden++], SP_RECORD_PATH, "%s/.ssh", home) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "the home of %s is too long a path", a->extra.owner);
    return 0;
}

int sp_extra_record(const struct sp_account *a, struct sp_record *r, struct sp_error *err)
{
    r->files_uid = a->extra.owner_uid;
    r->files_gid = a->extra.owner_gid;
    r->read_only = a->extra.access == SP_EXTRA_READS;
    r->until = a->access.valid_until;
    if (sp_str_copy(r->home, sizeof(r->home), r->roots[0]) < 0)
        return sp_fail(err, SP_E_INVALID, 0, "the document root is too long a path");
    return hide(a, r, err);
}
