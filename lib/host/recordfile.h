/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The entry record (record.h) of a uid, as it stands in the store. */
#ifndef SP_HOST_RECORDFILE_H
#define SP_HOST_RECORDFILE_H

#include "host/host.h"
#include "host/record.h"

/* SP_E_NOT_FOUND where there is none. The caller clears *ret. */
int sp_recordfile_read(const struct sp_host *h, uid_t uid, struct sp_record *ret, struct sp_error *err);

#endif
