/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shadow(5) and the files beside it as whole lines: read for whether a login is shut, kept over another
 * program's writing (what stands behind a line "---"), added and taken away; and the table that stands for
 * a file answers as the file does. */
#include "fuzz.h"
#include "host/shadow.h"
#include "model/pwindex.h"
#include "model/pwuser.h"
#include "model/shfile.h"

#define NAME "site1"
#define PASSWD "root:x:0:0::/root:/bin/bash\nsite1:x:1001:1001::/home/site1:/bin/bash\n"

static void judge(const char *bytes, size_t len)
{
    struct sp_shadow s = {0};
    struct sp_error err = {0};

    if (sp_shadow_parse(bytes, len, NAME, &s, &err) < 0)
        fuzz_refused(&err);
    REQUIRE(s.exists || (!s.locked && !s.has_password && s.expires == -1 && s.closes == -1));
    REQUIRE(!s.locked || !s.has_password);
    REQUIRE(s.expires >= -1 && s.closes >= -1);
}

static void keep(const char *before, size_t before_len, const char *now, size_t now_len)
{
    const struct sp_shfile f = {{before, before_len}, {now, now_len}, {PASSWD, sizeof(PASSWD) - 1}, NAME};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err = {0};
    struct sp_pwline line;
    size_t lost = 0, lines = 0, kept = 0;

    REQUIRE(sp_shfile_keep(&f, &out, &lost, &err) == 0);
    for (size_t at = 0; sp_pwline_next(now, now_len, at, &line); at = line.next)
        lines++;
    for (size_t at = 0; sp_pwline_next(out.data, out.len, at, &line); at = line.next)
        kept++;
    REQUIRE(kept == lines + lost);
}

static void add_and_remove(const char *bytes, size_t len, enum sp_pwuser_file file)
{
    const struct sp_pwuser user = {NAME, 1001, "/home/site1", "/bin/bash", 20000};
    _cleanup_(sp_buf_clear) struct sp_buf with = {0}, without = {0};
    struct sp_error err = {0};

    if (sp_pwuser_add(bytes, len, file, &user, &with, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    REQUIRE(with.len >= len && (len == 0 || memcmp(with.data, bytes, len) == 0));
    REQUIRE(sp_pwuser_has(with.data, with.len, file, NAME, 0));
    REQUIRE(sp_pwuser_remove(with.data, with.len, file, NAME, 1001, &without, &err) == 0);
    REQUIRE(!sp_pwuser_has(without.data, without.len, file, NAME, 0));
    if (with.len > len) /* it was added: what stood there stands, with its last line ended */
        REQUIRE(without.len >= len && without.len <= len + 1 &&
                (len == 0 || memcmp(without.data, bytes, len) == 0));
}

static void table(const char *bytes, size_t len, enum sp_pwindex_kind kind)
{
    _cleanup_(sp_pwindex_clear) struct sp_pwindex x = {0};
    struct sp_grfile_line group = {0}, same = {0};
    struct sp_pwline line = {0}, found = {0};
    struct sp_error err = {0};
    int rc;

    if (sp_pwindex_build(bytes, len, kind, &x) < 0)
        return;
    rc = sp_pwline_find(bytes, len, "passwd", NAME, &found, &err);
    switch (sp_pwindex_find(&x, NAME, &line)) {
    case SP_PWINDEX_YES:
        REQUIRE(rc == 0 && line.text.p == found.text.p && line.text.len == found.text.len);
        break;
    case SP_PWINDEX_NO:
        REQUIRE(rc < 0 && err.code == SP_E_NOT_FOUND);
        break;
    case SP_PWINDEX_UNSURE:
        break;
    }
    if (kind != SP_PWINDEX_GROUP || sp_pwindex_group(&x, NAME, &group) != SP_PWINDEX_YES)
        return;
    REQUIRE(sp_grfile_find(bytes, len, SP_GRFILE_GROUP, NAME, &same, &err) == 0);
    REQUIRE(memcmp(&group, &same, sizeof(group)) == 0);
    REQUIRE(sp_pwindex_is_member(&x, &group, "other") ==
            (sp_grfile_is_member(bytes, &same, "other") == SP_GRFILE_MEMBER));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_string(data, size);
    const char *cut = memmem(text, size, "---\n", 4);
    size_t len = cut != NULL ? (size_t)(cut - text) : size, rest = cut != NULL ? size - len - 4 : 0;

    judge(text, size);
    keep(text, len, text + size - rest, rest);
    for (int file = SP_PWUSER_PASSWD; file <= SP_PWUSER_GSHADOW; file++)
        add_and_remove(text, size, (enum sp_pwuser_file)file);
    table(text, size, SP_PWINDEX_PASSWD);
    table(text, size, SP_PWINDEX_GROUP);
    return 0;
}
