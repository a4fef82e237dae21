/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/sudo.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

bool sp_sudo_has(const struct sp_sudo *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (sp_streq(s->names[i], name))
            return true;
    return false;
}

/* It becomes a file name below sudo.d. */
static int check_name(const char *name, struct sp_error *err)
{
    size_t len = strlen(name);

    if (len > 0 && len < SP_SUDO_NAME_SIZE && name[0] != '-' &&
        name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_")] == '\0')
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "\"%.40s\" is no name of a template", name);
    return sp_hint(err, "a request names files of /etc/sallyport/sudo.d, never commands");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

int sp_sudo_from_json(const cJSON *array, struct sp_sudo *ret, struct sp_error *err)
{
    struct sp_sudo s = {0};
    const cJSON *item = NULL;
    int i = 0;

    cJSON_ArrayForEach(item, array)
    {
        if (!cJSON_IsString(item))
            return sp_fail(err, SP_E_INVALID, 0, "not a string"), sp_field(err, "[%d]", i);
        if (check_name(item->valuestring, err) < 0)
            return sp_field_prefix(err, "[%d]", i);
        if (s.n == SP_SUDO_MAX)
            return sp_fail(err, SP_E_INVALID, 0, "more than %d templates", SP_SUDO_MAX);
        if (!sp_sudo_has(&s, item->valuestring))
            (void)sp_str_copy(s.names[s.n++], SP_SUDO_NAME_SIZE, item->valuestring);
        i++;
    }
    qsort(s.names, s.n, sizeof(s.names[0]), by_name);
    *ret = s;
    return 0;
}

cJSON *sp_sudo_to_json(const struct sp_sudo *s)
{
    cJSON *array = cJSON_CreateArray();

    for (size_t i = 0; array != NULL && i < s->n; i++)
        if (!cJSON_AddItemToArray(array, cJSON_CreateString(s->names[i]))) {
            cJSON_Delete(array);
            return NULL;
        }
    return array;
}

static int bad_line(size_t number, const char *why, struct sp_error *err)
{
    sp_fail(err, SP_E_INVALID, 0, "line %zu: %s", number, why);
    return sp_hint(err, "sallyport.conf(5) tells what a template may hold");
}

/* sudoers(5) gives a meaning to * ? [ ] ! \ ^ $ ( ) " # and to ALL: none of them is let in. */
static const char *fault(const struct sp_sudo_rule *r)
{
    if (r->program[0] != '/' || r->program[strspn(r->program, LETTERS "_./+-")] != '\0' ||
        strstr(r->program, "/../") != NULL || r->program[strlen(r->program) - 1] == '/')
        return "a command is an absolute path of letters, digits and _./+-";
    if (r->command[strspn(r->command, LETTERS "_./@%+:=, -")] != '\0')
        return "an argument may hold letters, digits and _./@%+:=,- only: commands are exact";
    if (!sp_str_prefix(r->command, r->program, NULL))
        return "the command is not its program";
    if (strstr(r->program, "sudoedit") != NULL)
        return "sudoedit is no exact command";
    return r->runas[0] == '\0' ? "runas names nobody" : NULL;
}

static int read_line(char *line, size_t number, struct sp_sudo_rule *rule, bool *ret_whole,
                     struct sp_error *err)
{
    const char *value, *why;

    *ret_whole = false;
    if (line[0] == '\0' || line[0] == '#')
        return 0;
    if (sp_str_prefix(line, "runas ", &value))
        return sp_name_check_user(value, err) < 0 ? -1
                                                  : sp_str_copy(rule->runas, sizeof(rule->runas), value);
    if (!sp_str_prefix(line, "command ", &value) ||
        sp_str_copy(rule->command, sizeof(rule->command), value) < 0 ||
        strcspn(value, " ") >= sizeof(rule->program))
        return bad_line(number, "neither runas, nor a command", err);
    memcpy(rule->program, value, strcspn(value, " "));
    rule->program[strcspn(value, " ")] = '\0';
    why = fault(rule);
    *ret_whole = why == NULL;
    return why != NULL ? bad_line(number, why, err) : 0;
}

int sp_sudo_each(const char *bytes, size_t len, int (*visit)(const struct sp_sudo_rule *, void *),
                 void *data, struct sp_error *err)
{
    struct sp_sudo_rule rule = {.runas = "root"};
    _cleanup_free_ char *text = strndup(bytes, len);
    char *rest = text, *line;
    size_t number = 0;

    if (text == NULL)
        return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
    if (strlen(text) != len)
        return bad_line(1, "a NUL byte", err);
    while ((line = strsep(&rest, "\n")) != NULL) {
        bool whole = false;
        int rc = read_line(line, ++number, &rule, &whole, err);
        if (rc == 0 && whole)
            rc = visit(&rule, data);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void put_escaped(const char *s, struct sp_buf *out)
{
    for (; *s != '\0'; s++) {
        if (strchr(",:=", *s) != NULL)
            sp_buf_add(out, "\\", 1);
        sp_buf_add(out, s, 1);
    }
}

/* A quoted word is a user's name and nothing else: WEB1 alone would be an alias. */
int sp_sudo_format(const char *user, const struct sp_sudo_rule *rule, struct sp_buf *out,
                   struct sp_error *err)
{
    if (sp_name_check_user(user, err) < 0 || sp_name_check_user(rule->runas, err) < 0)
        return -1;
    if (fault(rule) != NULL)
        return bad_line(0, fault(rule), err);
    sp_buf_printf(out, "\"%s\" ALL = (\"%s\") NOPASSWD: ", user, rule->runas);
    put_escaped(rule->command, out);
    sp_buf_puts(out, strchr(rule->command, ' ') == NULL ? " \"\"\n" : "\n");
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}
