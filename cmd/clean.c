/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cmd/clean.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"

/* Lines that we made ourselves, to be copied as they are. */
static bool is_of_lines(const char *name)
{
    static const char *const names[] = {"ssh_config", "commands"};

    for (size_t i = 0; i < SP_COUNT(names); i++)
        if (sp_streq(names[i], name))
            return true;
    return false;
}

static void clean_text(char *text, bool lines)
{
    while (lines && text[0] != '\0') {
        char *end = text + strcspn(text, "\n\t"), sign = *end;
        *end = '\0';
        sp_str_make_printable(text);
        *end = sign;
        text = end + (sign != '\0');
    }
    sp_str_make_printable(text);
}

static void clean(cJSON *value, bool lines)
{
    for (cJSON *v = value; v != NULL; v = v->next) {
        bool here = lines || is_of_lines(v->string);
        if (v->string != NULL)
            sp_str_make_printable(v->string);
        if (cJSON_IsString(v))
            clean_text(v->valuestring, here);
        clean(v->child, here);
    }
}

void sp_clean_for_terminal(cJSON *value)
{
    clean(value, false);
}

/* The code point of a well-formed sequence of two or three bytes: what hides needs no more. */
static unsigned code_point(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;

    return n == 2 ? (u[0] & 0x1fU) << 6 | (u[1] & 0x3fU)
                  : (u[0] & 0x0fU) << 12 | (u[1] & 0x3fU) << 6 | (u[2] & 0x3fU);
}

void sp_print_json(const cJSON *value)
{
    _cleanup_free_ char *text = cJSON_Print(value);
    size_t left = text != NULL ? strlen(text) : 0, n, hidden;

    for (const char *s = text; left > 0; s += n, left -= n) {
        n = sp_str_utf8(s, left);
        hidden = n > 1 ? sp_str_hides(s, left) : 0;
        if (n == 0) {
            (void)printf("\\ufffd");
            n = 1;
        } else if (hidden > 0) {
            (void)printf("\\u%04x", code_point(s, hidden));
            n = hidden;
        } else if (*s == 0x7f)
            (void)printf("\\u007f");
        else
            (void)fwrite(s, 1, n, stdout);
    }
    (void)printf("\n");
}
