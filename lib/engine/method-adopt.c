/* SPDX-License-Identifier: GPL-3.0-or-later */
/* account.adopt: all accounts of a panel, as they are found; and the way back. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/adoption.h"
#include "engine/methods.h"
#include "model/adoptrequest.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* A run over all accounts. */
struct work {
    struct sp_adoption adoption;
    const struct sp_adopt_request *request;
    struct sp_userlist users;
    struct sp_panels_sites sites;
    struct sp_adoption_batch *batch; /* owned: too large for the stack */
    cJSON *accounts;
    size_t count[SP_ADOPTION_FAILED + 1];
};

static void work_clear(struct work *w)
{
    sp_userlist_clear(&w->users);
    sp_panels_sites_clear(&w->sites);
    if (w->batch != NULL)
        sp_adoption_batch_clear(w->batch);
    free(w->batch);
}

static int commit(struct work *w, struct sp_error *err)
{
    size_t failed = 0;

    if (sp_adoption_commit(&w->adoption, w->batch, &failed, err) < 0)
        return -1;
    w->count[SP_ADOPTION_TAKEN] -= failed;
    w->count[SP_ADOPTION_FAILED] += failed;
    return 0;
}

static bool is_named(const struct work *w, const struct sp_panels_site *sites, size_t n)
{
    static const struct sp_account none = {0};
    const cJSON *one = NULL;

    if (sp_adoption_is_named(w->request->names, sites[0].site.user, &none))
        return true;
    for (size_t i = 0; i < n; i++)
        cJSON_ArrayForEach(
            one, w->request->names) if (sp_streq(one->valuestring, sites[i].site.domain)) return true;
    return false;
}

static int take(struct work *w, const struct sp_panels_site *sites, size_t n, struct sp_error *err)
{
    _cleanup_(sp_state_clear) struct sp_state s = {0};
    enum sp_adoption_result result = SP_ADOPTION_FAILED;
    cJSON *report;

    if (!is_named(w, sites, n))
        return 0;
    report = cJSON_CreateObject();
    if (report == NULL || !cJSON_AddItemToArray(w->accounts, report)) {
        cJSON_Delete(report);
        return no_memory(err);
    }
    if (sp_adoption_judge(&w->adoption, sites, n, &s, report, &result, err) < 0)
        return -1;
    w->count[result]++;
    if (result != SP_ADOPTION_TAKEN || w->adoption.dry)
        return 0;
    w->batch->states[w->batch->n] = s;
    w->batch->reports[w->batch->n++] = report;
    s = (struct sp_state){0};
    return w->batch->n == SP_ADOPTION_BATCH ? commit(w, err) : 0;
}

static int take_all(struct work *w, struct sp_error *err)
{
    struct sp_engine *e = w->adoption.engine;

    for (size_t i = 0, n; i < w->sites.n; i += n) {
        for (n = 1; i + n < w->sites.n && sp_streq(w->sites.v[i].site.user, w->sites.v[i + n].site.user);)
            n++;
        if (take(w, &w->sites.v[i], n, err) < 0)
            return -1;
        sp_engine_progress(e, i + n, w->sites.n, "domains");
    }
    return commit(w, err);
}

static int report_counts(const struct work *w, cJSON *result, struct sp_error *err)
{
    return cJSON_AddNumberToObject(result, "taken", (double)w->count[SP_ADOPTION_TAKEN]) &&
                   cJSON_AddNumberToObject(result, "known", (double)w->count[SP_ADOPTION_KNOWN]) &&
                   cJSON_AddNumberToObject(result, "passed_over", (double)w->count[SP_ADOPTION_PASSED]) &&
                   cJSON_AddNumberToObject(result, "failed", (double)w->count[SP_ADOPTION_FAILED]) &&
                   cJSON_AddBoolToObject(result, "changed", w->count[SP_ADOPTION_TAKEN] > 0)
               ? 0
               : no_memory(err);
}

static int adopt(struct sp_engine *e, const struct sp_adopt_request *r, const struct sp_panel *panel,
                 const char *name, cJSON *result, struct sp_error *err)
{
    _cleanup_(work_clear) struct work w = {
        .adoption = {.engine = e, .panel = panel, .name = name, .users = &w.users, .dry = r->dry_run},
        .request = r,
    };

    w.batch = calloc(1, sizeof(*w.batch));
    w.accounts = cJSON_AddArrayToObject(result, "accounts");
    if (w.batch == NULL || w.accounts == NULL)
        return no_memory(err);
    if (sp_store_last_generation(e->host, &w.adoption.generation, err) < 0 ||
        sp_userlist_read(e->host, &w.users, err) < 0 ||
        sp_panels_scan(e, panel, r->document_root, &w.users, &w.sites, err) < 0)
        return -1;
    w.adoption.generation++;
    if (take_all(&w, err) < 0)
        return -1;
    return report_counts(&w, result, err);
}

static int show_configuration(const struct sp_engine *e, const struct sp_panel *p, const char *name,
                              cJSON *result, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    cJSON *lines = cJSON_AddArrayToObject(result, "configuration");

    if (lines == NULL)
        return no_memory(err);
    if (sp_panel_suggest(p, name, e->config, &text, err) < 0)
        return -1;
    for (const char *line = sp_buf_str(&text); *line != '\0'; line += strcspn(line, "\n") + 1) {
        char one[4096];
        (void)sp_str_format(one, sizeof(one), "%.*s", (int)strcspn(line, "\n"), line);
        if (!cJSON_AddItemToArray(lines, cJSON_CreateString(one)))
            return no_memory(err);
    }
    return 0;
}

static int run(struct sp_engine *e, const struct sp_adopt_request *r, cJSON *result, struct sp_error *err)
{
    _cleanup_(sp_panel_clear) struct sp_panel panel = {0};
    char name[SP_PANEL_SIZE] = "";
    int rc;

    if (r->undo)
        return sp_adoption_undo(e, r->panel, r->names, r->dry_run ? SP_RUN_DRY : SP_RUN_APPLY, result, err);
    if ((r->panel != NULL ? sp_str_copy(name, sizeof(name), r->panel)
                          : sp_panels_detect(e->host, name, err)) < 0 ||
        sp_panels_load(e->host, name, &panel, err) < 0)
        return -1;
    if (!cJSON_AddStringToObject(result, "panel", name) ||
        !cJSON_AddStringToObject(result, "title", panel.title))
        return no_memory(err);
    if (r->configuration)
        return show_configuration(e, &panel, name, result, err);
    sp_userdb_keep(e->host);
    rc = adopt(e, r, &panel, name, result, err);
    sp_userdb_forget(e->host);
    return rc;
}

SP_METHOD(sp_account_adopt)
{
    struct sp_adopt_request r = {0};

    (void)p;
    return sp_adopt_request_decode(raw, &r, err) < 0 ? -1 : run(e, &r, result, err);
}
