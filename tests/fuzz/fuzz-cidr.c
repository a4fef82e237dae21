/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sources: what is accepted has one way to be written, and nft or sshd may be given it. Also times and
 * durations. */
#include "fuzz.h"
#include "model/cidr.h"
#include "model/pamrecord.h"
#include "model/when.h"

static void source(const char *text)
{
    struct sp_cidr c = {0}, again = {0};
    struct sp_error err = {0};
    char out[SP_CIDR_SIZE];

    if (sp_cidr_parse(text, &c, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    REQUIRE(sp_cidr_check(&c, &err) == 0);
    REQUIRE(c.prefix >= 1 && c.prefix <= (c.family == 4 ? 32 : 128));
    sp_cidr_format(&c, out);
    REQUIRE(sp_cidr_parse(out, &again, &err) == 0 && sp_cidr_equal(&c, &again) &&
            sp_cidr_contains(&c, &again));
}

static void moment(const char *text)
{
    struct sp_error err = {0};
    char out[SP_WHEN_SIZE];
    int64_t when = 0, again = 0;
    uint32_t seconds = 0;

    if (sp_when_parse(text, &when, &err) == 0) {
        sp_when_format(when, out);
        REQUIRE(sp_when_parse(out, &again, &err) == 0 && again == when);
    } else {
        fuzz_refused(&err);
    }
    if (sp_when_duration(text, &seconds, &err) < 0)
        fuzz_refused(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_string(data, size);
    struct sp_cidr from = {0};

    source(text);
    moment(text);
    (void)sp_pamrecord_address(text, &from);
    return 0;
}
