/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An ed25519 signature, by libsodium. It is loaded with dlopen(3) by whoever signs and by nobody else:
 * 0.14 ms, where libcrypto needs 1.6 and a spawned ssh-keygen 5.
 */
#ifndef SP_HOST_SIGN_H
#define SP_HOST_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* secret: seed and public half, 64 bytes. SP_E_UNSUPPORTED where the host has no libsodium. */
int sp_sign_ed25519(const uint8_t secret[64], const void *message, size_t len, uint8_t ret_signature[64],
                    struct sp_error *err);

/* Bytes that nobody can guess (getrandom(2)). */
int sp_sign_random(void *bytes, size_t len, struct sp_error *err);

#endif
