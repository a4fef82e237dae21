/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who may reach the SSH port: a mode and a list of sources. Comments, owners and absolute expiries live
 * here and in the state file, never in the kernel; what the kernel gets is compiled by model/fwcompile.h.
 *
 * A source is given by firewall.set (owner "") or brought by a domain's own `sources` (owner: that domain).
 * The same block may stand once for each owner: taking one away leaves the other.
 */
#ifndef SP_MODEL_FWPOLICY_H
#define SP_MODEL_FWPOLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "model/cidr.h"
#include "model/fwtext.h"

#define SP_FW_MAX_ENTRIES 10000
#define SP_FW_MAX_COMMENT 1024 /* bytes */
#define SP_FW_MAX_PORTS 32

enum sp_fw_mode {
    SP_FW_UNMANAGED,  /* no table of ours */
    SP_FW_OPEN,       /* our table, letting everybody through */
    SP_FW_RESTRICTED, /* the sources, the domains' sources and always_allow */
    SP_FW_CLOSED,     /* always_allow alone */
    SP_FW_MODE_COUNT
};

struct sp_fw_entry {
    struct sp_cidr source;
    int64_t expires_at;  /* 0: permanent */
    const char *comment; /* "" (a policy's are never NULL) when there is none */
    const char *owner;   /* "" or a domain */
};

/* Entries are sorted by family, address, prefix and owner, without repeats. */
struct sp_fw_policy {
    enum sp_fw_mode mode;
    struct sp_fw_entry *v; /* owned, unless it is borrowed: sp_fw_policy_borrow() */
    size_t n;
    bool borrowed;
    struct sp_fw_text *text;         /* owned: a reference to what the entries' strings lie in */
    uint16_t ports[SP_FW_MAX_PORTS]; /* guarded when it was last put in force; ascending */
    size_t n_ports;
};

const char *sp_fw_mode_name(enum sp_fw_mode mode);
int sp_fw_mode_parse(const char *name, enum sp_fw_mode *ret, struct sp_error *err);

/* Is it one that a policy may have? `now` as for sp_fw_policy_put(). */
int sp_fw_entry_check(const struct sp_fw_entry *e, int64_t now, struct sp_error *err);
/* In the order of a policy: less than, equal to or greater than 0. */
int sp_fw_entry_compare(const struct sp_fw_entry *a, const struct sp_fw_entry *b);

void sp_fw_policy_clear(struct sp_fw_policy *p);
int sp_fw_policy_copy(struct sp_fw_policy *dst, const struct sp_fw_policy *src, struct sp_error *err);

/* A copy that has no entries of its own until it is changed; src must live longer and stay as it is. Before
 * anything is taken away it must own them: sp_fw_policy_put() alone may be called at once. */
void sp_fw_policy_borrow(struct sp_fw_policy *dst, const struct sp_fw_policy *src);
int sp_fw_policy_own(struct sp_fw_policy *p, struct sp_error *err);

/* Add or, where source and owner stand already, replace; copies. Refused (SP_E_INVALID, field "[i]...",
 * *p unchanged): an expiry at or before `now` (0: not looked at), a comment over 1 KiB or unclean, an owner
 * that is no domain, more than 10,000 entries in all, one source twice in `v` with unlike values. */
int sp_fw_policy_put(struct sp_fw_policy *p, const struct sp_fw_entry *v, size_t n, int64_t now,
                     struct sp_error *err);

/* Take away. True if it was there. */
bool sp_fw_policy_drop(struct sp_fw_policy *p, const struct sp_cidr *source, const char *owner);
/* All of that owner's; what is borrowed is owned then. */
int sp_fw_policy_drop_owner(struct sp_fw_policy *p, const char *owner, struct sp_error *err);
void sp_fw_policy_drop_expired(struct sp_fw_policy *p, int64_t now);

const struct sp_fw_entry *sp_fw_policy_find(const struct sp_fw_policy *p, const struct sp_cidr *source,
                                            const char *owner);
bool sp_fw_entry_equal(const struct sp_fw_entry *a, const struct sp_fw_entry *b);
bool sp_fw_policy_equal(const struct sp_fw_policy *a, const struct sp_fw_policy *b);

/* Every entry that the two have not alike, in order: from NULL is a new one, to NULL one that is gone.
 * Ends at the first answer that is not 0, and returns it. */
int sp_fw_policy_diff(const struct sp_fw_policy *from, const struct sp_fw_policy *to,
                      int (*visit)(void *data, const struct sp_fw_entry *from,
                                   const struct sp_fw_entry *to),
                      void *data);

/* What holds for the whole: `restricted` has a permanent entry of firewall.set, so that neither an expiry
 * nor the removal of a domain can turn it into `closed`. SP_E_LOCKOUT. */
int sp_fw_policy_check(const struct sp_fw_policy *p, struct sp_error *err);

/* Add a port, keeping the list ascending and without repeats. -1 when the list is full. */
int sp_fw_ports_add(uint16_t *ports, size_t *n_ports, uint16_t port);

#endif
