/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "base/mem.h"
#include "cmd/verb.h"

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

static void show_lines(const char *title, const cJSON *keys, const char *name)
{
    const cJSON *k = NULL;

    (void)printf("\n%s\n", title);
    cJSON_ArrayForEach(k, keys)
    {
        if (text_of(k, name)[0] != '\0')
            (void)printf("%s\n", text_of(k, name));
    }
}

static void show(const cJSON *r)
{
    const cJSON *keys = cJSON_GetObjectItemCaseSensitive(r, "host_keys"), *item = NULL;
    const cJSON *connection = cJSON_GetObjectItemCaseSensitive(r, "connection");

    (void)printf("host         %s\nports       ", text_of(r, "host"));
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(r, "ports"))
    {
        (void)printf(" %d", (int)item->valuedouble);
    }
    (void)printf("\n");
    cJSON_ArrayForEach(item, keys)
    {
        const cJSON *bits = cJSON_GetObjectItemCaseSensitive(item, "bits");
        (void)printf("%-12s %s (%d bits)\n             %s\n", "host key", text_of(item, "type"),
                     cJSON_IsNumber(bits) ? (int)bits->valuedouble : 0, text_of(item, "fingerprint"));
        (void)printf("             %s\n", text_of(item, "fingerprint_md5"));
    }
    show_lines("known_hosts:", keys, "known_hosts");
    show_lines("DNS:", keys, "sshfp");
    if (connection != NULL)
        (void)printf("\n~/.ssh/config:\n%s\nssh:    %s\nPuTTY:  %s\n", text_of(connection, "ssh_config"),
                     text_of(connection, "ssh"), text_of(connection, "putty"));
}

int sp_verb_host(const struct sp_args *a)
{
    cJSON *params = cJSON_CreateObject();

    if (a->n_words > 0)
        sp_params_text(params, "domain", a->words[0]);
    sp_params_text(params, "host", a->option[SP_OPT_HOST]);
    return sp_verb_call(a, "system.host", params, show);
}
