/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What iptables-save prints, and files of the administrator's and of the host's: configuration, templates
 * of sudo, lists of bad keys, what jails are shown of the host, the secret key of an authority. */
#include "fuzz.h"
#include "host/shown.h"
#include "model/blocklist.h"
#include "model/conffile.h"
#include "model/iptverdict.h"
#include "model/sshcert.h"
#include "model/sudo.h"

static void verdict(const char *text, size_t len)
{
    struct sp_cidr from = {.family = 4, .prefix = 32, .addr = {203, 0, 113, 7}};
    struct sp_nftverdict_packet packet = {.from = &from, .port = 22};
    char where[SP_NFTVERDICT_WHERE] = "";
    enum sp_nftverdict said = sp_iptverdict_judge(text, len, "filter", "INPUT", &packet, where);

    REQUIRE(memchr(where, '\0', sizeof(where)) != NULL);
    REQUIRE(said == SP_NFT_PASSES || where[0] != '\0');
    (void)sp_iptverdict_in_use(text, len, "filter", "INPUT");
    (void)sp_iptverdict_has(text, len, "filter", "ufw-user-input");
}

static void configuration(const char *text, size_t len)
{
    struct sp_config c = {0};
    struct sp_error err = {0};

    REQUIRE(sp_config_defaults(&c, &err) == 0);
    if (sp_conffile_parse("fuzz.conf", text, len, &c, &err) < 0)
        fuzz_refused(&err);
    sp_config_clear(&c);
}

/* One line of sudoers(5), and no second one. */
static int rule(const struct sp_sudo_rule *r, void *data)
{
    _cleanup_(sp_buf_clear) struct sp_buf line = {0};
    struct sp_error err = {0};

    (void)data;
    REQUIRE(sp_sudo_format("site1", r, &line, &err) == 0);
    REQUIRE(memchr(line.data, '\n', line.len) == line.data + line.len - 1);
    REQUIRE(r->program[0] == '/' && sp_str_is_clean(r->command, strlen(r->command)));
    return 0;
}

static void shown(const char *text, size_t len)
{
    _cleanup_(sp_shown_clear) struct sp_shown s = {0}, again = {0};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    struct sp_error err = {0};

    if (sp_shown_parse(text, len, &s, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    REQUIRE(sp_shown_format(&s, &out, &err) == 0);
    REQUIRE(sp_shown_parse(sp_buf_str(&out), out.len, &again, &err) == 0 && again.n == s.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_string(data, size);
    uint8_t secret[SP_ED25519_SECRET];
    struct sp_error err = {0};

    verdict(text, size);
    configuration(text, size);
    shown(text, size);
    if (sp_sudo_each(text, size, rule, NULL, &err) < 0)
        fuzz_refused(&err);
    if (sp_blocklist_check(text, size, &err) < 0)
        fuzz_refused(&err);
    (void)sp_blocklist_has(text, size, "SHA256:pl3B2sHjksYjeVeUVBuZEPfyr2c6aRFxoQAEzDBInRQ");
    if (sp_sshcert_secret(text, size, secret, &err) < 0)
        fuzz_refused(&err);
    return 0;
}
