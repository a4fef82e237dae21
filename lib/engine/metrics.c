/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/metrics.h"

#include "base/mem.h"
#include "base/str.h"
#include "host/replace.h"

static const cJSON *field(const cJSON *o, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(o, name);
}

/* The exposition format: HELP and TYPE once before the samples of a name. */
static void head(struct sp_buf *out, const char *name, const char *help)
{
    sp_buf_printf(out, "# HELP sallyport_%s %s\n# TYPE sallyport_%s gauge\n", name, help, name);
}

enum { CLEAN, MENDED, KEPT, MISSING, FAILED, RESULTS };

/* One word for each account: what still wants somebody's look before what is done. */
static int result_of(const cJSON *detail)
{
    if (field(detail, "error") != NULL)
        return FAILED;
    if (cJSON_IsTrue(field(detail, "user_missing")))
        return MISSING;
    if (cJSON_GetArraySize(field(detail, "kept")) > 0)
        return KEPT;
    return cJSON_GetArraySize(field(detail, "changes")) > 0 ? MENDED : CLEAN;
}

static void put_accounts(const cJSON *result, struct sp_buf *out)
{
    static const char *const names[RESULTS] = {"clean", "mended", "kept", "missing", "failed"};
    const cJSON *accounts = field(result, "accounts"), *d = NULL;
    int n[RESULTS] = {0};

    n[CLEAN] = cJSON_IsNumber(accounts) ? (int)accounts->valuedouble : 0;
    cJSON_ArrayForEach(d, field(result, "details"))
    {
        n[CLEAN]--;
        n[result_of(d)]++;
    }
    head(out, "reconcile_accounts", "Accounts of the last reconcile, each counted once.");
    for (int i = 0; i < RESULTS; i++)
        sp_buf_printf(out, "sallyport_reconcile_accounts{result=\"%s\"} %d\n", names[i], n[i]);
}

static int count(const cJSON *result, const char *list, const char *resource)
{
    const cJSON *d = NULL, *c = NULL;
    int n = 0;

    cJSON_ArrayForEach(d, field(result, "details"))
    {
        cJSON_ArrayForEach(c, field(d, list))
        {
            const cJSON *name = field(c, "resource");
            n += cJSON_IsString(name) && sp_streq(name->valuestring, resource);
        }
    }
    return n;
}

/* Every resource has its line, also where it is 0: a rule may ask for it. Two may share a name. */
static void put_resources(const cJSON *result, const char *list, const char *name, const char *help,
                          struct sp_buf *out)
{
    head(out, name, help);
    for (size_t i = 0; sp_resources[i] != NULL; i++) {
        const char *resource = sp_resources[i]->name;
        size_t k = 0;
        while (!sp_streq(sp_resources[k]->name, resource))
            k++;
        if (k == i)
            sp_buf_printf(out, "sallyport_%s{resource=\"%s\"} %d\n", name, resource,
                          count(result, list, resource));
    }
}

/* A set that changed was stale; where the package manager was at work it still is. */
static void put_jails(const cJSON *result, struct sp_buf *out)
{
    const cJSON *jails = field(result, "jails"), *set = NULL;
    bool done = cJSON_IsTrue(field(jails, "changed"));
    int current = 0, refreshed = 0, stale = 0, failed = 0;

    cJSON_ArrayForEach(set, field(jails, "sets"))
    {
        bool changed = cJSON_IsTrue(field(set, "changed"));
        if (field(set, "error") != NULL)
            failed++;
        else if (!changed)
            current++;
        else if (done)
            refreshed++;
        else
            stale++;
    }
    head(out, "jail_sets", "Sets of profiles in use, by how their jails stood.");
    sp_buf_printf(out,
                  "sallyport_jail_sets{state=\"current\"} %d\nsallyport_jail_sets{state=\"refreshed\"} %d\n"
                  "sallyport_jail_sets{state=\"stale\"} %d\nsallyport_jail_sets{state=\"failed\"} %d\n",
                  current, refreshed, stale, failed);
}

static void put_one(struct sp_buf *out, const char *name, const char *help, int value)
{
    head(out, name, help);
    sp_buf_printf(out, "sallyport_%s %d\n", name, value);
}

int sp_metrics_format(const struct sp_metrics *m, struct sp_buf *out, struct sp_error *err)
{
    const cJSON *firewall = field(m->result, "firewall");

    head(out, "reconcile_last_run_timestamp_seconds", "When the last reconcile ended.");
    sp_buf_printf(out, "sallyport_reconcile_last_run_timestamp_seconds %lld\n", (long long)m->ended);
    head(out, "reconcile_duration_seconds", "How long it took.");
    sp_buf_printf(out, "sallyport_reconcile_duration_seconds %.3f\n", m->seconds);
    put_one(out, "reconcile_completed", "Whether it came to its end; accounts that failed do not stop it.",
            m->result != NULL);
    if (m->result != NULL) {
        put_accounts(m->result, out);
        put_resources(m->result, "changes", "reconcile_mended", "Changes made, by what was mended.", out);
        put_resources(m->result, "kept", "reconcile_kept",
                      "What somebody tightened and was left so, by resource.", out);
        put_one(out, "reconcile_problems",
                "What failed that is no account's: certificates, global keys, jails, the firewall.",
                cJSON_GetArraySize(field(m->result, "problems")));
        put_jails(m->result, out);
        put_one(out, "firewall_in_force", "Whether the SSH port answers as the stored policy says.",
                cJSON_IsTrue(field(firewall, "in_force")));
    }
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_metrics_write(struct sp_engine *e, const struct sp_metrics *m, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0644, .uid = 0, .gid = 0, .relabel = true};
    const char *path = e->metrics_file != NULL ? e->metrics_file : e->config->metrics_file;
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    if (path[0] == '\0')
        return 0;
    if (sp_config_check_metrics(path, err) < 0 || sp_metrics_format(m, &text, err) < 0)
        return -1;
    return sp_replace_path(e->host, path, text.data, text.len, &how, err);
}
