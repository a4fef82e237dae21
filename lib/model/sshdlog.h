/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One line of what sshd logs (auth.log, syslog, `journalctl -o short-unix`), and what it says of a login:
 * whom it let in with which key or certificate, or why it did not. The client is told only "Permission
 * denied (publickey)"; the lines of one connection bear one pid, and only some of them name the account.
 *
 * The texts are those of OpenSSH 9.2 (auth.c, auth2-pubkey.c, auth2-pubkeyfile.c, sshkey.c).
 */
#ifndef SP_MODEL_SSHDLOG_H
#define SP_MODEL_SSHDLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/name.h"
#include "model/sshkey.h"

enum sp_sshdlog_kind {
    SP_SSHDLOG_OTHER,    /* nothing that is known here */
    SP_SSHDLOG_ACCEPTED, /* user, address, port, method; of a key its type and fingerprint, of a
                            certificate key_id, serial and the CA's fingerprint too */
    SP_SSHDLOG_PARTIAL,  /* the same, where sshd wants another proof too (AuthenticationMethods) */
    SP_SSHDLOG_REFUSED,  /* why and mend; the user only where the line names him */
    SP_SSHDLOG_CLOSED,   /* the end of a connection that never got in: it names the user */
    SP_SSHDLOG_SESSION,  /* why and mend of a login that was accepted and got no session; whose it was says
                            the line that accepted it, of the same pid */
};

struct sp_sshdlog {
    enum sp_sshdlog_kind kind;
    uint32_t pid; /* of root's half of the connection; 0 where the line has none */
    char at[40];  /* the time as the line has it; "" where it has none */
    char user[SP_USER_SIZE], address[64], method[32];
    unsigned port;
    char type[SP_SSHKEY_TYPE_SIZE]; /* "ED25519-CERT": as sshd logs it */
    char fingerprint[SP_FINGERPRINT_SIZE], ca[SP_FINGERPRINT_SIZE], key_id[256];
    bool is_certificate;
    uint64_t serial;
    const char *why, *mend; /* sentences for people; static */
    bool general;           /* another line of the same connection may say more */
};

/* False: no line of sshd's. Nothing in it is trusted: whoever connects chooses the user's name. */
bool sp_sshdlog_parse(const char *line, size_t len, struct sp_sshdlog *ret);

#endif
