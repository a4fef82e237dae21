/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A profile, and the manifest of a generation. */
#include "fuzz.h"
#include "model/manifest.h"
#include "model/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(sp_profile_clear) struct sp_profile profile = {0};
    _cleanup_(sp_manifest_clear) struct sp_manifest manifest = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error err = {0};

    if (sp_profile_parse("fuzz", (const char *)data, size, &profile, &err) < 0)
        fuzz_refused(&err);
    for (size_t i = 0; i < profile.n_items; i++)
        REQUIRE(profile.items[i].value != NULL && profile.items[i].value[0] != '\0' &&
                sp_str_is_clean(profile.items[i].value, strlen(profile.items[i].value)));
    sp_buf_add(&text, data, size);
    if (sp_manifest_parse(&text, &manifest, &err) < 0)
        fuzz_refused(&err);
    return 0;
}
