/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/tone.h"
#include "cmd/verbs.h"

static void show_lines(const char *title, const cJSON *keys, const char *name)
{
    const cJSON *k = NULL;

    (void)printf("\n%s\n", title);
    cJSON_ArrayForEach(k, keys)
    {
        if (sp_text(k, name)[0] != '\0')
            (void)printf("%s\n", sp_text(k, name));
    }
}

/* What is in force here; nothing where a domain was asked about. */
static void show_force(const cJSON *r)
{
    const cJSON *firewall = sp_item(r, "firewall"), *item = NULL;

    if (sp_item(r, "accounts") == NULL)
        return;
    (void)printf("accounts     %.0f\n", sp_number(r, "accounts"));
    if (sp_streq(sp_text(firewall, "mode"), "unmanaged"))
        (void)printf("firewall     unmanaged: sallyport holds nobody back\n");
    else if (cJSON_IsObject(firewall))
        (void)printf("firewall     %s, %s%s%s\n", sp_text(firewall, "mode"),
                     sp_tone(sp_is_true(firewall, "in_force") ? SP_TONE_GOOD : SP_TONE_BAD, stdout),
                     sp_is_true(firewall, "in_force") ? "in force" : "not in force",
                     sp_tone(SP_TONE_PLAIN, stdout));
    if (cJSON_IsObject(firewall))
        sp_show_firewalls(sp_item(firewall, "firewalls"), 13);
    else
        (void)printf("firewall     its policy cannot be read: sallyport firewall\n");
    (void)printf("jails       ");
    cJSON_ArrayForEach(item, sp_item(r, "jails"))
    {
        (void)printf(" %s", sp_text_itself(item));
    }
    (void)printf("%s\n", cJSON_GetArraySize(sp_item(r, "jails")) == 0 ? " none yet" : "");
}

static void show(const cJSON *r)
{
    const cJSON *keys = sp_item(r, "host_keys"), *item = NULL;
    const cJSON *connection = sp_item(r, "connection");

    (void)printf("host         %s\nports       ", sp_text(r, "host"));
    cJSON_ArrayForEach(item, sp_item(r, "ports"))
    {
        (void)printf(" %d", (int)item->valuedouble);
    }
    (void)printf("\n");
    show_force(r);
    cJSON_ArrayForEach(item, keys)
    {
        const cJSON *bits = sp_item(item, "bits");
        (void)printf("%-12s %s (%d bits)\n             %s\n", "host key", sp_text(item, "type"),
                     cJSON_IsNumber(bits) ? (int)bits->valuedouble : 0, sp_text(item, "fingerprint"));
        (void)printf("             %s\n", sp_text(item, "fingerprint_md5"));
    }
    show_lines("known_hosts:", keys, "known_hosts");
    show_lines("DNS:", keys, "sshfp");
    if (connection != NULL)
        (void)printf("\n~/.ssh/config:\n%s\nssh:    %s\nPuTTY:  %s\n", sp_text(connection, "ssh_config"),
                     sp_text(connection, "ssh"), sp_text(connection, "putty"));
}

static int host(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    if (a->n_words > 0)
        sp_params_text(params, "domain", a->words[0]);
    sp_params_text(params, "host", a->option[SP_OPT_HOST]);
    return sp_verb_call(a, "system.host", params, show);
}

static const struct sp_action actions[] = {{"", "[DOMAIN] [--host NAME]", SP_OPT(HOST), 0, 1, host, NULL},
                                           {NULL}};
const struct sp_verb sp_verb_host = {
    "host", "ports, host keys, what is in force, and what a domain's people type", actions, NULL};
