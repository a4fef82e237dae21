/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/name.h"

#include <stdbool.h>
#include <string.h>

#include "base/str.h"
#include "model/sshkey.h"

/* <ctype.h> asks the locale; a name that reaches passwd must not depend on it. */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

int sp_name_check_user(const char *name, struct sp_error *err)
{
    size_t len = strlen(name), digits = 0;

    if (len == 0) {
        sp_fail(err, SP_E_INVALID, 0, "the user name is empty");
        return sp_hint(err, "send the name of the account");
    }
    if (len >= SP_USER_SIZE) {
        sp_fail(err, SP_E_INVALID, 0, "the user name has %zu bytes", len);
        return sp_hint(err, "at most %d bytes", SP_USER_SIZE - 1);
    }
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!is_lower(c) && !is_upper(c) && !is_digit(c) && strchr("_.-", c) == NULL) {
            sp_fail(err, SP_E_INVALID, 0, "the user name has a byte that is not allowed at position %zu",
                    i + 1);
            return sp_hint(err, "letters, digits, '_', '-' and '.'");
        }
        digits += is_digit(c);
    }
    if (name[0] == '-' || name[0] == '.') {
        sp_fail(err, SP_E_INVALID, 0, "the user name begins with '%c'", name[0]);
        return sp_hint(err, "begin with a letter, a digit or '_'");
    }
    if (digits == len) {
        sp_fail(err, SP_E_INVALID, 0, "the user name is a number");
        return sp_hint(err, "give the name of the account, not its uid");
    }
    return 0;
}

/* Bytes of a host name, whatever their order. The hint carries the mended form where there is one. */
static int check_domain_bytes(const char *name, size_t len, struct sp_error *err)
{
    char lower[SP_DOMAIN_SIZE];
    bool upper = false;

    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if ((unsigned char)c >= 0x80) {
            sp_fail(err, SP_E_INVALID, 0, "the domain name is not ASCII");
            return sp_hint(err, "send the punycode form (xn--...)");
        }
        if (!is_lower(c) && !is_upper(c) && !is_digit(c) && c != '-' && c != '.') {
            sp_fail(err, SP_E_INVALID, 0, "the domain name has a byte that is not allowed at position %zu",
                    i + 1);
            return sp_hint(err, "letters, digits, '-' and '.'");
        }
        upper |= is_upper(c);
        lower[i] = (char)(is_upper(c) ? c - 'A' + 'a' : c);
    }
    if (upper) {
        sp_fail(err, SP_E_INVALID, 0, "the domain name is not in lower case");
        return sp_hint(err, "send %.*s", (int)len, lower);
    }
    return 0;
}

/* RFC 1123 section 2.1: 1 to 63 letters, digits and hyphens, no hyphen at either end. */
static int check_label_of_domain(const char *label, size_t n, struct sp_error *err)
{
    if (n == 0) {
        sp_fail(err, SP_E_INVALID, 0, "the domain name has an empty label");
        return sp_hint(err, "send the full name with single dots, such as example.com");
    }
    if (n > 63) {
        sp_fail(err, SP_E_INVALID, 0, "a label of the domain name has %zu characters, 63 are allowed", n);
        return sp_hint(err, "a label is what stands between two dots");
    }
    if (label[0] == '-' || label[n - 1] == '-') {
        sp_fail(err, SP_E_INVALID, 0, "a label of the domain name begins or ends with '-'");
        return sp_hint(err, "a label is what stands between two dots");
    }
    return 0;
}

int sp_name_check_domain(const char *name, struct sp_error *err)
{
    size_t len = strlen(name), labels = 0, n = 0;
    const char *label = name;

    if (len == 0) {
        sp_fail(err, SP_E_INVALID, 0, "the domain name is empty");
        return sp_hint(err, "send the full name, such as example.com");
    }
    if (len >= SP_DOMAIN_SIZE) {
        sp_fail(err, SP_E_INVALID, 0, "the domain name has %zu characters, 253 are allowed", len);
        return sp_hint(err, "send the full name, such as example.com");
    }
    if (check_domain_bytes(name, len, err) < 0)
        return -1;
    if (len > 1 && name[len - 1] == '.') {
        sp_fail(err, SP_E_INVALID, 0, "the domain name ends with a dot");
        return sp_hint(err, "send %.*s", (int)len - 1, name);
    }
    for (;; label += n + 1) {
        n = strcspn(label, ".");
        if (check_label_of_domain(label, n, err) < 0)
            return -1;
        labels++;
        if (label[n] == '\0')
            break;
    }
    if (labels < 2) {
        sp_fail(err, SP_E_INVALID, 0, "the domain name has one label only");
        return sp_hint(err, "send the full name, such as example.com");
    }
    /* A top label of digits makes the whole an address (RFC 1123 section 2.1). */
    if (strspn(label, "0123456789") == n) {
        sp_fail(err, SP_E_INVALID, 0, "this is an address, not a domain name");
        return sp_hint(err, "send the full name, such as example.com");
    }
    return 0;
}

/* One component behind a '/': not empty, not "." and not "..". */
static int check_component(const char *c, size_t n, struct sp_error *err)
{
    if (n == 0)
        sp_fail(err, SP_E_INVALID, 0, "the path has an empty component or ends with '/'");
    else if ((n == 1 || n == 2) && strncmp(c, "..", n) == 0)
        sp_fail(err, SP_E_INVALID, 0, "the path has a component \".\" or \"..\"");
    else
        return 0;
    return sp_hint(err, "send the normalised path, as realpath prints it");
}

int sp_name_check_path(const char *path, struct sp_error *err)
{
    size_t len = strlen(path);

    if (path[0] != '/') {
        sp_fail(err, SP_E_INVALID, 0, "the path is not absolute");
        return sp_hint(err, "begin with '/'");
    }
    if (len >= SP_PATH_SIZE) {
        sp_fail(err, SP_E_INVALID, 0, "the path has %zu bytes, %d are allowed", len, SP_PATH_SIZE - 1);
        return sp_hint(err, "use a shorter path");
    }
    if (!sp_str_is_clean(path, len)) {
        sp_fail(err, SP_E_INVALID, 0, "the path has a control byte or is not UTF-8");
        return sp_hint(err, "rename the directory: such a path is refused everywhere");
    }
    if (memchr(path, ':', len) != NULL) {
        sp_fail(err, SP_E_INVALID, 0, "the path has a ':', which passwd(5) cannot hold");
        return sp_hint(err, "rename the directory");
    }
    if (len == 1)
        return 0;
    for (const char *c = path; *c == '/';) {
        size_t n = strcspn(++c, "/");
        if (check_component(c, n, err) < 0)
            return -1;
        c += n;
    }
    return 0;
}

/* Clean UTF-8 may still hold what drives a terminal or turns a line around. */
static bool hides_something(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (sp_str_hides(s + i, len - i) > 0)
            return true;
    return false;
}

int sp_name_check_label(const char *label, struct sp_error *err)
{
    size_t len = strlen(label);

    if (len >= SP_LABEL_SIZE) {
        sp_fail(err, SP_E_INVALID, 0, "the label has %zu bytes, %d are allowed", len, SP_LABEL_SIZE - 1);
        return sp_hint(err, "shorten it");
    }
    if (!sp_str_is_clean(label, len) || hides_something(label, len)) {
        sp_fail(err, SP_E_INVALID, 0, "the label has a control character or is not UTF-8");
        return sp_hint(err, "one line of printable text");
    }
    return 0;
}

int sp_name_check_host(const char *name, struct sp_error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:";

    if (name[0] != '\0' && name[0] != '-' && name[strspn(name, allowed)] == '\0' &&
        strlen(name) < SP_DOMAIN_SIZE)
        return 0;
    sp_fail(err, SP_E_INVALID, 0, "no name or address of a host");
    return sp_hint(err, "give the name by which clients reach this host, or leave it out");
}
