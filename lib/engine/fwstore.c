/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/fwstore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "host/lock.h"
#include "host/replace.h"
#include "model/fwfile.h"
#include "model/fwstate.h"

#define LOCK SP_STORE "/firewall.lock"
#define PENDING "firewall.pending"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define LOCK_DEADLINE_MS 10000

/* Since Linux 5.14; younger than the headers of some supported hosts. */
#define MADV_POPULATE_WRITE_ 23
#define WORTH_IT ((size_t)64 << 10)
#define MOSTLY_COMMENTS                                                                                    \
    ((size_t)512 << 10) /* more is not entries, but their comments: they are not copied */

#define CURRENT "firewall.json"
#define COPY "firewall.json-"

static const char *const paths[] = {
    [SP_FWSTORE_CURRENT] = SP_STORE "/" CURRENT,
    [SP_FWSTORE_LAST_GOOD] = SP_STORE "/" COPY,
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

int sp_fwstore_boot_id(struct sp_host *h, char ret[SP_FW_BOOT_ID_SIZE], struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    if (sp_fsat_read(h->root_fd, BOOT_ID, 64, &text, NULL, err) < 0)
        return -1;
    if (text.len > 0)
        text.data[strcspn(text.data, "\n")] = '\0';
    return sp_str_copy(ret, SP_FW_BOOT_ID_SIZE, sp_buf_str(&text)) < 0
               ? sp_fail(err, SP_E_IO, 0, "%s cannot be read", BOOT_ID)
               : 0;
}

/* Each page of memory is a fault when it is first written, which with 10,000 sources costs a tenth of a
 * request. What reading and changing a file of this length takes is asked for at once, and given back to
 * malloc(3), which keeps it (cmd/start.c). An old kernel refuses, and nothing is lost. */
static void ready_memory(size_t len)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE),
                 size = (len < MOSTLY_COMMENTS ? len : MOSTLY_COMMENTS) * 10;
    _cleanup_free_ char *block = len >= WORTH_IT ? malloc(size) : NULL;
    const size_t head = page - (uintptr_t)block % page;

    if (block != NULL)
        (void)madvise(block + head, (size - head) / page * page, MADV_POPULATE_WRITE_);
}

int sp_fwstore_load(struct sp_host *h, enum sp_fwstore_copy which, struct sp_fw_policy *ret,
                    uint64_t *ret_sum, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    *ret_sum = 0;
    if (sp_fsat_read(h->root_fd, paths[which], SP_FWFILE_MAX_BYTES, &text, NULL, err) == 0) {
        ready_memory(text.len);
        return sp_fwfile_parse(sp_buf_str(&text), text.len, ret, ret_sum, err);
    }
    if (err->code != SP_E_NOT_FOUND)
        return -1;
    if (which == SP_FWSTORE_CURRENT && sp_fsat_is_missing(h->root_fd, paths[SP_FWSTORE_LAST_GOOD]))
        return 0;
    (void)sp_fail(err, SP_E_STATE, 0, "%s is missing, though there was one", paths[which]);
    return sp_hint(err, "cp -p %s- %s; sallyport firewall restore", paths[SP_FWSTORE_CURRENT],
                   paths[SP_FWSTORE_CURRENT]);
}

/* What others find under that name now; piece by piece, since new pages for all of it would cost more. */
static int read_back(struct sp_host *h, const struct sp_buf *text, struct sp_error *err)
{
    _cleanup_close_ int fd = sp_fsat_open(h->root_fd, paths[SP_FWSTORE_CURRENT],
                                          O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, SP_FSAT_NONE, err);
    char piece[16384];
    size_t at = 0;
    ssize_t n;

    if (fd < 0)
        return -1;
    while ((n = read(fd, piece, sizeof(piece))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return sp_fail(err, SP_E_IO, errno, "%s cannot be read", paths[SP_FWSTORE_CURRENT]);
        if ((size_t)n > text->len - at || memcmp(piece, text->data + at, (size_t)n) != 0)
            break;
        at += (size_t)n;
    }
    return n == 0 && at == text->len
               ? 0
               : sp_fail(err, SP_E_IO, 0, "%s is not what was written", paths[SP_FWSTORE_CURRENT]);
}

/* In place, which costs less than a file beside it that is renamed: what is torn has no sum, and the file
 * itself is whole by then. A copy that stays behind is an error: it would be put in force one day as the
 * last good one. The next request mends it (sp_fwstore_follow()). */
static int write_copy(int dir, const struct sp_buf *text, struct sp_error *err)
{
    _cleanup_close_ int fd =
        sp_fsat_open(dir, COPY, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY, 0600, SP_FSAT_NONE, err);

    if (fd < 0)
        return -1;
    if (pwrite(fd, text->data, text->len, 0) != (ssize_t)text->len ||
        ftruncate(fd, (off_t)text->len) != 0 || fchmod(fd, 0600) != 0)
        return sp_fail(err, SP_E_IO, errno, "%s cannot be written", paths[SP_FWSTORE_LAST_GOOD]);
    return 0;
}

/* The copy comes second: between the two it is one change behind. */
int sp_fwstore_save(struct sp_host *h, const struct sp_fw_policy *p, struct sp_buf *ret_text,
                    uint64_t *ret_sum, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_close_ int dir = -1;

    if (sp_fwfile_format(p, &text, ret_sum, err) < 0 || make_store(h, err) < 0)
        return -1;
    dir = sp_fsat_open_dir(h->root_fd, SP_STORE, SP_FSAT_NONE, err);
    if (dir < 0 || sp_replace_at(h, dir, CURRENT, text.data, text.len, &how, err) < 0)
        return -1;
    if (write_copy(dir, &text, err) < 0 || read_back(h, &text, err) < 0)
        return -1;
    if (ret_text != NULL) {
        sp_buf_clear(ret_text);
        *ret_text = text;
        text = (struct sp_buf){0};
    }
    return 0;
}

int sp_fwstore_follow(struct sp_host *h, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1};
    _cleanup_(sp_buf_clear) struct sp_buf current = {0}, copy = {0};
    struct sp_error ignored;

    if (sp_fsat_read(h->root_fd, paths[SP_FWSTORE_CURRENT], SP_FWFILE_MAX_BYTES, &current, NULL, err) < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (sp_fsat_read(h->root_fd, paths[SP_FWSTORE_LAST_GOOD], SP_FWFILE_MAX_BYTES, &copy, NULL, &ignored) ==
            0 &&
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

    return dir < 0 ? -1 : sp_replace_remove(h, dir, PENDING, err);
}

void sp_fwstore_tidy(struct sp_host *h)
{
    static const char *const left[] = {SP_STORE "/" CURRENT SP_REPLACE_SUFFIX,
                                       SP_STORE "/" PENDING SP_REPLACE_SUFFIX};

    for (size_t i = 0; i < SP_COUNT(left); i++)
        (void)unlinkat(h->root_fd, left[i] + 1, 0);
}
