/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The options in front of a key, a from= list, and a line of sshd's log. */
#include "fuzz.h"
#include "model/authopts.h"
#include "model/sshdlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_string(data, size);
    struct sp_authopts opts;
    struct sp_sshdlog log;
    bool malformed = false;

    sp_authopts_parse(text, size, &opts);
    REQUIRE(memchr(opts.from, '\0', sizeof(opts.from)) != NULL &&
            memchr(opts.bad, '\0', sizeof(opts.bad)) != NULL &&
            memchr(opts.expiry, '\0', sizeof(opts.expiry)) != NULL);
    (void)sp_authopts_from_matches(text, "203.0.113.7");
    (void)sp_authopts_from_matches(opts.from, "2001:db8::7");
    (void)sp_authopts_in_block(text, "203.0.113.7", &malformed);
    (void)sp_sshdlog_parse(text, size, &log);
    return 0;
}
