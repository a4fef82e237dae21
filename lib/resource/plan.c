/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The list of changes that resources append to and the engine carries out. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "resource/resource.h"

void sp_plan_clear(struct sp_plan *p)
{
    free(p->v);
    free(p->notes);
    *p = (struct sp_plan){0};
}

static struct sp_change *append(struct sp_change **v, size_t *n, struct sp_error *err)
{
    struct sp_change *grown = realloc(*v, (*n + 1) * sizeof(*grown));

    if (grown == NULL) {
        sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
        return NULL;
    }
    *v = grown;
    grown[*n] = (struct sp_change){0};
    return &grown[(*n)++];
}

struct sp_change *sp_plan_add(struct sp_plan *p, const struct sp_resource *r, enum sp_phase phase,
                              enum sp_effect effect, int what, struct sp_error *err)
{
    struct sp_change *c = append(&p->v, &p->n, err);

    if (c != NULL) {
        c->resource = r;
        c->phase = phase;
        c->effect = effect;
        c->what = what;
    }
    return c;
}

int sp_plan_warn(struct sp_plan *p, struct sp_error *err, const char *fmt, ...)
{
    struct sp_change *c = append(&p->notes, &p->n_notes, err);
    va_list ap;

    if (c == NULL)
        return -1;
    va_start(ap, fmt);
    (void)vsnprintf(c->to, sizeof(c->to), fmt, ap);
    va_end(ap);
    return 0;
}
