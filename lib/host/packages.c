/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/packages.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"

enum { STEP_MS = 100 };

/* apt-get(8) holds the front end's lock over all its calls of dpkg, dpkg(1) the other over one of them. */
static const char *const locks[] = {"/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock",
                                    "/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock"};

static bool is_held(struct sp_host *h, const char *path)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct sp_error none;
    _cleanup_close_ int fd =
        sp_fsat_open(h->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, SP_FSAT_NONE, &none);

    return fd >= 0 && fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

const char *sp_packages_busy(struct sp_host *h)
{
    for (size_t i = 0; i < SP_COUNT(locks); i++)
        if (is_held(h, locks[i]))
            return locks[i];
    return NULL;
}

int sp_packages_wait(struct sp_host *h, unsigned quiet_ms, unsigned deadline_ms, struct sp_error *err)
{
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    const char *held = NULL;
    unsigned quiet = 0;

    for (unsigned waited = 0; waited < deadline_ms; waited += STEP_MS) {
        held = sp_packages_busy(h);
        if (held == NULL && quiet >= quiet_ms)
            return 0;
        quiet = held == NULL ? quiet + STEP_MS : 0;
        (void)nanosleep(&step, NULL);
    }
    (void)sp_fail(err, SP_E_BUSY, 0, "a package manager still holds %s after %u s",
                  held != NULL ? held : locks[0], deadline_ms / 1000);
    return sp_hint(err, "when it is done, its trigger or the timer asks again; or: sallyport jail refresh");
}
