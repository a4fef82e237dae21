/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/jsonchild.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/child.h"
#include "host/sealed.h"
#include "model/flat.h"
#include "model/json.h"

/* Before the value: SP_OK, or what is wrong and the mend, each up to its NUL. */
struct head {
    unsigned char code;
    char text[383], hint[256];
};

static int read_and_parse(struct sp_buf *out, struct sp_error *err)
{
    struct sp_buf request = {0};
    cJSON *j = NULL;

    if (sp_buf_read_fd(&request, STDIN_FILENO, SP_JSON_MAX_BYTES, 0, err) < 0) {
        if (err->code != SP_E_INVALID)
            return -1;
        sp_fail(err, SP_E_PARSE, 0, "the request is larger than %u bytes", SP_JSON_MAX_BYTES);
        return sp_hint(err, "split a batch");
    }
    if (sp_json_parse(sp_buf_str(&request), request.len, &j, err) < 0)
        return -1;
    sp_flat_put(out, j);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* Nothing is freed here, and nothing wiped: the memory goes back to the kernel. */
__attribute__((noreturn)) static void child(int fd, int out)
{
    struct sp_error err = {0};
    struct sp_buf flat = {0};
    struct head head = {0};

    /* 0 the request, 1 the way back */
    if ((fd != STDIN_FILENO && dup2(fd, STDIN_FILENO) < 0) || dup2(out, STDOUT_FILENO) < 0 ||
        syscall(SYS_close_range, 2U, ~0U, 0U) < 0 || sp_sealed_enter() < 0)
        _exit(1);
    if (read_and_parse(&flat, &err) < 0) {
        head.code = (unsigned char)err.code;
        (void)sp_str_copy(head.text, sizeof(head.text), err.text);
        (void)sp_str_copy(head.hint, sizeof(head.hint), err.hint);
        flat.len = 0;
    }
    if (sp_write_all(STDOUT_FILENO, &head, sizeof(head)) < 0 ||
        sp_write_all(STDOUT_FILENO, flat.data, flat.len) < 0)
        _exit(1);
    /* Its memory goes back before its descriptors do: the parent does not wait for that. */
    (void)close(STDOUT_FILENO);
    _exit(0);
}

int sp_jsonchild_start(struct sp_jsonchild *c, int fd, struct sp_error *err)
{
    int way = -1;
    pid_t pid = sp_child_fork(&way, err);

    if (pid < 0)
        return -1;
    if (pid == 0)
        child(fd, way);
    *c = (struct sp_jsonchild){pid, way};
    return 0;
}

/* Its word on what is wrong is shown, not believed: printable and of these kinds. */
static int failed(const struct head *head, struct sp_error *err)
{
    enum sp_code code = head->code;

    if (code != SP_E_PARSE && code != SP_E_IO && code != SP_E_NO_MEMORY)
        return sp_fail(err, SP_E_INTERNAL, 0, "the process that reads requests sent an unknown code");
    sp_fail(err, code, 0, "%.*s", (int)sizeof(head->text), head->text);
    return sp_hint(err, "%.*s", (int)sizeof(head->hint), head->hint);
}

int sp_jsonchild_take(struct sp_jsonchild *c, unsigned deadline_ms, cJSON **ret, struct sp_error *err)
{
    _cleanup_(sp_buf_wipe) struct sp_buf b = {0};
    struct head head;

    if (sp_buf_read_fd(&b, c->fd, sizeof(head) + SP_FLAT_MAX_BYTES, deadline_ms, err) < 0)
        return -1;
    if (b.len < sizeof(head)) {
        sp_fail(err, SP_E_INTERNAL, 0, "the process that reads requests died");
        return sp_hint(err, "the kernel's log says why, where it was a system call that is not allowed");
    }
    memcpy(&head, b.data, sizeof(head));
    if (head.code != SP_OK)
        return failed(&head, err);
    return sp_flat_take(b.data + sizeof(head), b.len - sizeof(head), ret, err);
}

void sp_jsonchild_end(struct sp_jsonchild *c)
{
    if (c->pid == 0)
        return;
    (void)close(c->fd);
    sp_child_end(c->pid);
    c->pid = 0;
}
