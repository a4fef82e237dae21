/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/recordfile.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/layout.h"

int sp_recordfile_read(const struct sp_host *h, uid_t uid, struct sp_record *ret, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    char path[sizeof(SP_STORE) + 32];

    (void)sp_str_format(path, sizeof(path), SP_STORE "/entry/%u", (unsigned)uid);
    if (sp_fsat_read(h->root_fd, path, SP_RECORD_MAX_BYTES, &text, NULL, err) < 0)
        return -1;
    return sp_record_parse(sp_buf_str(&text), text.len, ret, err);
}
