/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/errand.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/caps.h"
#include "host/generation.h"

/* Another number where one of the structs is another: a program may be replaced between both ends. */
#define FORMAT "sp-errand 1"

/* A set's proofs have 20 s each; the unit's own limit, 30 min, ends what hangs. */
enum { CONNECT_S = 10, ANSWER_MS = 25 * 60 * 1000, TAKE_MS = 10000 };

struct answer {
    char format[16];
    struct sp_error err;
    struct sp_tryshell shell;
};

bool sp_errand_is_ours(enum sp_errand_kind kind)
{
    return sp_process_may(kind == SP_ERRAND_DEV ? CAP_MKNOD : CAP_SYS_ADMIN);
}

static int nobody_listens(int os_errno, struct sp_error *err)
{
    sp_fail(
        err, SP_E_UNSUPPORTED, os_errno,
        "this process may make no mounts, namespaces and devices, and nobody listens at " SP_ERRAND_SOCKET);
    return sp_hint(err,
                   "systemctl start sallyport-jail.socket; a container needs CAP_SYS_ADMIN and CAP_MKNOD");
}

/* Root's own process alone: who listens there says what is proved. */
static int reach(struct sp_error *err)
{
    const struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = SP_ERRAND_SOCKET};
    const struct timeval patience = {.tv_sec = CONNECT_S};
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct ucred peer = {.uid = UINT32_MAX};
    socklen_t len = sizeof(peer);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
        return sp_fail(err, SP_E_IO, errno, "socket");
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
        return errno == EAGAIN ? sp_fail(err, SP_E_BUSY, errno, SP_ERRAND_SOCKET)
                               : nobody_listens(errno, err);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != 0)
        return sp_fail(err, SP_E_FORBIDDEN, 0, "uid %u listens at " SP_ERRAND_SOCKET, peer.uid);
    return sp_steal_fd(&fd);
}

#define ENDS(array) (memchr((array), '\0', sizeof(array)) != NULL)

/* Shown to people as it is: it was made by sp_fail(), there. */
static int take_answer(const struct sp_buf *b, struct sp_errand *e, struct sp_error *err)
{
    struct answer a;

    if (b->len != sizeof(a)) {
        sp_fail(err, SP_E_INTERNAL, 0, "sallyport-jail@.service ended without an answer");
        return sp_hint(err, "journalctl -u 'sallyport-jail@*'");
    }
    memcpy(&a, b->data, sizeof(a));
    if (strncmp(a.format, FORMAT, sizeof(a.format)) != 0 || (unsigned)a.err.code >= SP_E_COUNT ||
        !ENDS(a.err.field) || !ENDS(a.err.text) || !ENDS(a.err.hint) || !ENDS(a.shell.said)) {
        sp_fail(err, SP_E_BUSY, 0, "sallyport-jail@.service is of another version");
        return sp_hint(err, "ask again when the upgrade is done");
    }
    e->shell = a.shell;
    if (a.err.code == SP_OK)
        return 0;
    *err = a.err;
    return -1;
}

int sp_errand_run(struct sp_errand *e, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    _cleanup_close_ int fd = reach(err);

    if (fd < 0)
        return -1;
    (void)sp_str_copy(e->format, sizeof(e->format), FORMAT);
    if (send(fd, e, sizeof(*e), MSG_NOSIGNAL) != (ssize_t)sizeof(*e) || shutdown(fd, SHUT_WR) < 0)
        return sp_fail(err, SP_E_IO, errno, SP_ERRAND_SOCKET);
    if (sp_buf_read_fd(&b, fd, sizeof(struct answer), ANSWER_MS, err) < 0)
        return -1;
    return take_answer(&b, e, err);
}

int sp_errand_prove(const char *name, const struct sp_profile *const *profiles, size_t n,
                    struct sp_error *err)
{
    struct sp_errand e = {.kind = SP_ERRAND_PROVE};

    if (sp_str_copy(e.name, sizeof(e.name), name) < 0)
        return sp_fail(err, SP_E_INTERNAL, 0, "not the name of a generation: %s", name);
    if (sp_generation_set_name(profiles, n, e.profiles, err) < 0)
        return -1;
    return sp_errand_run(&e, err);
}

/* signal(7): SIGIO, which comes when the other end is closed, ends a process that does not catch it. */
static int end_with_peer(int fd)
{
    struct pollfd now = {.fd = fd};

    if (fcntl(fd, F_SETOWN, getpid()) < 0 || fcntl(fd, F_SETFL, O_ASYNC) < 0 || poll(&now, 1, 0) < 0)
        return -1;
    if ((now.revents & POLLHUP) == 0)
        return 0;
    errno = ECONNRESET; /* it was before */
    return -1;
}

int sp_errand_take(int fd, struct sp_errand *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};

    if (sp_buf_read_fd(&b, fd, sizeof(*ret), TAKE_MS, err) < 0)
        return -1;
    if (b.len != sizeof(*ret))
        return sp_fail(err, SP_E_PARSE, 0, "%zu bytes are no errand", b.len);
    memcpy(ret, b.data, sizeof(*ret));
    if (strncmp(ret->format, FORMAT, sizeof(ret->format)) != 0 || ret->kind >= SP_ERRAND_KINDS ||
        !ENDS(ret->name) || !ENDS(ret->profiles) || !ENDS(ret->path) || !ENDS(ret->shell.said))
        return sp_fail(err, SP_E_PARSE, 0, "no errand of this version");
    if (end_with_peer(fd) < 0)
        return sp_fail(err, SP_E_IO, errno, "who asked is gone");
    if (!sp_errand_is_ours(ret->kind)) {
        sp_fail(err, SP_E_UNSUPPORTED, 0,
                "sallyport-jail@.service has not the capabilities that it is for");
        return sp_hint(err, "mount and PID namespaces are needed; some containers forbid them");
    }
    return 0;
}

int sp_errand_answer(int fd, const struct sp_errand *e, const struct sp_error *failure)
{
    struct answer a = {.format = FORMAT, .shell = e->shell};

    if (failure != NULL)
        a.err = *failure;
    return sp_write_all(fd, &a, sizeof(a));
}
