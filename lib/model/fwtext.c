/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/fwtext.h"

#include <stdlib.h>
#include <string.h>

struct sp_fw_text {
    struct sp_fw_text *below; /* owned: one reference */
    size_t refs, used, size;
    char bytes[];
};

struct sp_fw_text *sp_fw_text_new(size_t size, struct sp_fw_text *below)
{
    struct sp_fw_text *t = malloc(sizeof(*t) + size);

    if (t != NULL)
        *t = (struct sp_fw_text){.below = below, .refs = 1, .size = size};
    return t;
}

const char *sp_fw_text_add(struct sp_fw_text *t, const char *s)
{
    size_t len = s != NULL ? strlen(s) : 0;
    char *at = t->bytes + t->used;

    if (len == 0 || t->size - t->used <= len)
        return "";
    memcpy(at, s, len + 1);
    t->used += len + 1;
    return at;
}

char *sp_fw_text_room(struct sp_fw_text *t)
{
    t->used = t->size;
    return t->bytes;
}

struct sp_fw_text *sp_fw_text_share(struct sp_fw_text *t)
{
    if (t != NULL)
        t->refs++;
    return t;
}

void sp_fw_text_drop(struct sp_fw_text *t)
{
    while (t != NULL && --t->refs == 0) {
        struct sp_fw_text *below = t->below;
        free(t);
        t = below;
    }
}
