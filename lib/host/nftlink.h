/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The wire to nf_tables: one netlink socket, questions, and batches. A batch is one datagram and therefore
 * one transaction: the kernel takes all of it or nothing. Used by host/nft.c and host/nftrules.c alone.
 */
#ifndef SP_HOST_NFTLINK_H
#define SP_HOST_NFTLINK_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct sp_nft; /* host/nft.h */

/* A question, built in place: the caller adds attributes to nlh. */
struct sp_nftlink_ask {
    char bytes[4096] __attribute__((aligned(8)));
    struct nlmsghdr *nlh;
};

enum sp_nftlink_kind { SP_NFTLINK_ONE, SP_NFTLINK_DUMP };

void sp_nftlink_ask(struct sp_nftlink_ask *q, uint16_t type, uint16_t family, enum sp_nftlink_kind kind);

/* Send it and hand every answer to `visit` (may be NULL). A missing object is -1 with os_errno ENOENT. A
 * dump that somebody else's change interrupted is SP_E_BUSY: the caller reads again from the beginning. */
int sp_nftlink_talk(struct sp_nft *nft, struct sp_nftlink_ask *q, mnl_cb_t visit, void *data,
                    struct sp_error *err);

struct sp_nftlink_batch {
    char *data; /* owned */
    size_t len, size;
    struct nlmsghdr *open; /* the message that is being built, or NULL */
    uint32_t seq;
    uint32_t expect; /* host/nft.h, struct sp_nft */
    bool failed;     /* out of memory; sticky */
};

void sp_nftlink_batch_clear(struct sp_nftlink_batch *b);

/* Room for that much more at once, where the caller knows it: growing copies what there is. The message
 * that is open ends, and another one must follow. */
void sp_nftlink_batch_room(struct sp_nftlink_batch *b, size_t more);

/* Begin a message with room for at least 64 KiB of attributes; it ends where the next one begins. NULL when
 * out of memory, which the commit reports. The pointer is good until the next call. */
struct nlmsghdr *sp_nftlink_batch_put(struct sp_nftlink_batch *b, uint16_t type, uint16_t flags);

/* Send all of it as one transaction and wait for the kernel's verdict. */
int sp_nftlink_batch_commit(struct sp_nft *nft, struct sp_nftlink_batch *b, struct sp_error *err);

#endif
