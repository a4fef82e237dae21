/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/intake.h"

#include "base/mem.h"
#include "host/fsat.h"
#include "host/mend.h"
#include "model/blocklist.h"

/* Whoever can write the list can shut keys out. */
static int read_list(const struct sp_engine *e, struct sp_buf *list, struct sp_error *err)
{
    const struct sp_user root = {.name = "root"};
    const char *path = e->config->key_blocklist;
    struct stat st;

    if (sp_fsat_read(e->host->root_fd, path, SP_BLOCKLIST_MAX_BYTES, list, &st, err) < 0)
        return -1;
    if ((e->host->real && st.st_uid != 0) || (st.st_mode & 022) != 0) {
        sp_fail(err, SP_E_UNSAFE_PATH, 0, "others than root can write %.200s", path);
        return sp_mend_hint(e->host, &root, e->host->real && st.st_uid != 0 ? SP_MEND_HIS : SP_MEND_SAFE,
                            path, "", err);
    }
    return sp_blocklist_check(sp_buf_str(list), list->len, err);
}

int sp_intake_check(const struct sp_engine *e, const struct sp_key_list *keys, enum sp_intake_place place,
                    struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf list = {0};

    if (e->config->key_blocklist[0] == '\0' || keys->n == 0)
        return 0;
    if (read_list(e, &list, err) < 0) {
        if (err->hint[0] == '\0')
            sp_hint(err, "put the list there, or take key_blocklist out of sallyport.conf");
        return sp_field(err, "sallyport.conf.key_blocklist");
    }
    for (size_t i = 0; i < keys->n; i++) {
        const char *fingerprint = keys->v[i].key.fingerprint;
        if (!sp_blocklist_has(sp_buf_str(&list), list.len, fingerprint))
            continue;
        sp_fail(err, SP_E_INVALID, 0, "the key %s is one of those that %.200s shuts out", fingerprint,
                e->config->key_blocklist);
        sp_hint(err, "make a new pair: ssh-keygen -t ed25519");
        return place == SP_INTAKE_LIST ? sp_field(err, "authorized_keys[%zu].key", i)
                                       : sp_field(err, "key");
    }
    return 0;
}

int sp_intake_warn(const struct sp_key_list *keys, enum sp_intake_place place, cJSON *result,
                   struct sp_error *err)
{
    cJSON *warnings = cJSON_GetObjectItemCaseSensitive(result, "warnings");

    if (warnings == NULL)
        warnings = cJSON_AddArrayToObject(result, "warnings");
    for (size_t i = 0; warnings != NULL && i < keys->n; i++)
        for (size_t s = 0;; s++) {
            _cleanup_(sp_buf_clear) struct sp_buf text = {0};
            cJSON *item;

            if (place == SP_INTAKE_LIST)
                sp_buf_printf(&text, "authorized_keys[%zu]: ", i);
            if (!sp_keynotes_sentence(&keys->v[i].notes, s, &text))
                break;
            item = sp_buf_ok(&text) ? cJSON_CreateString(sp_buf_str(&text)) : NULL;
            if (item == NULL || !cJSON_AddItemToArray(warnings, item)) {
                cJSON_Delete(item);
                return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
            }
        }
    return warnings != NULL ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}
