/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cmd/start.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/caps.h"
#include "host/seccomp.h"

/* Where the kernel puts ids that have no name here (user_namespaces(7)): anybody's. */
#define OVERFLOW_UID 65534

/* sudo tells who asked; it is believed only when we run as root, where nobody else could have set it. */
static uint32_t caller(void)
{
    const char *sudo = getenv("SUDO_UID");
    uint64_t uid = 0;

    if (geteuid() == 0 && sudo != NULL && sp_str_to_u64(sudo, UINT32_MAX, &uid) == 0)
        return (uint32_t)uid;
    return getuid();
}

int sp_start_peer(struct sp_start *s, int fd, struct sp_error *err)
{
    struct ucred peer = {.uid = UINT32_MAX};
    socklen_t len = sizeof(peer), domain_len = sizeof(int);
    int domain = 0;

    /* The kernel noted it at connect(2): a peer that is gone, or another process by now, changes nothing.
     */
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len) < 0 || domain != AF_UNIX ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || len != sizeof(peer)) {
        sp_fail(err, SP_E_FORBIDDEN, 0, "stdin is no connection to a socket of this host");
        return sp_hint(err, "--socket is for sallyport@.service");
    }
    s->engine.caller = peer.uid;
    return 0;
}

int sp_start_sanitise(struct sp_start *s, int argc, char **argv)
{
    s->host.root_fd = -1;
    if (argc < 1 || argv[0] == NULL) /* CVE-2021-4034: nothing may be read behind an empty argv */
        return -1;
    /* passwd of a large host is read and written as a whole: the pages of one buffer serve the next, since
     * each new one costs a fault. */
    (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
    s->engine.caller = caller();
    if (sp_process_sanitise() < 0)
        return -1;
    /* A kernel without it (CONFIG_SECCOMP_FILTER) has the capabilities' fence alone. */
    return sp_seccomp_helper() < 0 && errno != ENOSYS && errno != EINVAL ? -1 : 0;
}

/* Where passwd does not tell who somebody is, nobody is told that he is another. */
static int check_denied(struct sp_start *s, const char *name, struct sp_error *err)
{
    struct sp_user u;

    if (sp_userdb_get(&s->host, name, &u, err) < 0)
        return err->code == SP_E_NOT_FOUND || err->code == SP_E_INVALID
                   ? 0
                   : sp_field(err, "sallyport.conf.denied_callers");
    if (u.uid != s->engine.caller)
        return 0;
    sp_fail(err, SP_E_FORBIDDEN, 0, "%s may not ask", u.name);
    return sp_hint(
        err, "every site runs as it; let the panel's own user call (denied_callers in sallyport.conf)");
}

static int check_caller(struct sp_start *s, struct sp_error *err)
{
    /* 2^31 and above are negative to somebody, and (uid_t)-1 means "leave it" (CVE-2019-14287). */
    if (s->engine.caller > INT32_MAX || s->engine.caller == OVERFLOW_UID) {
        sp_fail(err, SP_E_FORBIDDEN, 0, "uid %u may not ask", s->engine.caller);
        return sp_hint(err, "let the panel's own user call");
    }
    for (size_t i = 0; s->engine.caller != 0 && i < s->config.denied_callers.n; i++)
        if (check_denied(s, s->config.denied_callers.v[i], err) < 0)
            return -1;
    return 0;
}

int sp_start_engine(struct sp_start *s, struct sp_error *err)
{
    if (geteuid() != 0) {
        sp_fail(err, SP_E_FORBIDDEN, EPERM, "sallyport must run as root");
        return sp_hint(err, "use sudo");
    }
    if (sp_host_open(&s->host, err) < 0)
        return -1;
    s->engine.host = &s->host; /* from here on a refusal can be logged */
    if (sp_config_load(&s->host, &s->config, err) < 0 || check_caller(s, err) < 0)
        return -1;
    s->engine.config = &s->config;
    return 0;
}

void sp_start_clear(struct sp_start *s)
{
    sp_config_clear(&s->config);
    if (s->host.root_fd >= 0)
        sp_host_close(&s->host);
}
