/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sallyport-helper: one JSON-RPC 2.0 request, or a batch, on stdin; the answer on stdout and nothing else
 * there; the exit status is that of the first error (sallyport-helper(8)). Run by a panel as root or
 * through `sudo -n`, or by systemd for each connection to sallyport.socket (--socket); whatever
 * environment, limits and descriptors it brings are put in order before anything is read. --jail is for
 * what such a request may not do for itself (host/errand.h).
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/start.h"
#include "engine/dispatch.h"
#include "engine/errands.h"
#include "host/jsonchild.h"
#include "model/json.h"

#define STDIN_DEADLINE_MS 30000
#define DRAIN_DEADLINE_MS 2000
#define DRAIN_MAX_BYTES (8 * SP_JSON_MAX_BYTES)

enum way { BY_PIPE, BY_SOCKET, FOR_JAILS };

static int usage(const char *argument)
{
    if (sp_streq(argument, "--version")) {
        (void)printf("sallyport-helper " SP_VERSION "\n");
        return 0;
    }
    (void)fprintf(stderr,
                  "sallyport-helper: takes no arguments: it reads one JSON-RPC 2.0 request from stdin\n"
                  "(--socket, --jail: stdin and stdout are a connection that systemd took)\n"
                  "see sallyport-helper(8); sallyport(8) is the command for people\n");
    return sp_streq(argument, "--help") ? 0 : sp_code_exit(SP_E_INVALID);
}

/* The request is read by a process of its own from the beginning on, while the host is looked at here. */
static int serve(struct sp_start *start, enum way way, struct sp_buf *answer)
{
    _cleanup_(sp_jsonchild_end) struct sp_jsonchild reader = {0};
    _cleanup_json_wiped_ cJSON *request = NULL;
    struct sp_error err;

    if ((way == BY_SOCKET && sp_start_peer(start, STDIN_FILENO, &err) < 0) ||
        sp_jsonchild_start(&reader, STDIN_FILENO, &err) < 0 || sp_start_engine(start, &err) < 0)
        return sp_dispatch_refuse(&start->engine, &err, answer);
    if (sp_jsonchild_take(&reader, STDIN_DEADLINE_MS, &request, &err) < 0) {
        if (err.code == SP_E_BUSY)
            sp_hint(&err, "send the whole request, then close stdin");
        return sp_dispatch_refuse(&start->engine, &err, answer);
    }
    return sp_dispatch(&start->engine, request, answer);
}

/* A socket that is closed with bytes unread is reset, and the answer lost: what a refused caller still
 * sends is taken first. */
static void drain(void)
{
    _cleanup_(sp_buf_wipe) struct sp_buf rest = {0};
    struct sp_error ignored;

    if (shutdown(STDOUT_FILENO, SHUT_WR) == 0)
        (void)sp_buf_read_fd(&rest, STDIN_FILENO, DRAIN_MAX_BYTES, DRAIN_DEADLINE_MS, &ignored);
}

/* Root's own processes alone send errands, whatever the mode of the socket is. */
static int serve_errand(struct sp_start *start)
{
    struct sp_errand errand = {0};
    struct sp_error err;
    int rc = sp_start_peer(start, STDIN_FILENO, &err);

    if (rc == 0 && start->engine.caller != 0)
        rc = sp_fail(&err, SP_E_FORBIDDEN, 0, "uid %u may not ask", start->engine.caller);
    if (rc == 0)
        rc = sp_start_engine(start, &err);
    if (rc == 0)
        rc = sp_errands_serve(&start->engine, STDIN_FILENO, &errand, &err);
    if (sp_errand_answer(STDOUT_FILENO, &errand, rc == 0 ? NULL : &err) < 0)
        return sp_code_exit(SP_E_IO);
    drain();
    return rc == 0 ? 0 : sp_code_exit(err.code);
}

int main(int argc, char **argv)
{
    _cleanup_(sp_start_clear) struct sp_start start = {0};
    _cleanup_(sp_buf_wipe) struct sp_buf answer = {0};
    enum way way = BY_PIPE;
    int status;

    if (sp_start_sanitise(&start, argc, argv) < 0)
        return sp_code_exit(SP_E_INTERNAL);
    if (argc == 2 && sp_streq(argv[1], "--socket"))
        way = BY_SOCKET;
    else if (argc == 2 && sp_streq(argv[1], "--jail"))
        way = FOR_JAILS;
    else if (argc > 1)
        return usage(argv[1]);
    if (way == FOR_JAILS)
        return serve_errand(&start);
    status = serve(&start, way, &answer);
    /* Written before anything is torn down: a netlink socket that closes after a delete holds a process up
     * for milliseconds. */
    if (sp_write_all(STDOUT_FILENO, sp_buf_str(&answer), answer.len) < 0 && status == 0)
        status = sp_code_exit(SP_E_IO);
    if (way == BY_SOCKET)
        drain();
    return status;
}
