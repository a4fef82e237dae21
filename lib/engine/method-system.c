/* SPDX-License-Identifier: GPL-3.0-or-later */
/* system.info: what this host offers. */
#include <string.h>

#include "base/mem.h"
#include "engine/hostkeys.h"
#include "engine/methods.h"
#include "host/kernel.h"
#include "host/slice.h"
#include "model/json.h"
#include "resource/resource.h"

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

/* Where limits are held: in systemd's slices, or (processes in a jail alone) by count. */
static int add_slices(struct sp_host *h, cJSON *result, struct sp_error *err)
{
    cJSON *o = cJSON_AddObjectToObject(result, "limits");
    const char *why = "";
    bool usable = sp_slice_usable(h, &why);

    if (o == NULL || !cJSON_AddBoolToObject(o, "slices", usable) ||
        (!usable && !cJSON_AddStringToObject(o, "reason", why)))
        return no_memory(err);
    return 0;
}

static int add_host_key(const struct sp_sshkey *key, cJSON *keys, struct sp_error *err)
{
    cJSON *o = cJSON_CreateObject();

    if (o == NULL || !cJSON_AddItemToArray(keys, o) || !cJSON_AddStringToObject(o, "type", key->type) ||
        !cJSON_AddNumberToObject(o, "bits", key->bits) ||
        !cJSON_AddStringToObject(o, "fingerprint", key->fingerprint))
        return no_memory(err);
    return 0;
}

static int add_sshd(struct sp_engine *e, cJSON *result, struct sp_error *err)
{
    cJSON *o = cJSON_AddObjectToObject(result, "sshd");
    cJSON *ports = o != NULL ? cJSON_AddArrayToObject(o, "ports") : NULL;
    cJSON *keys = o != NULL ? cJSON_AddArrayToObject(o, "host_keys") : NULL;
    _cleanup_(sp_hostkeys_clear) struct sp_hostkeys k = {0};
    struct sp_error why;

    if (keys == NULL || ports == NULL)
        return no_memory(err);
    if (sp_hostkeys_read(e, &k, &why) < 0)
        return cJSON_AddStringToObject(o, "problem", why.text) != NULL ? 0 : no_memory(err);
    for (size_t i = 0; i < k.n_ports; i++)
        if (!cJSON_AddItemToArray(ports, cJSON_CreateNumber(k.ports[i])))
            return no_memory(err);
    for (size_t i = 0; i < k.n; i++)
        if (add_host_key(&k.v[i], keys, err) < 0)
            return -1;
    return 0;
}

SP_METHOD(sp_system_info)
{
    (void)p;
    (void)raw;
    if (!cJSON_AddStringToObject(result, "version", SP_VERSION))
        return no_memory(err);
    if (add_methods(result, err) < 0 || add_isolation(e->host, result, err) < 0 ||
        add_slices(e->host, result, err) < 0)
        return -1;
    return add_sshd(e, result, err);
}
