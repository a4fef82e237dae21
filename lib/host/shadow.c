/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/shadow.h"

#include "base/mem.h"
#include "base/str.h"
#include "host/dbfile.h"
#include "model/pwline.h"

#define FIELDS 9
enum { PASSWORD = 1, CHANGED = 2, MAXIMUM = 4, INACTIVE = 6, EXPIRES = 7 };

/* -1: empty, or no number of days. */
static int64_t days_of(const struct sp_slice *field)
{
    char days[24];
    uint64_t n;

    return sp_slice_copy(*field, days, sizeof(days)) && sp_str_to_u64(days, UINT32_MAX, &n) == 0
               ? (int64_t)n
               : -1;
}

/* shadow(5): so long after the last change, and then so long again. */
static int64_t closing_day(const struct sp_slice *field)
{
    int64_t changed = days_of(&field[CHANGED]), maximum = days_of(&field[MAXIMUM]);
    int64_t inactive = days_of(&field[INACTIVE]);

    return changed > 0 && maximum >= 0 && inactive >= 0 ? changed + maximum + inactive : -1;
}

int sp_shadow_parse(const char *bytes, size_t len, const char *name, struct sp_shadow *ret,
                    struct sp_error *err)
{
    struct sp_slice field[FIELDS];
    struct sp_pwline line;

    *ret = (struct sp_shadow){.expires = -1, .closes = -1};
    if (sp_pwline_find(bytes, len, "shadow", name, &line, err) != 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (!sp_pwline_split(line.text, FIELDS, field))
        return sp_pwline_malformed("shadow", name, err);
    ret->exists = true;
    ret->locked = field[PASSWORD].len > 0 && field[PASSWORD].p[0] == '!';
    ret->has_password =
        field[PASSWORD].len > 1 && field[PASSWORD].p[0] != '!' && field[PASSWORD].p[0] != '*';
    ret->expires = days_of(&field[EXPIRES]);
    ret->closes = closing_day(field);
    return 0;
}

int sp_shadow_get(struct sp_host *h, const char *name, struct sp_shadow *ret, struct sp_error *err)
{
    _cleanup_(sp_dbfile_clear) struct sp_dbfile f = SP_DBFILE_INIT;

    *ret = (struct sp_shadow){.expires = -1, .closes = -1};
    if (sp_dbfile_read(h, "shadow", &f, err) != 0)
        return -1;
    return sp_shadow_parse(f.bytes.data, f.bytes.len, name, ret, err);
}
