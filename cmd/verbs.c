/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which verbs there are, and what they are about. */
#include "cmd/verbs.h"

#include "base/mem.h"
#include "base/str.h"

#define VERBS_MAX 64

static const struct sp_verb *const access_verbs[] = {&sp_verb_enable, &sp_verb_disable,  &sp_verb_shell,
                                                     &sp_verb_access, &sp_verb_limits,   &sp_verb_suspend,
                                                     &sp_verb_resume, &sp_verb_password, NULL};
static const struct sp_verb *const people_verbs[] = {
    &sp_verb_keys, &sp_verb_users, &sp_verb_global_keys, &sp_verb_certificates, &sp_verb_sessions, NULL};
static const struct sp_verb *const look_verbs[] = {&sp_verb_list, &sp_verb_status, &sp_verb_doctor,
                                                   &sp_verb_host, NULL};
static const struct sp_verb *const file_verbs[] = {&sp_verb_plan, &sp_verb_apply, NULL};
static const struct sp_verb *const move_verbs[] = {&sp_verb_adopt, &sp_verb_rebind, &sp_verb_remove, NULL};
static const struct sp_verb *const host_verbs[] = {&sp_verb_firewall, &sp_verb_jail, &sp_verb_reconcile,
                                                   NULL};

const struct sp_topic sp_topics[] = {
    {"who gets in, and how far", access_verbs},
    {"keys and people", people_verbs},
    {"what is, and why", look_verbs},
    {"requests in files", file_verbs},
    {"taken up, moved, given back", move_verbs},
    {"the host: port, jails, upkeep", host_verbs},
    {NULL, NULL},
};

const struct sp_verb *sp_verb_find(const char *name)
{
    for (const struct sp_topic *t = sp_topics; t->topic != NULL; t++)
        for (const struct sp_verb *const *v = t->verbs; *v != NULL; v++)
            if (sp_streq((*v)->name, name))
                return *v;
    return NULL;
}

const char *sp_verb_nearest(const char *name)
{
    const char *names[VERBS_MAX] = {NULL};
    size_t n = 0;

    for (const struct sp_topic *t = sp_topics; t->topic != NULL; t++)
        for (const struct sp_verb *const *v = t->verbs; *v != NULL && n < SP_COUNT(names); v++)
            names[n++] = (*v)->name;
    return sp_nearest(name, names, n);
}
