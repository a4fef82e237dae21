/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our table in the kernel's packet filter, by raw nfnetlink: nft(8) and libnftables dump every set of the
 * host for each change, and with a foreign set of 100,000 elements that costs half a second. Here only our
 * own table is ever read, element by element; of others' tables only the chains.
 *
 * Every change is one transaction. `struct sp_nft` is one netlink socket: open, use, close.
 */
#ifndef SP_HOST_NFT_H
#define SP_HOST_NFT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/host.h"
#include "model/fwcompile.h"

struct mnl_socket;

struct sp_nft {
    struct mnl_socket *nl; /* owned */
    uint32_t seq;
    /* Not 0: a change is made only while this is the ruleset's generation, else it is -1 with os_errno
     * ERESTART, and nothing was changed. */
    uint32_t expect;
};

/* SP_E_UNSUPPORTED where h is a directory and not the real host. */
int sp_nft_open(struct sp_host *h, struct sp_nft *ret, struct sp_error *err);
void sp_nft_close(struct sp_nft *nft);

/* Close it when h is closed: the close of a socket waits for the kernel to free what was deleted, some
 * milliseconds, and the answer need not. */
void sp_nft_leave(struct sp_host *h, struct sp_nft *nft);

/* In the order of strength: rules are chosen by comparing it. */
enum sp_nft_body {
    SP_NFT_ABSENT,  /* no table of our name */
    SP_NFT_DAMAGED, /* one that is not as we write it */
    SP_NFT_OPEN,    /* whole, holding nobody back */
    SP_NFT_GUARDED, /* whole, letting through what the sets allow */
};

/* A policy on trial: the kernel asks it first, for its ports, and forgets it by itself. */
struct sp_nft_trial {
    enum sp_nft_body body; /* ABSENT: there are no rules for one */
    uint16_t ports[SP_FW_MAX_PORTS];
    size_t n_ports;  /* 0: none runs, or its time is over */
    int64_t left_ms; /* until the last of its ports is forgotten */
    struct sp_fw_compiled allow;
    uint64_t proved; /* new connections that it let through */
};

struct sp_nft_ruleset {
    enum sp_nft_body body;
    char why[200]; /* DAMAGED: what is amiss */
    uint16_t ports[SP_FW_MAX_PORTS];
    size_t n_ports;
    struct sp_fw_compiled allow;
    struct sp_nft_trial trial;
};

void sp_nft_ruleset_clear(struct sp_nft_ruleset *r);

/* The number of the whole ruleset's last change by anybody (an element that times out is none). */
int sp_nft_generation(struct sp_nft *nft, uint32_t *ret, struct sp_error *err);

/* The number of this network namespace, which no other has until the next boot. 0: this kernel has none. */
uint64_t sp_nft_namespace(const struct sp_nft *nft);

/* What the kernel has under our name; `now` turns what is left of a timeout into an expiry. Ports and
 * elements are read only where the table is whole. SP_E_BUSY when others change it without pause.
 * ret_generation (may be NULL): that of what was read. */
int sp_nft_read(struct sp_nft *nft, int64_t now, struct sp_nft_ruleset *ret, uint32_t *ret_generation,
                struct sp_error *err);

/* Replace the whole table (body OPEN or GUARDED), with the trial that `want` has. */
int sp_nft_rebuild(struct sp_nft *nft, const struct sp_nft_ruleset *want, int64_t now,
                   struct sp_error *err);

/* The same, and in the same transaction the trial ends, which must still run: where the kernel has
 * forgotten it, the answer is -1 with os_errno ENOENT, and nothing was changed. */
int sp_nft_commit(struct sp_nft *nft, const struct sp_nft_trial *trial, const struct sp_nft_ruleset *want,
                  int64_t now, struct sp_error *err);

/* Take elements out and put others in. A changed expiry is both: kernels before 6.12 accept the re-add and
 * ignore its timeout. */
int sp_nft_edit(struct sp_nft *nft, const struct sp_fw_compiled *del, const struct sp_fw_compiled *add,
                int64_t now, struct sp_error *err);

/* After such an edit: is each element of `add` there, as it should be, and none of `del`? Asked one by one:
 * for a few of them. */
int sp_nft_check_edit(struct sp_nft *nft, const struct sp_fw_compiled *del,
                      const struct sp_fw_compiled *add, int64_t now, bool *ret, struct sp_error *err);

/* Replace all elements of allow4 and allow6. Other ports are a rebuild. */
int sp_nft_replace(struct sp_nft *nft, const struct sp_fw_compiled *want, int64_t now,
                   struct sp_error *err);

/* The table goes; none is success. */
int sp_nft_remove(struct sp_nft *nft, struct sp_error *err);

/* Does anybody else filter what comes in? True for any such base chain that is not ours; rules and sets are
 * not read, so that this costs the same on every host. */
int sp_nft_has_others(struct sp_nft *nft, bool *ret, struct sp_error *err);

#endif
