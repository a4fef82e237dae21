/* SPDX-License-Identifier: GPL-3.0-or-later */
/* system.info: what this host offers. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/methods.h"
#include "host/fsat.h"
#include "host/kernel.h"
#include "model/json.h"
#include "model/sshdconf.h"
#include "model/sshkey.h"
#include "resource/sshd.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int add_methods(cJSON *result, struct sp_error *err)
{
    cJSON *methods = cJSON_AddArrayToObject(result, "methods");

    for (const struct sp_method *m = sp_methods; methods != NULL && m->name != NULL; m++)
        if (!cJSON_AddItemToArray(methods, cJSON_CreateString(m->name)))
            return no_memory(err);
    return methods != NULL ? 0 : no_memory(err);
}

static int add_isolation(struct sp_host *h, cJSON *result, struct sp_error *err)
{
    cJSON *o = cJSON_AddObjectToObject(result, "isolation");
    struct sp_kernel k;
    bool possible;

    sp_kernel_look(h, SP_CHROOT_BASH, &k);
    possible = k.mount_api && k.mount_namespaces && k.pid_namespaces && k.file_capabilities;
    if (o == NULL || !cJSON_AddStringToObject(o, "kernel", k.release) ||
        !cJSON_AddBoolToObject(o, "jail", possible) ||
        !cJSON_AddBoolToObject(o, "mount_api", k.mount_api) ||
        !cJSON_AddBoolToObject(o, "mount_namespaces", k.mount_namespaces) ||
        !cJSON_AddBoolToObject(o, "pid_namespaces", k.pid_namespaces) ||
        !cJSON_AddBoolToObject(o, "file_capabilities", k.file_capabilities) ||
        !cJSON_AddNumberToObject(o, "landlock_abi", k.landlock_abi))
        return no_memory(err);
    return 0;
}

/* The public half stands beside the private one; a key without it is left out. */
static void add_host_key(struct sp_host *h, const char *path, cJSON *keys)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_(sp_sshkey_clear) struct sp_sshkey key = {0};
    struct sp_error ignored;
    char public[SP_PATH_SIZE];
    cJSON *o;

    if (sp_str_format(public, sizeof(public), "%s.pub", path) < 0 ||
        sp_fsat_read(h->root_fd, public, 65536, &text, NULL, &ignored) < 0)
        return;
    while (text.len > 0 && text.data[text.len - 1] == '\n')
        text.data[--text.len] = '\0';
    if (sp_sshkey_parse(sp_buf_str(&text), text.len, &key, NULL, &ignored) < 0)
        return;
    o = cJSON_CreateObject();
    if (!cJSON_AddStringToObject(o, "type", key.type) || !cJSON_AddNumberToObject(o, "bits", key.bits) ||
        !cJSON_AddStringToObject(o, "fingerprint", key.fingerprint) || !cJSON_AddItemToArray(keys, o))
        cJSON_Delete(o);
}

static int add_sshd(struct sp_engine *e, cJSON *result, struct sp_error *err)
{
    cJSON *o = cJSON_AddObjectToObject(result, "sshd");
    cJSON *ports = o != NULL ? cJSON_AddArrayToObject(o, "ports") : NULL;
    cJSON *keys = o != NULL ? cJSON_AddArrayToObject(o, "host_keys") : NULL;
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf conf = {0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error why;
    uint64_t port = 0;

    if (keys == NULL || ports == NULL)
        return no_memory(err);
    if (sp_sshd_effective(e->host, e->config, NULL, &text, &why) < 0 ||
        sp_sshdconf_parse(sp_buf_str(&text), text.len, &conf, &why) < 0)
        return cJSON_AddStringToObject(o, "problem", why.text) != NULL ? 0 : no_memory(err);
    for (size_t i = 0; sp_sshdconf_nth(&conf, "port", i) != NULL; i++)
        if (sp_str_to_u64(sp_sshdconf_nth(&conf, "port", i), 65535, &port) == 0 &&
            !cJSON_AddItemToArray(ports, cJSON_CreateNumber((double)port)))
            return no_memory(err);
    for (size_t i = 0; sp_sshdconf_nth(&conf, "hostkey", i) != NULL; i++)
        add_host_key(e->host, sp_sshdconf_nth(&conf, "hostkey", i), keys);
    return 0;
}

SP_METHOD(sp_system_info)
{
    (void)p;
    (void)raw;
    if (!cJSON_AddStringToObject(result, "version", SP_VERSION))
        return no_memory(err);
    if (add_methods(result, err) < 0 || add_isolation(e->host, result, err) < 0)
        return -1;
    return add_sshd(e, result, err);
}
