/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A preset, and behind a line "---" a file of the panel that it describes. What comes out is clean. */
#include "fuzz.h"
#include "model/panel.h"

static int look(const struct sp_panel_record *r, void *data, struct sp_error *err)
{
    const struct sp_panel *p = data;
    struct sp_panel_site site;
    struct sp_error ignored;

    for (size_t i = 0; i < p->n_sources; i++) {
        int rc = sp_panel_site(&p->sources[i], r, &site, err);
        if (rc < 0)
            fuzz_refused(err);
        REQUIRE(sp_str_is_clean(site.domain, strlen(site.domain)));
        REQUIRE(sp_str_is_clean(site.user, strlen(site.user)));
        if (rc == SP_PANEL_SITE)
            REQUIRE(sp_name_check_domain(site.domain, &ignored) == 0 &&
                    sp_name_check_user(site.user, &ignored) == 0 &&
                    sp_name_check_path(site.document_root, &ignored) == 0);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(sp_panel_clear) struct sp_panel panel = {0};
    const char *text = (const char *)data, *cut = memmem(text, size, "\n---\n", 5);
    size_t len = cut != NULL ? (size_t)(cut - text) : size;
    struct sp_panel_captures captures = {.n = 0};
    struct sp_error err = {0};

    if (sp_panel_parse(text, len, &panel, &err) < 0) {
        fuzz_refused(&err);
        return 0;
    }
    for (size_t i = 0; cut != NULL && i < panel.n_sources; i++)
        if (sp_panel_read(&panel.sources[i], cut + 5, size - len - 5, NULL, look, &panel, &err) < 0)
            fuzz_refused(&err);
    (void)sp_panel_match(panel.sources[0].files, panel.title, &captures);
    return 0;
}
