/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What of the host is mounted into the jails of one generation beside the generation itself, as it is and
 * as it will be: trees outside of /usr and /etc, the directories of servers' sockets. Its profiles name it
 * and the configuration allows it, so it is root's word alone. A flat file, gen/HASH/shown:
 *
 *     sallyport-shown 1
 *     tree /opt/plesk/php/8.3
 *     socket? /run/mysqld/mysqld.sock     (the directory is mounted: a server that starts again makes a
 *                                         new socket)
 *     denied /srv/tools                   (a profile names it, but the configuration does not allow it)
 *
 * A '?' as in profiles. This file is linked into the entry program: libc and base only.
 */
#ifndef SP_HOST_SHOWN_H
#define SP_HOST_SHOWN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "host/record.h"

#define SP_SHOWN_FILE "shown" /* in the directory of a generation */
#define SP_SHOWN_MAX 64
#define SP_SHOWN_MAX_BYTES 65536

enum sp_shown_kind { SP_SHOWN_TREE, SP_SHOWN_SOCKET, SP_SHOWN_DENIED };

struct sp_shown_item {
    enum sp_shown_kind kind;
    bool optional;
    char path[SP_RECORD_PATH]; /* of the tree; of the socket itself */
};

struct sp_shown {
    struct sp_shown_item *v; /* owned */
    size_t n;
};

void sp_shown_clear(struct sp_shown *s);

/* One more; a path that is there already stays as it is. SP_E_INVALID where it could not be mounted. */
int sp_shown_add(struct sp_shown *s, const struct sp_shown_item *item, struct sp_error *err);

int sp_shown_format(const struct sp_shown *s, struct sp_buf *out, struct sp_error *err);
int sp_shown_parse(const char *bytes, size_t len, struct sp_shown *ret, struct sp_error *err);

/* The directory that is mounted, at its own path. */
void sp_shown_dir(const struct sp_shown_item *item, char ret[SP_RECORD_PATH]);

/* The paths whose first components must be mount points, beside those that every jail has; borrowed. With
 * sockets below /run that is /var, too, where /var/run is: half of all programs name them so. At most
 * SP_SHOWN_MAX + 1. */
size_t sp_shown_paths(const struct sp_shown *s, const char *ret[SP_SHOWN_MAX + 1]);

#endif
