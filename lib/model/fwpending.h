/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A policy of the SSH port that is on trial, as a file: it outlives the process that began it, and says
 * after a crash or a reboot what the trial was about. Sealed as the state file is.
 *
 *     {"version":1,"token":"k3...","phase":"trial","boot_id":"...","deadline":"2027-01-01T00:00:00Z",
 *      "policy":{...},"checksum":"..."}
 */
#ifndef SP_MODEL_FWPENDING_H
#define SP_MODEL_FWPENDING_H

#include "model/fwpolicy.h"

#define SP_FW_TOKEN_SIZE 17   /* 16 hexadecimal digits */
#define SP_FW_BOOT_ID_SIZE 37 /* random(4), /proc/sys/kernel/random/boot_id */

enum sp_fw_phase {
    SP_FW_TRYING,
    SP_FW_CONFIRMING, /* the kernel is about to be told, or has been, that it stays */
};

struct sp_fw_pending {
    char token[SP_FW_TOKEN_SIZE]; /* "": nothing is on trial */
    enum sp_fw_phase phase;
    char boot_id[SP_FW_BOOT_ID_SIZE];
    int64_t deadline; /* for people: the kernel counts by itself */
    struct sp_fw_policy policy;
};

void sp_fw_pending_clear(struct sp_fw_pending *p);
int sp_fwpending_format(const struct sp_fw_pending *p, struct sp_buf *out, struct sp_error *err);

/* SP_E_STATE for what we did not write like that; *ret is then untouched. */
int sp_fwpending_parse(const char *bytes, size_t len, struct sp_fw_pending *ret, struct sp_error *err);

#endif
