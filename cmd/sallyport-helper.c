/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sallyport-helper: one JSON-RPC 2.0 request, or a batch, on stdin; the answer on stdout and nothing else
 * there; the exit status is that of the first error (sallyport-helper(8)). Run by a panel as root or
 * through `sudo -n`; whatever environment, limits and descriptors it brings are put in order before
 * anything is read.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/start.h"
#include "engine/dispatch.h"
#include "model/json.h"

#define STDIN_DEADLINE_MS 30000

static int usage(const char *argument)
{
    if (sp_streq(argument, "--version")) {
        (void)printf("sallyport-helper " SP_VERSION "\n");
        return 0;
    }
    (void)fprintf(stderr,
                  "sallyport-helper: takes no arguments: it reads one JSON-RPC 2.0 request from stdin\n"
                  "see sallyport-helper(8); sallyport(8) is the command for people\n");
    return sp_streq(argument, "--help") ? 0 : sp_code_exit(SP_E_INVALID);
}

static int serve(struct sp_start *start, struct sp_buf *answer)
{
    _cleanup_(sp_buf_wipe) struct sp_buf request = {0};
    struct sp_error err;

    if (sp_start_engine(start, &err) < 0)
        return sp_dispatch_refuse(&start->engine, &err, answer);
    if (sp_buf_read_fd(&request, STDIN_FILENO, SP_JSON_MAX_BYTES, STDIN_DEADLINE_MS, &err) < 0) {
        if (err.code == SP_E_INVALID) {
            sp_fail(&err, SP_E_PARSE, 0, "the request is larger than %u bytes", SP_JSON_MAX_BYTES);
            sp_hint(&err, "split a batch");
        } else if (err.code == SP_E_BUSY)
            sp_hint(&err, "send the whole request, then close stdin");
        return sp_dispatch_refuse(&start->engine, &err, answer);
    }
    return sp_dispatch(&start->engine, sp_buf_str(&request), request.len, answer);
}

int main(int argc, char **argv)
{
    _cleanup_(sp_start_clear) struct sp_start start = {0};
    _cleanup_(sp_buf_wipe) struct sp_buf answer = {0};
    int status;

    if (sp_start_sanitise(&start, argc, argv) < 0)
        return sp_code_exit(SP_E_INTERNAL);
    if (argc > 1)
        return usage(argv[1]);
    status = serve(&start, &answer);
    /* Written before anything is torn down: a netlink socket that closes after a delete holds a process up
     * for milliseconds. */
    if (sp_write_all(STDOUT_FILENO, sp_buf_str(&answer), answer.len) < 0 && status == 0)
        status = sp_code_exit(SP_E_IO);
    return status;
}
