/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/pamchild.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/child.h"
#include "host/library.h"

/* pam_unix waits for lckpwdf(3); a module may ask a server. */
#define DEADLINE_MS 20000

/* The ABI of libpam.so.0 (pam_start(3), pam_conv(3), security/_pam_types.h), so that neither its headers
 * nor the library are needed where no password is ever set. */
struct message {
    int style;
    const char *text;
};

struct response {
    char *text; /* freed by PAM */
    int unused;
};

struct conversation {
    int (*ask)(int n, const struct message **messages, struct response **ret, void *data);
    void *data;
};

enum { ECHO_OFF = 1, ECHO_ON = 2, ERROR_MSG = 3, MAX_MESSAGES = 32 };
enum {
    PAM_SUCCESS = 0,
    PAM_BUF_ERR = 5,
    PAM_NEW_AUTHTOK_REQD = 12,
    PAM_CONV_ERR = 19,
    PAM_AUTHTOK_LOCK_BUSY = 22
};
enum { PAM_TTY = 3, PAM_RHOST = 4 }; /* pam_set_item(3) */

struct lib {
    int (*start)(const char *service, const char *user, const struct conversation *conv, void **ret);
    int (*change)(void *pam, int flags);
    int (*account)(void *pam, int flags);
    int (*set)(void *pam, int item, const void *value);
    int (*end)(void *pam, int status);
    const char *(*text)(void *pam, int status);
};

struct talk {
    const char *secret; /* NUL-terminated; "" where nothing may be asked */
    struct sp_buf said; /* errors of the modules */
};

/* Everything is asked for without an echo, or it is not for us. A module that quotes the password back is
 * not passed on. */
static int answer_one(struct talk *t, const struct message *m, struct response *r)
{
    if (m->style == ECHO_ON || (m->style == ECHO_OFF && t->secret[0] == '\0'))
        return PAM_CONV_ERR;
    if (m->style == ECHO_OFF) {
        r->text = strdup(t->secret);
        return r->text != NULL ? PAM_SUCCESS : PAM_BUF_ERR;
    }
    if (m->style == ERROR_MSG && m->text != NULL &&
        (t->secret[0] == '\0' || strstr(m->text, t->secret) == NULL)) {
        if (t->said.len > 0)
            sp_buf_puts(&t->said, "; ");
        sp_buf_add(&t->said, m->text, sp_str_said_length(m->text)); /* pam_nologin(8) sends a file */
    }
    return PAM_SUCCESS;
}

static int answer(int n, const struct message **messages, struct response **ret, void *data)
{
    struct response *r;
    int status = PAM_SUCCESS;

    if (n <= 0 || n > MAX_MESSAGES)
        return PAM_CONV_ERR;
    r = calloc((size_t)n, sizeof(*r));
    if (r == NULL)
        return PAM_BUF_ERR;
    for (int i = 0; i < n && status == PAM_SUCCESS; i++)
        status = answer_one(data, messages[i], &r[i]);
    if (status == PAM_SUCCESS) {
        *ret = r;
        return PAM_SUCCESS;
    }
    for (int i = 0; i < n; i++) {
        if (r[i].text != NULL)
            explicit_bzero(r[i].text, strlen(r[i].text));
        free(r[i].text);
    }
    free(r);
    return status;
}

static int load(struct lib *l, struct sp_error *err)
{
    static const char *const names[] = {"libpam.so.0", NULL};
    void *dl = sp_library_open(names, RTLD_NOW | RTLD_GLOBAL, err);

    if (dl == NULL)
        return err->code == SP_E_UNSUPPORTED ? sp_hint(err, "install PAM's library") : -1;
    l->start =
        (int (*)(const char *, const char *, const struct conversation *, void **))dlsym(dl, "pam_start");
    l->change = (int (*)(void *, int))dlsym(dl, "pam_chauthtok");
    l->account = (int (*)(void *, int))dlsym(dl, "pam_acct_mgmt");
    l->set = (int (*)(void *, int, const void *))dlsym(dl, "pam_set_item");
    l->end = (int (*)(void *, int))dlsym(dl, "pam_end");
    l->text = (const char *(*)(void *, int))dlsym(dl, "pam_strerror");
    if (l->start == NULL || l->change == NULL || l->account == NULL || l->set == NULL || l->end == NULL ||
        l->text == NULL)
        return sp_fail(err, SP_E_UNSUPPORTED, 0, "libpam.so.0 lacks a function");
    return 0;
}

/* What is to be done, and with what. */
struct order {
    int (*run)(const struct order *o, struct talk *t, struct sp_error *err);
    const char *user, *secret, *address;
};

/* `conv` must outlive the handle. */
static int start(const struct order *o, const char *service, const struct conversation *conv, struct lib *l,
                 void **ret, struct sp_error *err)
{
    int status;

    if (load(l, err) != 0)
        return -1;
    status = l->start(service, o->user, conv, ret);
    return status == PAM_SUCCESS ? 0 : sp_fail(err, SP_E_IO, 0, "PAM does not start (status %d)", status);
}

static int change(const struct order *o, struct talk *t, struct sp_error *err)
{
    const struct conversation conv = {answer, t};
    struct lib l = {0};
    void *pam = NULL;
    int status;

    if (start(o, "passwd", &conv, &l, &pam, err) != 0)
        return -1;
    status = l.change(pam, 0);
    if (status == PAM_AUTHTOK_LOCK_BUSY) {
        (void)sp_fail(err, SP_E_BUSY, 0, "another program holds the account files");
        (void)sp_hint(err, "try again when it is done");
    } else if (status != PAM_SUCCESS) {
        (void)sp_fail(err, SP_E_REJECTED, 0, "%s",
                      t->said.len > 0 ? sp_buf_str(&t->said) : l.text(pam, status));
        (void)sp_hint(err, "choose another password: PAM's service passwd refused this one");
    }
    (void)l.end(pam, status);
    return status == PAM_SUCCESS ? 0 : -1;
}

/* As sshd's do_pam_account() asks it. */
static int account(const struct order *o, struct talk *t, struct sp_error *err)
{
    const struct conversation conv = {answer, t};
    struct lib l = {0};
    void *pam = NULL;
    int status;

    if (start(o, "sshd", &conv, &l, &pam, err) != 0)
        return -1;
    (void)l.set(pam, PAM_RHOST, o->address);
    (void)l.set(pam, PAM_TTY, "ssh");
    status = l.account(pam, 0);
    if (status == PAM_NEW_AUTHTOK_REQD)
        (void)sp_fail(err, SP_E_REJECTED, 0, "the password has to be changed first");
    else if (status != PAM_SUCCESS)
        (void)sp_fail(err, SP_E_FORBIDDEN, 0, "%s",
                      t->said.len > 0 ? sp_buf_str(&t->said) : l.text(pam, status));
    (void)l.end(pam, status);
    return status == PAM_SUCCESS ? 0 : -1;
}

/* The modules get no descriptor of ours: 0..2 are /dev/null, 3 is the way back. Some print, some ask a tty.
 */
static int settle(int out)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), copy = fcntl(out, F_DUPFD_CLOEXEC, 16);

    if (null < 0 || copy < 0 || dup3(copy, 3, O_CLOEXEC) < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
        dup2(null, 2) < 0)
        return -1;
    return (int)syscall(SYS_close_range, 4U, ~0U, 0U);
}

struct reply {
    int result;
    struct sp_error err;
};

__attribute__((noreturn)) static void child(const struct order *o, int out)
{
    struct reply r = {.result = -1};
    struct talk t = {.secret = o->secret};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (settle(out) != 0)
        (void)sp_fail(&r.err, SP_E_IO, errno, "cannot prepare PAM's process");
    else
        r.result = o->run(o, &t, &r.err);
    _exit(sp_write_all(3, &r, sizeof(r)) == 0 ? 0 : 1);
}

static int run(const struct order *o, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    _cleanup_close_ int way = -1;
    struct reply r;
    int read_result;
    pid_t pid = sp_child_fork(&way, err);

    if (pid < 0)
        return -1;
    if (pid == 0)
        child(o, way);
    read_result = sp_buf_read_fd(&b, way, sizeof(r), DEADLINE_MS, err);
    sp_child_end(pid);
    if (read_result != 0)
        return err->code == SP_E_BUSY ? sp_fail(err, SP_E_BUSY, 0, "PAM did not answer in time") : -1;
    if (b.len != sizeof(r))
        return sp_fail(err, SP_E_IO, 0, "PAM's process died");
    memcpy(&r, b.data, sizeof(r));
    if (r.result != 0)
        *err = r.err;
    return r.result;
}

int sp_pamchild_change(const char *user, const char *secret, struct sp_error *err)
{
    const struct order o = {change, user, secret, NULL};

    return run(&o, err);
}

int sp_pamchild_account(const char *user, const char *address, struct sp_error *err)
{
    const struct order o = {account, user, "", address};

    return run(&o, err);
}
