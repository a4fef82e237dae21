/* SPDX-License-Identifier: GPL-3.0-or-later */
/* passwd(5), group(5) and gshadow(5) as somebody left them: one line changes, every other byte stays. */
#include "fuzz.h"
#include "model/pwfile.h"

#define SHELL "/usr/libexec/sallyport/chroot-bash"

/* All but what stands between `from` and the `tail` last bytes is the same in both. */
static void same_beside(const char *old, size_t len, const struct sp_buf *out, size_t offset, size_t line)
{
    size_t tail = len - offset - line;

    REQUIRE(out->len >= offset + tail);
    REQUIRE(memcmp(old, out->data, offset) == 0);
    REQUIRE(memcmp(old + offset + line, out->data + out->len - tail, tail) == 0);
}

static void shell(const char *bytes, size_t len)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_pwfile_line line = {0}, after = {0};
    struct sp_error err = {0};

    if (sp_pwfile_find(bytes, len, "site1", &line, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    if (sp_pwfile_set_shell(bytes, len, "site1", line.uid, SHELL, &out, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    same_beside(bytes, len, &out, line.offset, line.len);
    REQUIRE(sp_pwfile_find(out.data, out.len, "site1", &after, &err) == 0);
    REQUIRE(sp_streq(after.shell, SHELL) && after.uid == line.uid && after.gid == line.gid &&
            sp_streq(after.home, line.home));
}

static void member(const char *bytes, size_t len, enum sp_grfile_kind kind, enum sp_grfile_membership want)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_grfile_line line = {0}, after = {0};
    struct sp_error err = {0};

    if (sp_grfile_find(bytes, len, kind, "sallyport", &line, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    if (sp_grfile_set_member(bytes, len, kind, "sallyport", "site1", want, &out, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    same_beside(bytes, len, &out, line.offset, line.len);
    REQUIRE(sp_grfile_find(out.data, out.len, kind, "sallyport", &after, &err) == 0 &&
            after.gid == line.gid);
    REQUIRE(sp_grfile_is_member(out.data, &after, "site1") == want);
}

static void append(const char *bytes, size_t len)
{
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_grfile_line line = {0};
    struct sp_error err = {0};

    if (sp_grfile_append(bytes, len, SP_GRFILE_GROUP, "sallyport", 977, &out, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    REQUIRE(out.len > len && (len == 0 || memcmp(out.data, bytes, len) == 0));
    REQUIRE(sp_grfile_find(out.data, out.len, SP_GRFILE_GROUP, "sallyport", &line, &err) == 0 &&
            line.gid == 977);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_string(data, size);

    shell(text, size);
    for (int kind = SP_GRFILE_GROUP; kind <= SP_GRFILE_GSHADOW; kind++)
        for (int want = SP_GRFILE_ABSENT; want <= SP_GRFILE_MEMBER; want++)
            member(text, size, (enum sp_grfile_kind)kind, (enum sp_grfile_membership)want);
    append(text, size);
    return 0;
}
