/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/loginlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/spawn.h"
#include "model/when.h"

#define JOURNALCTL "/usr/bin/journalctl"
#define JOURNAL_DEADLINE_MS 10000

typedef void visit_line(const char *line, size_t len, void *data);

static void each_line(const char *bytes, size_t len, visit_line *visit, void *data)
{
    for (size_t at = 0; at < len;) {
        const char *end = memchr(bytes + at, '\n', len - at);
        size_t n = end != NULL ? (size_t)(end - bytes) - at : len - at;
        visit(bytes + at, n, data);
        at += n + 1;
    }
}

/* The end of a file; the line that is cut at its beginning is nobody's. */
static int read_end(struct sp_host *h, const char *path, struct sp_buf *out, bool *ret_cut,
                    struct sp_error *err)
{
    _cleanup_close_ int fd = sp_fsat_open(h->root_fd, path, O_RDONLY | O_NONBLOCK, 0, SP_FSAT_FOLLOW, err);
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return sp_fail(err, SP_E_UNSAFE_PATH, 0, "%s is no log file", path);
    *ret_cut = st.st_size > (off_t)SP_LOGINLOG_MAX_BYTES;
    if (*ret_cut && lseek(fd, st.st_size - (off_t)SP_LOGINLOG_MAX_BYTES, SEEK_SET) < 0)
        return sp_fail(err, SP_E_IO, errno, "%s", path);
    while (out->len < SP_LOGINLOG_MAX_BYTES) {
        ssize_t n = sp_buf_read(out, fd, SP_LOGINLOG_MAX_BYTES - out->len);
        if (n < 0)
            return sp_fail(err, SP_E_IO, errno, "%s", path);
        if (n == 0)
            break;
    }
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int from_file(struct sp_host *h, const char *path, visit_line *visit, void *data,
                     struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf older = {0}, newer = {0};
    struct sp_error ignored;
    char rotated[512];
    bool cut = false, older_cut = false;

    if (read_end(h, path, &newer, &cut, err) < 0)
        return -1;
    if (!cut && sp_str_format(rotated, sizeof(rotated), "%s.1", path) == 0 &&
        read_end(h, rotated, &older, &older_cut, &ignored) == 0) {
        if (older_cut)
            visit(NULL, 0, data);
        each_line(sp_buf_str(&older), older.len, visit, data);
    }
    if (cut)
        visit(NULL, 0, data);
    each_line(sp_buf_str(&newer), newer.len, visit, data);
    return 0;
}

static int from_journal(struct sp_host *h, int64_t since, visit_line *visit, void *data,
                        struct sp_error *err)
{
    char from[64];
    /* Fields with an underscore are the journal's own word for who wrote it. */
    const char *argv[] = {JOURNALCTL, "-q",     "--lines=100000", "--no-pager",         "-o", "short-unix",
                          from,       "_UID=0", "_COMM=sshd",     "_COMM=sshd-session", NULL};
    _cleanup_(sp_spawn_clear) struct sp_spawn run = {
        .argv = argv, .deadline_ms = JOURNAL_DEADLINE_MS, .max_output = SP_LOGINLOG_MAX_BYTES};

    if (sp_str_format(from, sizeof(from), "--since=@%lld", (long long)since) < 0 ||
        h->ops->spawn(h, &run, err) < 0)
        return -1;
    if (run.status != 0)
        return sp_fail(err, SP_E_NOT_FOUND, 0, "journalctl shows no journal");
    each_line(sp_buf_str(&run.out), run.out.len, visit, data);
    return 0;
}

bool sp_loginlog_is_journal(struct sp_host *h, const char *path)
{
    /* What cannot be looked at is asked: a file would be believed in its place. */
    return path[0] == '\0' && !sp_fsat_is_missing(h->root_fd, "/run/systemd/journal/socket") &&
           !sp_fsat_is_missing(h->root_fd, JOURNALCTL);
}

int sp_loginlog_each(struct sp_host *h, const char *path, int64_t since, visit_line *visit, void *data,
                     struct sp_error *err)
{
    static const char *const files[] = {"/var/log/auth.log", "/var/log/secure"};

    if (path[0] != '\0')
        return from_file(h, path, visit, data, err);
    /* Never a file beside a journal: whoever can write to /dev/log would choose what is believed. */
    if (sp_loginlog_is_journal(h, path))
        return from_journal(h, since, visit, data, err);
    for (size_t i = 0; i < SP_COUNT(files); i++)
        if (from_file(h, files[i], visit, data, err) == 0)
            return 0;
    sp_fail(err, SP_E_NOT_FOUND, 0, "no log of sshd's was found");
    return sp_hint(err, "name the file that it goes to: auth_log in sallyport.conf");
}

static int64_t when_traditional(struct sp_host *h, const char *at)
{
    time_t now = (time_t)h->ops->now(h), when;
    struct tm today, tm = {.tm_isdst = -1};
    const char *end;

    if (localtime_r(&now, &today) == NULL)
        return 0;
    tm.tm_year = today.tm_year;
    end = strptime(at, "%b %d %H:%M:%S", &tm);
    if (end == NULL || *end != '\0')
        return 0;
    when = mktime(&tm);
    if (when > now + 86400) { /* written before the turn of the year */
        tm.tm_year--;
        tm.tm_isdst = -1;
        when = mktime(&tm);
    }
    return when > 0 ? when : 0;
}

int64_t sp_loginlog_when(struct sp_host *h, const char *at)
{
    size_t whole = strcspn(at, "."), digits = strspn(at, "0123456789");
    char text[64];
    struct sp_error ignored;
    int64_t when = 0;
    uint64_t n = 0;

    if (at[0] >= 'A' && at[0] <= 'Z')
        return when_traditional(h, at);
    if (digits == whole && sp_str_format(text, sizeof(text), "%.*s", (int)whole, at) == 0 &&
        sp_str_to_u64(text, SP_WHEN_MAX, &n) == 0)
        return (int64_t)n;
    if (at[whole] == '.') /* RFC 3339 with a fraction */
        digits = 1 + strspn(at + whole + 1, "0123456789");
    else
        digits = 0;
    if (sp_str_format(text, sizeof(text), "%.*s%s", (int)whole, at, at + whole + digits) < 0 ||
        sp_when_parse(text, &when, &ignored) < 0)
        return 0;
    return when;
}
