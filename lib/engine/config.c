/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "host/fsat.h"
#include "model/conffile.h"

#define VENDOR "/usr/share/sallyport/sallyport.conf"
#define LOCAL "/etc/sallyport/sallyport.conf"
#define DROP_INS ".d"

enum { FILE_MAX_BYTES = 1 << 20 };

struct names {
    struct dirent **v; /* owned */
    int n;
};

static void names_clear(struct names *l)
{
    for (int i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
}

/* A link to /dev/null hides the vendor's file of that name. */
static bool is_null(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* 1 read, 0 not there, -1: a file that is there and cannot be read might hold a refusal. */
static int read_file(struct sp_host *h, const char *path, struct sp_config *c, struct sp_error *err)
{
    _cleanup_close_ int fd =
        sp_fsat_open(h->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, SP_FSAT_FOLLOW, err);
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};

    if (fd < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    if (is_null(fd))
        return 1;
    if (sp_fsat_read_fd(fd, path, FILE_MAX_BYTES, &text, NULL, err) < 0 ||
        sp_conffile_parse(path, sp_buf_str(&text), text.len, c, err) < 0)
        return -1;
    return 1;
}

static int is_drop_in(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return n > 5 && e->d_name[0] != '.' && sp_streq(e->d_name + n - 5, ".conf");
}

/* In the order of their names, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int list(struct sp_host *h, const char *dir, struct names *ret, struct sp_error *err)
{
    _cleanup_close_ int fd = sp_fsat_open(h->root_fd, dir, O_RDONLY | O_DIRECTORY, 0, SP_FSAT_FOLLOW, err);
    int n;

    if (fd < 0)
        return err->code == SP_E_NOT_FOUND ? 0 : -1;
    n = scandirat(fd, ".", &ret->v, is_drop_in, by_name);
    if (n < 0)
        return sp_fail(err, errno == ENOMEM ? SP_E_NO_MEMORY : SP_E_IO, errno, "cannot read %s", dir);
    ret->n = n;
    return 0;
}

static bool has(const struct names *l, const char *name)
{
    for (int i = 0; i < l->n; i++)
        if (sp_streq(l->v[i]->d_name, name))
            return true;
    return false;
}

/* Those of `dir`, but for what `instead` has by the same name. */
static int read_drop_ins(struct sp_host *h, const char *dir, const struct names *names,
                         const struct names *instead, struct sp_config *c, struct sp_error *err)
{
    for (int i = 0; i < names->n; i++) {
        char path[SP_PATH_SIZE];
        if (instead != NULL && has(instead, names->v[i]->d_name))
            continue;
        if (sp_str_format(path, sizeof(path), "%s/%s", dir, names->v[i]->d_name) < 0)
            return sp_fail(err, SP_E_INVALID, 0, "a name in %s is too long", dir);
        if (read_file(h, path, c, err) < 0)
            return -1;
    }
    return 0;
}

static int read_all(struct sp_host *h, struct sp_config *c, struct sp_error *err)
{
    _cleanup_(names_clear) struct names vendor = {0}, local = {0};
    int found = read_file(h, LOCAL, c, err);

    if (found < 0 || (found == 0 && read_file(h, VENDOR, c, err) < 0) ||
        list(h, VENDOR DROP_INS, &vendor, err) < 0 || list(h, LOCAL DROP_INS, &local, err) < 0)
        return -1;
    if (read_drop_ins(h, VENDOR DROP_INS, &vendor, &local, c, err) < 0)
        return -1;
    return read_drop_ins(h, LOCAL DROP_INS, &local, NULL, c, err);
}

int sp_config_load(struct sp_host *h, struct sp_config *ret, struct sp_error *err)
{
    _cleanup_(sp_config_clear) struct sp_config c = {0};

    if (sp_config_defaults(&c, err) < 0)
        return -1;
    if (read_all(h, &c, err) < 0)
        return err->field[0] != '\0' ? sp_field_prefix(err, "sallyport.conf")
                                     : sp_field(err, "sallyport.conf");
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
