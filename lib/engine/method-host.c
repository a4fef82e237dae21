/* SPDX-License-Identifier: GPL-3.0-or-later */
/* system.host: how a client knows this host (fingerprints, SSHFP records, a known_hosts line), and what a
 * domain's people type to get in. */
#include <sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/hostkeys.h"
#include "engine/methods.h"
#include "host/generation.h"
#include "model/json.h"

static int no_memory(struct sp_error *err)
{
    return sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

/* The algorithms of SSHFP: RFC 4255, 6594 (ECDSA), 7479 (Ed25519). */
static unsigned sshfp_algorithm(const char *type)
{
    if (sp_streq(type, "ssh-rsa"))
        return 1;
    if (sp_str_prefix(type, "ecdsa-sha2-", NULL))
        return 3;
    return sp_streq(type, "ssh-ed25519") ? 4 : 0;
}

/* Type 2 is SHA-256; type 1 is SHA-1, which nobody should be told any more. */
static void put_sshfp(const struct sp_sshkey *k, const char *name, struct sp_buf *out)
{
    char sum[SHA256_DIGEST_STRING_LENGTH];

    sp_buf_printf(out, "%s. IN SSHFP %u 2 %s", name, sshfp_algorithm(k->type),
                  SHA256Data(k->blob, k->blob_len, sum));
}

/* sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT": another port than 22 goes with the name in brackets. */
static void put_known_host(const struct sp_sshkey *k, const char *name, unsigned port, struct sp_buf *out)
{
    if (port == SP_SSH_PORT)
        sp_buf_printf(out, "%s ", name);
    else
        sp_buf_printf(out, "[%s]:%u ", name, port);
    sp_sshkey_format(k, out);
}

static int add_text(cJSON *o, const char *name, const struct sp_buf *text, struct sp_error *err)
{
    return sp_buf_ok(text) && cJSON_AddStringToObject(o, name, sp_buf_str(text)) != NULL ? 0
                                                                                         : no_memory(err);
}

static int add_key(const struct sp_sshkey *k, const char *name, unsigned port, cJSON *keys,
                   struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf sshfp = {0}, line = {0};
    cJSON *o = cJSON_CreateObject();
    char md5[SP_MD5_SIZE];

    sp_sshkey_md5(k->blob, k->blob_len, md5);
    put_known_host(k, name, port, &line);
    if (sshfp_algorithm(k->type) != 0)
        put_sshfp(k, name, &sshfp);
    if (o == NULL || !cJSON_AddItemToArray(keys, o) || !cJSON_AddStringToObject(o, "type", k->type) ||
        !cJSON_AddNumberToObject(o, "bits", k->bits) ||
        !cJSON_AddStringToObject(o, "fingerprint", k->fingerprint) ||
        !cJSON_AddStringToObject(o, "fingerprint_md5", md5))
        return no_memory(err);
    return add_text(o, "known_hosts", &line, err) < 0 || add_text(o, "sshfp", &sshfp, err) < 0 ? -1 : 0;
}

/* A stanza of ssh_config(5), a command line of ssh(1), and one of PuTTY, which is told the host key that it
 * shall meet (-hostkey: PuTTY's manual, 3.11.3.22). */
static int add_connection(const struct sp_params *p, const char *user, const char *name, unsigned port,
                          const struct sp_sshkey *key, cJSON *result, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf config = {0}, ssh = {0}, putty = {0};
    cJSON *o = cJSON_AddObjectToObject(result, "connection");

    sp_buf_printf(&config, "Host %s\n\tHostName %s\n\tPort %u\n\tUser %s\n", p->domain, name, port, user);
    sp_buf_printf(&ssh, "ssh -p %u %s@%s", port, user, name);
    sp_buf_printf(&putty, "putty.exe -ssh -P %u -hostkey %s %s@%s", port,
                  key != NULL ? key->fingerprint : "\"\"", user, name);
    if (o == NULL || !cJSON_AddStringToObject(o, "domain", p->domain) ||
        !cJSON_AddStringToObject(o, "host", name) || !cJSON_AddNumberToObject(o, "port", port) ||
        !cJSON_AddStringToObject(o, "user", user) ||
        !cJSON_AddStringToObject(o, "fingerprint", key != NULL ? key->fingerprint : ""))
        return no_memory(err);
    return add_text(o, "ssh_config", &config, err) < 0 || add_text(o, "ssh", &ssh, err) < 0 ||
                   add_text(o, "putty", &putty, err) < 0
               ? -1
               : 0;
}

static int add_ports(const struct sp_hostkeys *k, cJSON *result, struct sp_error *err)
{
    cJSON *ports = cJSON_AddArrayToObject(result, "ports");

    for (size_t i = 0; ports != NULL && i < k->n_ports; i++)
        if (!cJSON_AddItemToArray(ports, cJSON_CreateNumber(k->ports[i])))
            return no_memory(err);
    return ports != NULL ? 0 : no_memory(err);
}

/* What is in force here: the port's policy, how many accounts, the jails that stand ready. A policy that
 * cannot be read is null, and stops nothing else. */
static int add_force(struct sp_engine *e, const struct sp_params *p, const cJSON *raw, cJSON *result,
                     struct sp_error *err)
{
    _cleanup_(sp_generation_sets_clear) struct sp_generation_sets sets = {0};
    _cleanup_(sp_users_clear) struct sp_users users = {0};
    cJSON *firewall = cJSON_CreateObject(), *jails;
    struct sp_error unread;

    if (sp_method_firewall_get(e, p, raw, firewall, &unread) < 0) {
        cJSON_Delete(firewall);
        firewall = cJSON_CreateNull();
    }
    if (!sp_json_put(result, "firewall", firewall))
        return no_memory(err);
    if (sp_store_users(e->host, &users, err) < 0 || sp_generation_sets(e->host, &sets, err) < 0)
        return -1;
    jails = cJSON_AddArrayToObject(result, "jails");
    for (size_t i = 0; i < sets.n; i++)
        if (!cJSON_AddItemToArray(jails, cJSON_CreateString(sets.v[i])))
            return no_memory(err);
    return cJSON_AddNumberToObject(result, "accounts", (double)users.n) ? 0 : no_memory(err);
}

SP_METHOD(sp_system_host)
{
    _cleanup_(sp_hostkeys_clear) struct sp_hostkeys k = {0};
    char user[SP_USER_SIZE];
    struct utsname self;
    const char *name = p->host;
    unsigned port;
    cJSON *keys;

    if (p->domain[0] != '\0' && sp_owner_required(e, p, user, err) < 0)
        return -1;
    if (name[0] == '\0')
        name = uname(&self) == 0 ? self.nodename : "localhost";
    if (sp_hostkeys_read(e, &k, err) < 0)
        return -1;
    port = k.n_ports > 0 ? k.ports[0] : SP_SSH_PORT;
    if (!cJSON_AddStringToObject(result, "host", name) || add_ports(&k, result, err) < 0)
        return no_memory(err);
    keys = cJSON_AddArrayToObject(result, "host_keys");
    for (size_t i = 0; keys != NULL && i < k.n; i++)
        if (add_key(&k.v[i], name, port, keys, err) < 0)
            return -1;
    if (keys == NULL)
        return no_memory(err);
    return p->domain[0] != '\0' ? add_connection(p, user, name, port, sp_hostkeys_best(&k), result, err)
                                : add_force(e, p, raw, result, err);
}
