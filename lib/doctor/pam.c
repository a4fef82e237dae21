/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which modules of PAM's account stack may have turned somebody away, and by which file: PAM itself names
 * none. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/fsat.h"

#define DEEPEST 4 /* files that include one another */

static const struct suspect {
    const char *module, *by;
} suspects[] = {
    {"pam_access.so", "/etc/security/access.conf"},
    {"pam_time.so", "/etc/security/time.conf"},
    {"pam_shells.so", "/etc/shells, which is to name the login shell"},
    {"pam_listfile.so", "the list that its line names"},
    {"pam_succeed_if.so", "the conditions in its line"},
    {"pam_faillock.so", "too many failures, see faillock --user"},
};

/* What is found, once each. */
struct stack {
    bool has[SP_COUNT(suspects)];
};

static void read_service(const struct sp_visit *v, const char *name, unsigned depth, struct stack *s);

/* pam.conf(5): TYPE CONTROL MODULE..., "@include NAME", and "TYPE include NAME". */
static void read_line(const struct sp_visit *v, char *line, unsigned depth, struct stack *s)
{
    char *save = NULL, *type, *word;
    bool includes;

    line[strcspn(line, "#")] = '\0';
    type = strtok_r(line, " \t", &save);
    if (type == NULL)
        return;
    includes = sp_streq(type, "@include");
    if (!includes && !sp_streq(type, "account") && !sp_streq(type, "-account"))
        return;
    while ((word = strtok_r(NULL, " \t", &save)) != NULL) {
        if (includes) {
            read_service(v, word, depth + 1, s);
            return;
        }
        includes = sp_streq(word, "include") || sp_streq(word, "substack");
        for (size_t i = 0; i < SP_COUNT(suspects); i++) {
            const char *base = strrchr(word, '/');
            s->has[i] |= sp_streq(base != NULL ? base + 1 : word, suspects[i].module);
        }
    }
}

static void read_service(const struct sp_visit *v, const char *name, unsigned depth, struct stack *s)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char path[256], *save = NULL;
    struct sp_error ignored;

    if (depth >= DEEPEST || strchr(name, '/') != NULL ||
        sp_str_format(path, sizeof(path), "/etc/pam.d/%s", name) != 0 ||
        sp_fsat_read(v->login->host->root_fd, path, 1U << 16, &text, NULL, &ignored) < 0 || text.len == 0)
        return;
    for (char *l = strtok_r(text.data, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save))
        read_line(v, l, depth, s);
}

int sp_doctor_mend_pam(struct sp_visit *v)
{
    _cleanup_(sp_buf_clear) struct sp_buf who = {0};
    struct stack s = {{0}};

    read_service(v, "sshd", 0, &s);
    for (size_t i = 0; i < SP_COUNT(suspects); i++)
        if (s.has[i])
            sp_buf_printf(&who, "%s%s (%s)", who.len > 0 ? ", " : "", suspects[i].module, suspects[i].by);
    if (who.len == 0 || !sp_buf_ok(&who))
        return sp_finding_mend(v, "see the account lines of /etc/pam.d/sshd and what auth.log says");
    return sp_finding_mend(v, "let %s in by what turned him away, auth.log names which: %s", v->user.name,
                           sp_buf_str(&who));
}
