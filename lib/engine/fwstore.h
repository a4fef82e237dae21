/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The SSH port's policy on disk: /var/lib/sallyport/firewall.json, 0600, replaced whole and durably, and
 * firewall.json-, the same bytes once more: what a broken file is answered with at boot. The copy is
 * written over in place and not waited for: a crash may leave half of it, but then the file itself is
 * whole. Beside them firewall.pending, while a policy is on trial. */
#ifndef SP_ENGINE_FWSTORE_H
#define SP_ENGINE_FWSTORE_H

#include "host/host.h"
#include "model/fwpending.h"
#include "model/fwpolicy.h"

/* The firewall's lock, taken after the account's. The fd that holds it, or -1 (SP_E_BUSY). */
int sp_fwstore_lock(struct sp_host *h, struct sp_error *err);

/* random(4), /proc/sys/kernel/random/boot_id */
int sp_fwstore_boot_id(struct sp_host *h, char ret[SP_FW_BOOT_ID_SIZE], struct sp_error *err);

enum sp_fwstore_copy { SP_FWSTORE_CURRENT, SP_FWSTORE_LAST_GOOD };

/* No file is the policy `unmanaged` without entries - but only where the other copy is missing too.
 * SP_E_STATE: broken, or newer than this program; *ret is then empty. ret_sum: model/fwfile.h; 0 for no
 * file. */
int sp_fwstore_load(struct sp_host *h, enum sp_fwstore_copy which, struct sp_fw_policy *ret,
                    uint64_t *ret_sum, struct sp_error *err);
/* A trial that was begun; none: the token is "". A broken file is none, and SP_E_STATE. */
/* The copy is what a crash may have left one change behind: it follows. */
int sp_fwstore_follow(struct sp_host *h, struct sp_error *err);
int sp_fwstore_load_pending(struct sp_host *h, struct sp_fw_pending *ret, struct sp_error *err);
int sp_fwstore_save_pending(struct sp_host *h, const struct sp_fw_pending *p, struct sp_error *err);
int sp_fwstore_drop_pending(struct sp_host *h, struct sp_error *err);

/* Under the lock: what a power cut left of files on their way. */
void sp_fwstore_tidy(struct sp_host *h);

/* And reads it back. ret_text (may be NULL): what was written. */
int sp_fwstore_save(struct sp_host *h, const struct sp_fw_policy *p, struct sp_buf *ret_text,
                    uint64_t *ret_sum, struct sp_error *err);

#endif
