/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A user certificate as OpenSSH has it (PROTOCOL.certkeys): the bytes that a CA signs, and the line that
 * goes into KEY-cert.pub. Also the little of PROTOCOL.key that it takes to read an ed25519 CA's key.
 */
#ifndef SP_MODEL_SSHCERT_H
#define SP_MODEL_SSHCERT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "model/cidr.h"
#include "model/sshkey.h"

#define SP_SSHCERT_NONCE 32
#define SP_SSHCERT_KEY_ID_SIZE 256
#define SP_SSHCERT_PRINCIPAL_SIZE 64
#define SP_SSHCERT_COMMAND_SIZE 1024
#define SP_ED25519_SECRET 64 /* seed, then public half */
#define SP_ED25519_SIGNATURE 64

struct sp_sshcert {
    const struct sp_sshkey *key; /* what is certified; borrowed */
    uint64_t serial;
    char key_id[SP_SSHCERT_KEY_ID_SIZE];
    char principal[SP_SSHCERT_PRINCIPAL_SIZE]; /* exactly one: an empty list means "any" to some sshd */
    int64_t valid_from, valid_to;
    const struct sp_cidr_list *from;       /* source-address; empty: from anywhere; borrowed */
    char command[SP_SSHCERT_COMMAND_SIZE]; /* force-command; "": none, and forwarding is allowed */
    uint8_t nonce[SP_SSHCERT_NONCE];
};

/* A certificate that would open more than it says is never encoded: no principal, no end, a control byte in
 * an id or a command. */
int sp_sshcert_check(const struct sp_sshcert *c, struct sp_error *err);

/* "permit-pty" and so on: what the certificate permits, for ssh-keygen -O; NULL-terminated. A forced
 * command permits a terminal and nothing else. */
const char *const *sp_sshcert_extensions(const struct sp_sshcert *c);

/* "192.0.2.0/24,2001:db8::/32", "" for an empty list. */
void sp_sshcert_sources(const struct sp_cidr_list *from, struct sp_buf *out);

/* Append what the CA signs; `ca` is its public key. */
int sp_sshcert_body(const struct sp_sshcert *c, const struct sp_sshkey *ca, struct sp_buf *out,
                    struct sp_error *err);

/* Append "TYPE-cert-v01@openssh.com BASE64" for a body and an ed25519 signature over it. */
int sp_sshcert_line(const struct sp_sshkey *key, const struct sp_buf *body,
                    const uint8_t signature[SP_ED25519_SIGNATURE], struct sp_buf *out,
                    struct sp_error *err);

/* The secret of an unencrypted ed25519 key of ssh-keygen's ("-----BEGIN OPENSSH PRIVATE KEY-----").
 * SP_E_UNSUPPORTED for any other: of another type, or behind a passphrase. */
int sp_sshcert_secret(const char *text, size_t len, uint8_t ret[SP_ED25519_SECRET], struct sp_error *err);

#endif
