/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <libeconf.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/engine.h"

static void free_file(econf_file **f)
{
    if (*f != NULL)
        (void)econf_freeFile(*f);
}

static void free_keys(char ***keys)
{
    if (*keys != NULL)
        econf_freeArray(*keys);
}

static void free_groups(char ***groups)
{
    if (*groups != NULL)
        econf_freeArray(*groups);
}

/* Whatever could not be read for want of memory might have been a refusal (denied_users). */
static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "no memory for sallyport.conf");
}

/* libeconf would read nothing below a [section], and denied_users would be gone without a word. */
static int refuse_sections(econf_file *file, struct sp_error *err)
{
    _cleanup_(free_groups) char **groups = NULL;
    size_t n = 0;
    econf_err e = econf_getGroups(file, &n, &groups);

    if (e == ECONF_NOMEM)
        return no_memory(err);
    if (e != ECONF_SUCCESS || n == 0)
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "sallyport.conf has a section [%.60s]", groups[0]);
    sp_hint(err, "the file has no sections: take the line out, what stands below it counts then");
    return sp_field(err, "sallyport.conf");
}

static int set_all(econf_file *file, struct sp_config *c, struct sp_error *err)
{
    _cleanup_(free_keys) char **keys = NULL;
    size_t n = 0;
    econf_err e = econf_getKeys(file, NULL, &n, &keys);

    if (e == ECONF_NOKEY)
        return 0;
    if (e == ECONF_NOMEM)
        return no_memory(err);
    if (e != ECONF_SUCCESS)
        return sp_fail(err, SP_E_INVALID, 0, "sallyport.conf: %s", econf_errString(e));
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *value = NULL;
        errno = 0;
        e = keys[i] != NULL ? econf_getStringValue(file, NULL, keys[i], &value) : ECONF_NOMEM;
        if (e == ECONF_NOMEM || errno == ENOMEM)
            return no_memory(err);
        if (e != ECONF_SUCCESS)
            continue;
        if (sp_config_set(c, keys[i], value != NULL ? value : "", err) < 0)
            return sp_field_prefix(err, "sallyport.conf");
    }
    return 0;
}

int sp_config_load(struct sp_config *ret, struct sp_error *err)
{
    _cleanup_(sp_config_clear) struct sp_config c = {0};
    _cleanup_(free_file) econf_file *file = NULL;
    econf_err e;

    if (sp_config_defaults(&c, err) < 0)
        return -1;
    errno = 0;
    e = econf_readDirs(&file, "/usr/share/sallyport", "/etc/sallyport", "sallyport", ".conf", "=", "#");
    /* libeconf looks at no allocation of its own, and answers success with lines that are lost. */
    if (e == ECONF_NOMEM || errno == ENOMEM)
        return no_memory(err);
    if (e != ECONF_SUCCESS && e != ECONF_NOFILE) {
        sp_fail(err, SP_E_INVALID, 0, "sallyport.conf cannot be read: %s", econf_errString(e));
        sp_hint(err, "see sallyport.conf(5); lines are NAME = VALUE");
        return sp_field(err, "sallyport.conf");
    }
    if (e == ECONF_SUCCESS && (refuse_sections(file, err) < 0 || set_all(file, &c, err) < 0))
        return -1;
    if (c.foreign_keys == SP_FOREIGN_REFUSE && c.key_store == SP_KEY_STORE_HOME) {
        sp_fail(err, SP_E_INVALID, 0,
                "foreign_keys = refuse cannot hold while users write the file themselves");
        sp_hint(err, "set key_store = root too");
        return sp_field(err, "sallyport.conf.foreign_keys");
    }
    *ret = c;
    c = (struct sp_config){0};
    return 0;
}
