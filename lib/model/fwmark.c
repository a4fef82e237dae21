/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/fwmark.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/siphash.h"

#define HEAD "sallyport-firewall-seen 1"
#define CLOCK_SLACK 2

static const uint64_t key[2] = {UINT64_C(0x6669726577616c6c), UINT64_C(0x2e7365656e2e2e2e)};

/* The words behind HEAD, as they stand in the line; then the ports, then the sum. */
enum { HOST, GENERATION, POLICY, CONFIG, CLOCK, UNTIL, SSHD, N_PORTS, WORDS };

int sp_fwmark_format(const struct sp_fwmark *m, struct sp_buf *out, struct sp_error *err)
{
    const uint64_t words[WORDS] = {
        [HOST] = m->host,     [GENERATION] = m->generation, [POLICY] = m->policy,
        [CONFIG] = m->config, [CLOCK] = (uint64_t)m->clock, [UNTIL] = (uint64_t)m->until,
        [SSHD] = m->sshd,     [N_PORTS] = m->n_ports};
    const size_t from = out->len;

    sp_buf_puts(out, HEAD);
    for (size_t i = 0; i < WORDS; i++)
        sp_buf_printf(out, " %llx", (unsigned long long)words[i]);
    for (size_t i = 0; i < m->n_ports; i++)
        sp_buf_printf(out, " %x", m->ports[i]);
    if (sp_buf_ok(out))
        sp_buf_printf(out, " %016llx\n",
                      (unsigned long long)sp_siphash(key, out->data + from, out->len - from));
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int broken(struct sp_error *err)
{
    return sp_fail(err, SP_E_STATE, 0, "what was remembered of the firewall is broken");
}

/* A blank and up to 16 hexadecimal digits. */
static bool take(const char **at, const char *end, uint64_t *ret)
{
    char digits[17], *behind;
    size_t n = 0;

    if (*at == end || *(*at)++ != ' ')
        return false;
    while (n < 16 && *at < end && **at != ' ' && **at != '\n')
        digits[n++] = *(*at)++;
    digits[n] = '\0';
    if (n == 0 || strspn(digits, "0123456789abcdef") != n)
        return false;
    *ret = strtoull(digits, &behind, 16);
    return true;
}

int sp_fwmark_parse(const char *bytes, size_t len, struct sp_fwmark *ret, struct sp_error *err)
{
    const char *at = bytes + sizeof(HEAD) - 1, *end = bytes + len;
    struct sp_fwmark m = {0};
    uint64_t w[WORDS] = {0}, port, sum;
    size_t summed;

    if (len > SP_FWMARK_MAX_BYTES || len < sizeof(HEAD) || memcmp(bytes, HEAD, sizeof(HEAD) - 1) != 0)
        return broken(err);
    for (size_t i = 0; i < WORDS; i++)
        if (!take(&at, end, &w[i]))
            return broken(err);
    if (w[N_PORTS] > SP_FW_MAX_PORTS || w[GENERATION] > UINT32_MAX)
        return broken(err);
    for (size_t i = 0; i < w[N_PORTS]; i++)
        if (!take(&at, end, &port) || port == 0 || port > 65535 ||
            sp_fw_ports_add(m.ports, &m.n_ports, (uint16_t)port) < 0)
            return broken(err);
    summed = (size_t)(at - bytes);
    if (!take(&at, end, &sum) || sum != sp_siphash(key, bytes, summed) || end - at != 1 || *at != '\n')
        return broken(err);
    m.host = w[HOST];
    m.generation = (uint32_t)w[GENERATION];
    m.policy = w[POLICY];
    m.config = w[CONFIG];
    m.clock = (int64_t)w[CLOCK];
    m.until = (int64_t)w[UNTIL];
    m.sshd = w[SSHD];
    *ret = m;
    return 0;
}

bool sp_fwmark_holds(const struct sp_fwmark *m, const struct sp_fwmark *now_is, uint64_t policy,
                     int64_t now)
{
    const uint64_t apart = (uint64_t)m->clock - (uint64_t)now_is->clock;

    return now_is->host != 0 && m->host == now_is->host && policy != 0 && m->policy == policy &&
           m->config == now_is->config && apart + CLOCK_SLACK <= 2 * CLOCK_SLACK && now < m->until &&
           m->generation != 0;
}
