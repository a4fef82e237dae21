/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `sshd -T` printed, and nft's list of everybody's rules. */
#include "fuzz.h"
#include "model/json.h"
#include "model/nftverdict.h"
#include "model/sshdconf.h"

static void verdict(const uint8_t *data, size_t size)
{
    _cleanup_json_ cJSON *json = NULL;
    struct sp_error err = {0};
    struct sp_cidr from = {.family = 4, .prefix = 32, .addr = {203, 0, 113, 7}};
    struct sp_nftverdict_packet packet = {.from = &from, .port = 22};
    enum sp_nftverdict said = SP_NFT_PASSES;
    char where[SP_NFTVERDICT_WHERE] = "";

    if (sp_json_parse((const char *)data, size, &json, &err) < 0)
        return;
    if (sp_nftverdict_judge(json, &packet, &said, where, &err) < 0) {
        fuzz_refused(&err);
        return;
    }
    REQUIRE(memchr(where, '\0', sizeof(where)) != NULL);
    REQUIRE(said == SP_NFT_PASSES || where[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(sp_sshdconf_clear) struct sp_sshdconf conf = {0};
    struct sp_error err = {0};

    verdict(data, size);
    if (sp_sshdconf_parse((const char *)data, size, &conf, &err) < 0) {
        fuzz_refused(&err);
        return 0;
    }
    for (size_t i = 0; i < conf.n; i++) {
        REQUIRE(sp_sshdconf_get(&conf, conf.v[i].keyword) != NULL);
        (void)sp_sshdconf_has(&conf, conf.v[i].keyword, "none");
    }
    (void)sp_sshdconf_subsystem(&conf, "sftp");
    return 0;
}
