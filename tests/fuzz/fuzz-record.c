/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The records that other programs read at a login, pam_sallyport's and chroot-bash's, and the log of
 * certificates, from which the KRL is made. */
#include "fuzz.h"
#include "host/record.h"
#include "model/certlog.h"
#include "model/pamrecord.h"

static void access_record(const uint8_t *data, size_t size)
{
    _cleanup_(sp_pamrecord_clear) struct sp_pamrecord record = {0}, again = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error err = {0};

    if (sp_pamrecord_parse((const char *)data, size, &record, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    REQUIRE(sp_pamrecord_format(&record, &text, &err) == 0);
    REQUIRE(sp_pamrecord_parse(text.data, text.len, &again, &err) == 0);
    REQUIRE(sp_pamrecord_is_stricter(&record, &again) && sp_pamrecord_is_stricter(&again, &record));
}

static void entry_record(const uint8_t *data, size_t size)
{
    _cleanup_(sp_record_clear) struct sp_record record = {0}, again = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0}, second = {0};
    struct sp_error err = {0};

    if (sp_record_parse((const char *)data, size, &record, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    REQUIRE(sp_record_format(&record, &text, &err) == 0);
    REQUIRE(sp_record_parse(text.data, text.len, &again, &err) == 0);
    REQUIRE(sp_record_format(&again, &second, &err) == 0 && sp_streq(text.data, second.data));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(sp_certlog_clear) struct sp_certlog log = {0};
    _cleanup_(sp_buf_clear) struct sp_buf krl = {0};
    struct sp_error err = {0};
    size_t whole = 0;

    access_record(data, size);
    entry_record(data, size);
    if (sp_certlog_parse((const char *)data, size, &log, &err) < 0)
        fuzz_refused(&err);
    else if (sp_certlog_krl(&log, 1789000000, &krl, &err) < 0)
        fuzz_refused(&err);
    (void)sp_certlog_next((const char *)data, size, &whole);
    REQUIRE(whole <= size);
    return 0;
}
