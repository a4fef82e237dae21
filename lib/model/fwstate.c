/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/fwstate.h"

#include <cjson/cJSON.h>
#include <sha256.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/json.h"
#include "model/when.h"

#define SEAL ",\"checksum\":\""
#define SEAL_SIZE (sizeof(SEAL) - 1 + SHA256_DIGEST_STRING_LENGTH - 1 + 3) /* and "}\n behind it */

struct cJSON *sp_fwstate_entry_json(const struct sp_fw_entry *e)
{
    _cleanup_json_ cJSON *j = cJSON_CreateObject();
    char source[SP_CIDR_SIZE], when[SP_WHEN_SIZE];

    sp_cidr_format(&e->source, source);
    if (cJSON_AddStringToObject(j, "source", source) == NULL)
        return NULL;
    if (e->comment[0] != '\0' && cJSON_AddStringToObject(j, "comment", e->comment) == NULL)
        return NULL;
    if (e->expires_at != 0) {
        sp_when_format(e->expires_at, when);
        if (cJSON_AddStringToObject(j, "expires_at", when) == NULL)
            return NULL;
    }
    if (e->owner[0] != '\0' && cJSON_AddStringToObject(j, "owner", e->owner) == NULL)
        return NULL;
    return sp_steal_ptr(j);
}

struct cJSON *sp_fwstate_to_json(const struct sp_fw_policy *p)
{
    _cleanup_json_ cJSON *j = cJSON_CreateObject();
    cJSON *ports, *sources;

    if (cJSON_AddNumberToObject(j, "version", SP_FWSTATE_VERSION) == NULL ||
        cJSON_AddStringToObject(j, "mode", sp_fw_mode_name(p->mode)) == NULL)
        return NULL;
    ports = cJSON_AddArrayToObject(j, "ports");
    sources = cJSON_AddArrayToObject(j, "sources");
    for (size_t i = 0; i < p->n_ports; i++)
        if (!cJSON_AddItemToArray(ports, cJSON_CreateNumber(p->ports[i])))
            return NULL;
    for (size_t i = 0; i < p->n; i++)
        if (!cJSON_AddItemToArray(sources, sp_fwstate_entry_json(&p->v[i])))
            return NULL;
    return sp_steal_ptr(j);
}

static void digest(const char *bytes, size_t len, char out[SHA256_DIGEST_STRING_LENGTH])
{
    (void)SHA256Data((const uint8_t *)bytes, len, out);
}

int sp_fwstate_seal(const struct cJSON *j, struct sp_buf *out, struct sp_error *err)
{
    _cleanup_free_ char *text = j != NULL ? cJSON_PrintUnformatted(j) : NULL;
    char sum[SHA256_DIGEST_STRING_LENGTH];
    size_t len;

    if (text == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    len = strlen(text) - 1; /* the closing brace comes behind the seal */
    digest(text, len, sum);
    sp_buf_add(out, text, len);
    sp_buf_printf(out, SEAL "%s\"}\n", sum);
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int broken(struct sp_error *err, const char *why)
{
    (void)sp_fail(err, SP_E_STATE, 0, "the firewall's state file is broken: %s", why);
    return sp_hint(err, "what is in force stays in force; firewall.json- is the last good copy");
}

/* One field at a time; a file whose seal fits was written by us, so that any mismatch is a bug or a newer
 * writer, and no field needs more than one sentence. */
static int read_entry(const cJSON *j, struct sp_fw_entry *ret, struct sp_error *err)
{
    const char *source = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(j, "source"));
    const char *comment = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(j, "comment"));
    const char *when = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(j, "expires_at"));
    const char *owner = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(j, "owner"));

    if (source == NULL)
        return sp_fail(err, SP_E_STATE, 0, "an entry has no source");
    if (sp_cidr_parse(source, &ret->source, err) < 0 ||
        (when != NULL && sp_when_parse(when, &ret->expires_at, err) < 0))
        return -1;
    /* Borrowed from j until sp_fw_policy_put() copies. */
    ret->comment = comment;
    ret->owner = owner;
    return 0;
}

static int read_entries(const cJSON *sources, struct sp_fw_policy *ret, struct sp_error *err)
{
    int n = cJSON_GetArraySize(sources);
    _cleanup_free_ struct sp_fw_entry *v = calloc((size_t)n + 1, sizeof(*v));
    const cJSON *item;
    size_t i = 0;

    if (v == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    cJSON_ArrayForEach(item, sources)
    {
        if (read_entry(item, &v[i++], err) < 0)
            return broken(err, "an entry cannot be read");
    }
    if (sp_fw_policy_put(ret, v, i, 0, err) < 0)
        return err->code == SP_E_NO_MEMORY ? -1 : broken(err, "an entry is not allowed");
    return 0;
}

static int read_ports(const cJSON *ports, struct sp_fw_policy *ret, struct sp_error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, ports)
    {
        double port = cJSON_IsNumber(item) ? cJSON_GetNumberValue(item) : 0;
        if (!(port >= 1 && port <= 65535) || sp_fw_ports_add(ret->ports, &ret->n_ports, (uint16_t)port) < 0)
            return broken(err, "a port is out of range");
    }
    return 0;
}

int sp_fwstate_from_json(const struct cJSON *j, struct sp_fw_policy *ret, struct sp_error *err)
{
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(j, "version");
    const cJSON *mode = cJSON_GetObjectItemCaseSensitive(j, "mode");
    const cJSON *ports = cJSON_GetObjectItemCaseSensitive(j, "ports");
    const cJSON *sources = cJSON_GetObjectItemCaseSensitive(j, "sources");

    if (!cJSON_IsNumber(version))
        return broken(err, "no version");
    if (cJSON_GetNumberValue(version) > SP_FWSTATE_VERSION) {
        (void)sp_fail(err, SP_E_STATE, 0, "the firewall's state file is of a newer sallyport");
        return sp_hint(err, "use the sallyport that wrote it; nothing is changed until then");
    }
    if (!cJSON_IsString(mode) || sp_fw_mode_parse(mode->valuestring, &ret->mode, err) < 0)
        return broken(err, "no mode");
    if (!cJSON_IsArray(ports) || !cJSON_IsArray(sources))
        return broken(err, "no ports or sources");
    return read_ports(ports, ret, err) < 0 ? -1 : read_entries(sources, ret, err);
}

int sp_fwstate_unseal(const char *bytes, size_t len, struct cJSON **ret, struct sp_error *err)
{
    char sum[SHA256_DIGEST_STRING_LENGTH];
    const char *seal;

    if (len == 0)
        return broken(err, "it is empty");
    if (len <= SEAL_SIZE || len > SP_FWSTATE_MAX_BYTES)
        return broken(err, "it has an impossible size");
    seal = bytes + len - SEAL_SIZE;
    digest(bytes, len - SEAL_SIZE, sum);
    if (memcmp(seal, SEAL, sizeof(SEAL) - 1) != 0 || memcmp(bytes + len - 3, "\"}\n", 3) != 0 ||
        memcmp(seal + sizeof(SEAL) - 1, sum, sizeof(sum) - 1) != 0)
        return broken(err, "its checksum does not fit");
    if (sp_json_parse_large(bytes, len, SP_FWSTATE_MAX_BYTES, ret, err) < 0 && err->code == SP_E_NO_MEMORY)
        return -1;
    return cJSON_IsObject(*ret) ? 0 : broken(err, "it is not a JSON object");
}

int sp_fwstate_parse(const char *bytes, size_t len, struct sp_fw_policy *ret, struct sp_error *err)
{
    _cleanup_(sp_fw_policy_clear) struct sp_fw_policy p = {0};
    _cleanup_json_ cJSON *j = NULL;

    if (sp_fwstate_unseal(bytes, len, &j, err) < 0 || sp_fwstate_from_json(j, &p, err) < 0)
        return -1;
    *ret = p;
    p = (struct sp_fw_policy){0};
    return 0;
}
