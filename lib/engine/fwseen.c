/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/fwseen.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/fwstore.h"
#include "host/fsat.h"
#include "host/layout.h"
#include "model/siphash.h"

#define PATH SP_STORE "/firewall.seen"

static const uint64_t key[2] = {UINT64_C(0x6669726577616c6c), UINT64_C(0x2e7365656e2e2e2e)};

void sp_fwseen_load(struct sp_host *h, struct sp_fwmark *ret)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error ignored;

    if (sp_fsat_read(h->root_fd, PATH, SP_FWMARK_MAX_BYTES, &text, NULL, &ignored) < 0 ||
        sp_fwmark_parse(sp_buf_str(&text), text.len, ret, &ignored) < 0)
        *ret = (struct sp_fwmark){0};
}

/* In place, by one write: what is torn has no sum. */
void sp_fwseen_save(struct sp_host *h, const struct sp_fwmark *s)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    _cleanup_close_ int fd = -1;
    struct sp_error ignored;

    if (sp_fwmark_format(s, &text, &ignored) < 0)
        return;
    fd = sp_fsat_open(h->root_fd, PATH, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY, 0600, SP_FSAT_NONE,
                      &ignored);
    if (fd >= 0 && pwrite(fd, text.data, text.len, 0) == (ssize_t)text.len)
        (void)!ftruncate(fd, (off_t)text.len);
}

static uint64_t host_sum(struct sp_host *h, const struct sp_nft *nft)
{
    char boot[SP_FW_BOOT_ID_SIZE];
    const uint64_t namespace = sp_nft_namespace(nft);
    struct sp_siphash sum;
    struct sp_error ignored;

    if (namespace == 0 || sp_fwstore_boot_id(h, boot, &ignored) < 0)
        return 0;
    sp_siphash_begin(&sum, key);
    sp_siphash_add(&sum, boot, strlen(boot));
    sp_siphash_add(&sum, &namespace, sizeof(namespace));
    return sp_siphash_end(&sum) | 1;
}

static uint64_t config_sum(const struct sp_config *c)
{
    struct sp_siphash sum;

    sp_siphash_begin(&sum, key);
    for (size_t i = 0; i < c->always_allow.n; i++)
        sp_siphash_add(&sum, &c->always_allow.v[i], sizeof(c->always_allow.v[i]));
    return sp_siphash_end(&sum);
}

void sp_fwseen_now(struct sp_host *h, const struct sp_config *c, const struct sp_nft *nft, int64_t now,
                   struct sp_fwmark *ret)
{
    struct timespec kernel = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &kernel);
    *ret = (struct sp_fwmark){
        .host = host_sum(h, nft), .config = config_sum(c), .clock = now - (int64_t)kernel.tv_sec};
}
