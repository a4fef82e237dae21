/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resource/certsign.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "host/fsat.h"
#include "host/replace.h"
#include "host/sign.h"
#include "host/spawn.h"

#define ASKED SP_CA_DIR "/asked.pub"
#define ANSWERED SP_CA_DIR "/asked-cert.pub"
#define AGENT_DEADLINE_MS 20000 /* an agent may ask its owner, or a token */
#define OPTIONS_MAX 6

static int sign_here(struct sp_host *h, const struct sp_ca *ca, const struct sp_sshcert *cert,
                     struct sp_buf *out, struct sp_error *err)
{
    _cleanup_(sp_buf_wipe) struct sp_buf text = {0};
    _cleanup_(sp_buf_clear) struct sp_buf body = {0};
    uint8_t secret[SP_ED25519_SECRET], signature[SP_ED25519_SIGNATURE];
    char path[SP_PATH_SIZE];
    int rc;

    (void)sp_str_format(path, sizeof(path), SP_CA_DIR "/%u", ca->number);
    if (sp_sshcert_body(cert, &ca->key, &body, err) < 0 ||
        sp_fsat_read(h->root_fd, path, 65536, &text, NULL, err) < 0 ||
        sp_sshcert_secret(sp_buf_str(&text), text.len, secret, err) < 0)
        return -1;
    /* The public half within the secret is the one that the certificate names. */
    if (memcmp(secret + 32, ca->key.blob + ca->key.blob_len - 32, 32) != 0)
        rc = sp_fail(err, SP_E_STATE, 0, "%s is not the private half of %s.pub", path, path);
    else
        rc = sp_sign_ed25519(secret, body.data, body.len, signature, err);
    explicit_bzero(secret, sizeof(secret));
    return rc < 0 ? -1 : sp_sshcert_line(cert->key, &body, signature, out, err);
}

/* The words of ssh-keygen -O; what they point to lives in `texts`. */
static size_t put_options(const struct sp_sshcert *cert, char texts[OPTIONS_MAX][SP_SSHCERT_COMMAND_SIZE],
                          struct sp_buf *sources)
{
    size_t n = 0;

    (void)sp_str_copy(texts[n++], SP_SSHCERT_COMMAND_SIZE, "clear");
    for (const char *const *name = sp_sshcert_extensions(cert); *name != NULL; name++)
        (void)sp_str_copy(texts[n++], SP_SSHCERT_COMMAND_SIZE, *name);
    if (cert->from->n > 0) {
        sp_buf_puts(sources, "source-address=");
        sp_sshcert_sources(cert->from, sources);
    }
    return n;
}

static int spawn_keygen(struct sp_host *h, const struct sp_config *config, const struct sp_ca *ca,
                        const struct sp_sshcert *cert, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf sources = {0};
    char texts[OPTIONS_MAX][SP_SSHCERT_COMMAND_SIZE], forced[SP_SSHCERT_COMMAND_SIZE + 32];
    char socket[SP_PATH_SIZE + 32], path[SP_PATH_SIZE], serial[32], valid[64];
    /* What the environment holds is given by env(1): it starts nothing but this. */
    const char *argv[40] = {"/usr/bin/env", socket, SP_SSH_KEYGEN,   "-q", "-s",   path, "-I",
                            cert->key_id,   "-n",   cert->principal, "-z", serial, "-V", valid};
    _cleanup_(sp_spawn_clear) struct sp_spawn run = {
        .argv = argv, .deadline_ms = AGENT_DEADLINE_MS, .max_output = 4096};
    size_t n = 14, n_options = put_options(cert, texts, &sources);

    (void)sp_str_format(socket, sizeof(socket), "SSH_AUTH_SOCK=%s", config->ca_agent);
    (void)sp_str_format(path, sizeof(path), SP_CA_DIR "/%u%s", ca->number, ca->in_agent ? ".pub" : "");
    (void)sp_str_format(serial, sizeof(serial), "%llu", (unsigned long long)cert->serial);
    (void)sp_str_format(valid, sizeof(valid), "0x%llx:0x%llx", (unsigned long long)cert->valid_from,
                        (unsigned long long)cert->valid_to);
    if (ca->in_agent)
        argv[n++] = "-U";
    for (size_t i = 0; i < n_options; i++) {
        argv[n++] = "-O";
        argv[n++] = texts[i];
    }
    if (sources.len > 0) {
        argv[n++] = "-O";
        argv[n++] = sp_buf_str(&sources);
    }
    if (cert->command[0] != '\0') {
        (void)sp_str_format(forced, sizeof(forced), "force-command=%s", cert->command);
        argv[n++] = "-O";
        argv[n++] = forced;
    }
    argv[n++] = ASKED;
    argv[n] = NULL;
    if (h->ops->spawn(h, &run, err) < 0)
        return -1;
    if (run.status == 0)
        return 0;
    sp_fail(err, SP_E_REJECTED, 0, "ssh-keygen does not sign: %.250s", sp_buf_str(&run.err_out));
    return ca->in_agent ? sp_hint(err, "is the agent of ca_agent running, and does ssh-add -l show %s?",
                                  ca->key.fingerprint)
                        : sp_hint(err, "make a CA without a passphrase, or keep it in an agent");
}

static int sign_there(struct sp_host *h, const struct sp_config *config, const struct sp_ca *ca,
                      const struct sp_sshcert *cert, struct sp_buf *out, struct sp_error *err)
{
    const struct sp_replace how = {.mode = 0600, .uid = 0, .gid = 0};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0}, line = {0};
    _cleanup_close_ int dir = sp_fsat_open_dir(h->root_fd, SP_CA_DIR, SP_FSAT_NONE, err);
    const char *end;

    sp_sshkey_format(cert->key, &text);
    sp_buf_puts(&text, "\n");
    if (dir < 0 || sp_sshcert_check(cert, err) < 0 ||
        sp_replace_path(h, ASKED, sp_buf_str(&text), text.len, &how, err) < 0 ||
        sp_replace_remove(h, dir, "asked-cert.pub", err) < 0 ||
        spawn_keygen(h, config, ca, cert, err) < 0 ||
        sp_fsat_read(h->root_fd, ANSWERED, 65536, &line, NULL, err) < 0)
        return -1;
    end = strchr(sp_buf_str(&line), ' '); /* the type; then the base64; then perhaps a comment */
    end = end != NULL ? end + 1 + strcspn(end + 1, " \n") : sp_buf_str(&line);
    sp_buf_add(out, sp_buf_str(&line), (size_t)(end - sp_buf_str(&line)));
    return sp_buf_ok(out) ? 0 : sp_fail(err, SP_E_NO_MEMORY, 0, "out of memory");
}

int sp_certsign(struct sp_host *h, const struct sp_config *config, const struct sp_ca *ca,
                const struct sp_sshcert *cert, struct sp_buf *out, struct sp_error *err)
{
    if (!ca->in_agent && sp_streq(ca->key.type, "ssh-ed25519")) {
        if (sign_here(h, ca, cert, out, err) == 0)
            return 0;
        if (err->code != SP_E_UNSUPPORTED) /* no libsodium, or a passphrase: ssh-keygen says which */
            return -1;
    }
    if (ca->in_agent && config->ca_agent[0] == '\0') {
        sp_fail(err, SP_E_NOT_FOUND, 0, "the CA's key is in an agent, and ca_agent names none");
        sp_hint(err, "set ca_agent to the agent's socket");
        return sp_field(err, "sallyport.conf.ca_agent");
    }
    return sign_there(h, config, ca, cert, out, err);
}
