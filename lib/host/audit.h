/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One structured entry a request: to the journal in its native protocol
 * (systemd.io/JOURNAL_NATIVE_PROTOCOL) where /run/systemd/journal/socket listens, else one line to syslog
 * (/dev/log, RFC 3164, LOG_AUTHPRIV). Values are escaped, so that no field can forge a line.
 */
#ifndef SP_HOST_AUDIT_H
#define SP_HOST_AUDIT_H

#include "host/host.h"

struct sp_audit_field {
    const char *name;  /* upper case, as the journal wants: "METHOD" is stored as SALLYPORT_METHOD */
    const char *value; /* NULL or "" is left out */
};

/* message: one sentence for people. fields: terminated by a NULL name. Failing to log never fails a
 * request. */
void sp_audit(struct sp_host *h, const char *message, const struct sp_audit_field *fields);

#endif
