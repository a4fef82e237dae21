/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/audit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#define IDENTIFIER "sallyport"
#define LOG_AUTHPRIV_INFO 86 /* facility 10, severity 6 */

/* Control characters and anything that is no UTF-8 would let a field forge a line: they are written as
 * \xHH. */
static void escape(struct sp_buf *out, const char *s)
{
    size_t left = strlen(s), hidden = 0;
    bool clean = sp_str_is_clean(s, left);

    for (; left > 0; s++, left--) {
        unsigned char ch = (unsigned char)*s;
        if (hidden == 0)
            hidden = sp_str_hides(s, left);
        if (ch < 0x20 || ch == 0x7f || ch == '\\' || ch == '"' || hidden > 0 || (ch >= 0x80 && !clean))
            sp_buf_printf(out, "\\x%02x", ch);
        else
            sp_buf_add(out, s, 1);
        hidden -= hidden > 0;
    }
}

static bool send_to(const char *path, const struct sp_buf *text)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    if (fd < 0 || !sp_buf_ok(text) || sp_str_copy(to.sun_path, sizeof(to.sun_path), path) < 0)
        return false;
    return sendto(fd, text->data, text->len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&to,
                  sizeof(to)) >= 0;
}

static bool to_journal(const char *message, const struct sp_audit_field *fields)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};

    if (access("/run/systemd/journal/socket", F_OK) < 0)
        return false;
    sp_buf_puts(&b, "PRIORITY=6\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=" IDENTIFIER "\nMESSAGE=");
    escape(&b, message);
    for (; fields->name != NULL; fields++) {
        if (fields->value == NULL || fields->value[0] == '\0')
            continue;
        sp_buf_printf(&b, "\nSALLYPORT_%s=", fields->name);
        escape(&b, fields->value);
    }
    sp_buf_puts(&b, "\n");
    return send_to("/run/systemd/journal/socket", &b);
}

static void to_syslog(const char *message, const struct sp_audit_field *fields)
{
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};

    sp_buf_printf(&b, "<%d>" IDENTIFIER "[%ld]: ", LOG_AUTHPRIV_INFO, (long)getpid());
    escape(&b, message);
    for (; fields->name != NULL; fields++) {
        if (fields->value == NULL || fields->value[0] == '\0')
            continue;
        sp_buf_printf(&b, " %s=\"", fields->name);
        escape(&b, fields->value);
        sp_buf_puts(&b, "\"");
    }
    (void)send_to("/dev/log", &b);
}

void sp_audit(struct sp_host *h, const char *message, const struct sp_audit_field *fields)
{
    if (h->real && !to_journal(message, fields))
        to_syslog(message, fields);
}
