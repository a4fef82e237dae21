/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The list of revoked certificates: made by ssh-keygen beside the one in force, tested, then moved there.
 */
#include <sha2.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/replace.h"
#include "host/spawn.h"
#include "resource/certstore.h"

#define SUM SP_CA_DIR "/revoked.sum"
#define KRL_MAX_BYTES (64U << 20)
#define KEYGEN_DEADLINE_MS 20000

static const char made[] = SP_CA_DIR "/revoked.made", spec_file[] = SP_CA_DIR "/revoked.spec";

typedef char digest[SHA256_DIGEST_STRING_LENGTH];

static void digest_of(const struct sp_buf *b, digest out)
{
    (void)SHA256Data((const uint8_t *)sp_buf_str(b), b->len, out);
}

/* The two hashes that were noted when the list was made; "" where there are none. */
static void read_sum(struct sp_host *h, digest krl, digest spec)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error ignored;
    const size_t hex = sizeof(digest) - 1;

    krl[0] = spec[0] = '\0';
    if (sp_fsat_read(h->root_fd, SUM, 256, &text, NULL, &ignored) < 0 || text.len != 2 * hex + 2)
        return;
    memcpy(krl, text.data, hex);
    memcpy(spec, text.data + hex + 1, hex);
    krl[hex] = spec[hex] = '\0';
}

static bool is_as_noted(struct sp_host *h, const digest noted)
{
    _cleanup_(sp_buf_clear) struct sp_buf bytes = {0};
    struct sp_error ignored;
    struct stat st;
    digest now;

    if (noted[0] == '\0' ||
        sp_fsat_read(h->root_fd, SP_CA_REVOKED, KRL_MAX_BYTES, &bytes, &st, &ignored) < 0 ||
        (h->real && (st.st_uid != 0 || (st.st_mode & 022) != 0)))
        return false;
    digest_of(&bytes, now);
    return sp_streq(now, noted);
}

bool sp_certstore_krl_stands(struct sp_host *h)
{
    digest krl, spec;

    read_sum(h, krl, spec);
    return is_as_noted(h, krl);
}

bool sp_certstore_krl_lists(struct sp_host *h, uint64_t serial)
{
    _cleanup_(sp_buf_clear) struct sp_buf spec = {0};
    struct sp_error ignored;
    digest krl, made_of, now;
    char line[40];
    const char *at;

    read_sum(h, krl, made_of);
    if (!is_as_noted(h, krl) ||
        sp_fsat_read(h->root_fd, spec_file, KRL_MAX_BYTES, &spec, NULL, &ignored) < 0)
        return false;
    digest_of(&spec, now);
    (void)sp_str_format(line, sizeof(line), "serial: %llu\n", (unsigned long long)serial);
    at = strstr(sp_buf_str(&spec), line);
    return at != NULL && sp_streq(now, made_of);
}

static int keygen(struct sp_host *h, const char *const *argv, struct sp_buf *out, struct sp_error *err)
{
    _cleanup_(sp_spawn_clear) struct sp_spawn run = {
        .argv = argv, .deadline_ms = KEYGEN_DEADLINE_MS, .max_output = KRL_MAX_BYTES};

    if (h->ops->spawn(h, &run, err) < 0)
        return -1;
    if (run.status != 0)
        return sp_fail(err, SP_E_REJECTED, 0, "ssh-keygen does not make the list of revoked ones: %.200s",
                       sp_buf_str(&run.err_out));
    sp_buf_add(out, run.out.data, run.out.len);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static size_t count_lines(const char *text)
{
    size_t n = 0;

    for (; (text = strchr(text, '\n')) != NULL; text++)
        n++;
    return n;
}

/* How many serials `ssh-keygen -Q -l` lists: "serial: 5" is one, "serial: 5-9" are five. */
static size_t count_listed(const char *text)
{
    size_t n = 0;

    while ((text = strstr(text, "serial: ")) != NULL) {
        char *end = NULL;
        unsigned long long first = strtoull(text + 8, &end, 10), last = first;
        if (*end == '-')
            last = strtoull(end + 1, &end, 10);
        n += (size_t)(last - first + 1);
        text = end;
    }
    return n;
}

/* A list that ssh-keygen cannot read, that names a CA's own key, or that lacks one, is never put in force.
 */
static int test_made(struct sp_host *h, size_t wanted, struct sp_error *err)
{
    _cleanup_(sp_cas_clear) struct sp_cas cas = {0};

    if (sp_cas_read(h, &cas, err) < 0)
        return -1;
    for (size_t i = 0; i < cas.n; i++) {
        _cleanup_(sp_buf_clear) struct sp_buf listed = {0};
        char public[SP_PATH_SIZE];
        const char *argv[] = {SP_SSH_KEYGEN, "-Q", "-l", "-f", made, public, NULL};
        (void)sp_str_format(public, sizeof(public), SP_CA_DIR "/%u.pub", cas.v[i].number);
        if (keygen(h, argv, &listed, err) < 0)
            return -1;
        if (count_listed(sp_buf_str(&listed)) != wanted)
            return sp_fail(err, SP_E_INTERNAL, 0, "the list of revoked ones holds %zu serials, not %zu",
                           count_listed(sp_buf_str(&listed)), wanted);
    }
    return 0;
}

/* PROTOCOL.krl: KRL_MAGIC. To sshd a file without it is a plain list of keys, and an empty one is a list of
 * none: then nothing that was revoked would be. */
static bool is_krl(const struct sp_buf *b)
{
    static const char magic[8] = "SSHKRL\n";

    return b->len > sizeof(magic) && memcmp(b->data, magic, sizeof(magic)) == 0;
}

static int make(struct sp_host *h, const struct sp_buf *spec, struct sp_error *err)
{
    static const char *const argv[] = {SP_SSH_KEYGEN, "-q",   "-k",      "-f", made,
                                       "-s",          "none", spec_file, NULL};
    const struct sp_replace hidden = {.mode = 0600, .uid = 0, .gid = 0},
                            shown = {.mode = 0644, .uid = 0, .gid = 0};
    _cleanup_(sp_buf_clear) struct sp_buf bytes = {0}, ignored = {0}, sum = {0};
    digest krl, made_of;

    if (sp_replace_path(h, spec_file, sp_buf_str(spec), spec->len, &hidden, err) < 0 ||
        keygen(h, argv, &ignored, err) < 0 ||
        sp_fsat_read(h->root_fd, made, KRL_MAX_BYTES, &bytes, NULL, err) < 0)
        return -1;
    if (!is_krl(&bytes)) {
        sp_fail(err, SP_E_REJECTED, 0, "ssh-keygen made no list of revoked ones");
        return sp_hint(err, "is there room on the disk? the list that stood is in force");
    }
    if (test_made(h, count_lines(sp_buf_str(spec)), err) < 0)
        return -1;
    digest_of(&bytes, krl);
    digest_of(spec, made_of);
    sp_buf_printf(&sum, "%s %s\n", krl, made_of);
    if (!sp_buf_ok(&sum))
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (sp_replace_path(h, SP_CA_REVOKED, bytes.data, bytes.len, &shown, err) < 0)
        return -1;
    return sp_replace_path(h, SUM, sp_buf_str(&sum), sum.len, &hidden, err);
}

int sp_certstore_krl(struct sp_host *h, const struct sp_certlog *log, int64_t now, bool *ret_changed,
                     struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf spec = {0};
    digest krl, made_of, wanted;

    if (sp_certlog_krl(log, now, &spec, err) < 0)
        return -1;
    read_sum(h, krl, made_of);
    digest_of(&spec, wanted);
    if (sp_streq(made_of, wanted) && is_as_noted(h, krl))
        return 0;
    if (ret_changed != NULL)
        *ret_changed = true;
    return make(h, &spec, err);
}
