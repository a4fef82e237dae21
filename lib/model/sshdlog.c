/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/sshdlog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define LINE_MAX_BYTES 1024

/* A reason and its mend. The text begins so; `holds`, where given, stands somewhere behind. */
static const struct reason {
    const char *begins, *holds, *why, *mend;
    bool general;
} reasons[] = {
    {"Certificate invalid: expired", NULL, "the certificate has expired", "issue a new one"},
    {"Certificate invalid: not yet valid", NULL, "the certificate is not valid yet",
     "wait for its first minute, or set the clock of this host right"},
    {"Certificate invalid: name is not a listed principal", NULL,
     "the certificate was made for another account", "issue one for this account"},
    {"Certificate does not contain an authorized principal", NULL,
     "the certificate was made for another account, or for one that was removed and given access again",
     "issue one for this account"},
    {"Certificate lacks principal list", NULL, "the certificate names no account",
     "issue one for this account"},
    {"Certificate signed with disallowed algorithm", NULL, "sshd takes no such signature of a CA",
     "see CASignatureAlgorithms in sshd_config(5)"},
    {"Certificate critical option", "not supported",
     "the certificate has an option that sshd does not know", "issue a new one"},
    {"Invalid certificate options", NULL, "the certificate has options that sshd does not take",
     "issue a new one", true},
    {"Refused by certificate options", NULL, "the certificate does not allow this login",
     "issue one without that limit", true},
    {"cert: Authentication tried for ", "not from a permitted source address",
     "the certificate is good, but not from this address", "issue one for the address that is used"},
    {"Authentication key ", " revoked by file ", "the key or certificate was revoked", "issue a new one"},
    {"Error checking authentication key ", " in revoked keys file ",
     "the list of revoked certificates is missing or broken: sshd lets in nobody whom it is for",
     "sallyport reconcile makes it anew"},
    {"", "with correct key but not from a permitted host",
     "the key is good, but not from this address (from=)",
     "add the address to the key's from, or leave it out"},
    {"Refused by key options", NULL, "the key has expired, or does not allow this login",
     "add the key again with another expires_at or from", true},
    {"Authentication refused: bad ownership or modes for ", NULL,
     "sshd does not read the keys: others can write to the home, to .ssh or to the file",
     "chmod go-w what the line names, or set key_store = root"},
    {"User ", "because a group is listed in DenyGroups", "the account is shut",
     "give it a shell again, or take the user out of the group that DenyGroups names"},
    {"User ", "because listed in DenyUsers", "DenyUsers keeps the user out", "take him out of it"},
    {"User ", "because not listed in AllowUsers", "AllowUsers does not name the user", "add him there"},
    {"User ", "because none of user's groups are listed in AllowGroups",
     "AllowGroups names no group of the user's", "add the group sallyport to it"},
    {"User ", "because shell ", "the login shell is missing or cannot be run", "give the account a shell"},
    {"User ", "because account is locked", "the password is locked, and sshd runs without PAM",
     "set UsePAM yes, or usermod -p '*'"},
    {"User ", " not allowed because ", "sshd does not let this user in", "the line itself says more"},
    {"Invalid user ", NULL, "there is no such user", "use the login name of the account"},
    {"Failed password for ", NULL, "the password is wrong, or PAM does not take it", "set a new password"},
    {"Failed publickey for ", NULL, "this key is not one of the account's",
     "add its .pub to the account, or offer the right one: ssh -o IdentitiesOnly=yes -i KEY", true},
    {"maximum authentication attempts exceeded for ", NULL,
     "the client offered too many keys before the right one", "ssh -o IdentitiesOnly=yes -i KEY"},
    {"userauth_pubkey: signature algorithm ", " not in PubkeyAcceptedAlgorithms",
     "the client signs with an algorithm that is too old (ssh-rsa is SHA-1)",
     "use a newer client, or an ed25519 key"},
    {"userauth_pubkey: key type ", " not in PubkeyAcceptedAlgorithms", "sshd takes no keys of this type",
     "use an ed25519 key"},
    {"Access denied for user ", " by PAM account configuration",
     "PAM says no: expired, locked, or from a wrong place", "chage -l USER, and what PAM logged"},
    {"Could not open user ", " authorized keys ", "sshd cannot read a file of keys",
     "see its owner and mode", true},
};

/* do_pam_session() of auth-pam.c: the key or password was right, and then sshd ends with 254. */
static const struct reason no_session = {
    "PAM: pam_open_session(): ", NULL,
    "the login was accepted, and then a session module of PAM's refused it: it ended at once",
    "see the session lines of /etc/pam.d/sshd (pam_limits: maxlogins in /etc/security/limits.conf and "
    "limits.d; pam_namespace, pam_mkhomedir, pam_exec) and what the log has of the same pid"};

/* Words behind which a user stands, up to the next blank; `kind` says what the line means. */
static const struct {
    const char *begins;
    enum sp_sshdlog_kind kind;
} closings[] = {
    {"Connection closed by authenticating user ", SP_SSHDLOG_CLOSED},
    {"Connection closed by invalid user ", SP_SSHDLOG_CLOSED},
    {"Connection reset by authenticating user ", SP_SSHDLOG_CLOSED},
    {"Connection reset by invalid user ", SP_SSHDLOG_CLOSED},
    {"Disconnected from authenticating user ", SP_SSHDLOG_CLOSED},
    {"Disconnected from invalid user ", SP_SSHDLOG_CLOSED},
    {"Disconnecting authenticating user ", SP_SSHDLOG_CLOSED},
};

static void copy_word(char *dst, size_t size, const char *word)
{
    size_t n = strcspn(word, " ");

    if (n < size) {
        memcpy(dst, word, n);
        dst[n] = '\0';
        sp_str_make_printable(dst);
    }
}

/* "ADDRESS port N" */
static void read_peer(const char *text, struct sp_sshdlog *ret)
{
    const char *port = strstr(text, " port ");

    copy_word(ret->address, sizeof(ret->address), text);
    if (port != NULL)
        ret->port = (unsigned)strtoul(port + 6, NULL, 10);
}

/* "USER from ADDRESS port N": the user is whatever the client sent, blanks too; the last "from" is sshd's.
 */
static void read_user_from(const char *text, struct sp_sshdlog *ret)
{
    const char *at = text, *last = NULL;

    (void)sp_str_prefix(text, "invalid user ", &text);
    while ((at = strstr(at, " from ")) != NULL)
        last = at++;
    if (last == NULL || memchr(text, ' ', (size_t)(last - text)) != NULL)
        return;
    copy_word(ret->user, sizeof(ret->user), text);
    read_peer(last + 6, ret);
}

/* "TYPE SHA256:..." and for a certificate " ID NAME (serial N) CA TYPE SHA256:..." (auth_log() and
 * format_key() of auth.c). The id may hold anything that its issuer wrote: it ends at the last "(serial".
 */
static void read_key(const char *text, struct sp_sshdlog *ret)
{
    const char *id, *serial = NULL, *ca, *at = text;

    copy_word(ret->type, sizeof(ret->type), text);
    text += strcspn(text, " ");
    text += *text == ' ';
    copy_word(ret->fingerprint, sizeof(ret->fingerprint), text);
    id = strstr(text, " ID ");
    while ((at = strstr(at, " (serial ")) != NULL)
        serial = at++;
    if (id == NULL || serial == NULL || serial < id + 4)
        return;
    ret->is_certificate = true;
    ret->serial = strtoull(serial + 9, NULL, 10);
    (void)snprintf(ret->key_id, sizeof(ret->key_id), "%.*s", (int)(serial - id - 4), id + 4);
    sp_str_make_printable(ret->key_id);
    ca = strstr(serial, ") CA ");
    ca = ca != NULL ? strchr(ca + 5, ' ') : NULL;
    if (ca != NULL)
        copy_word(ret->ca, sizeof(ret->ca), ca + 1);
}

/* "Accepted METHOD for USER from ADDRESS port N ssh2[: KEY]". The user exists, so his name is one word. */
static void read_accepted(const char *text, struct sp_sshdlog *ret)
{
    const char *user = strstr(text, " for "), *from, *key;

    copy_word(ret->method, sizeof(ret->method), text);
    if (user == NULL)
        return;
    from = strstr(user + 5, " from ");
    if (from == NULL)
        return;
    copy_word(ret->user, sizeof(ret->user), user + 5);
    read_peer(from + 6, ret);
    ret->kind = SP_SSHDLOG_ACCEPTED;
    key = strstr(from, " ssh2: ");
    if (key != NULL)
        read_key(key + 7, ret);
}

/* Who it is about, where the line says so. */
static void read_subject(const char *text, struct sp_sshdlog *ret)
{
    static const char *const before[] = {"User ", "Invalid user ", "Failed password for ",
                                         "Failed publickey for ",
                                         "maximum authentication attempts exceeded for "};
    const char *rest = strstr(text, "Authentication tried for ");
    size_t quoted;

    if (rest != NULL)
        copy_word(ret->user, sizeof(ret->user), rest + 25);
    else if (sp_str_prefix(text, "Access denied for user ", &rest))
        copy_word(ret->user, sizeof(ret->user), rest);
    else if (sp_str_prefix(text, "Could not open user '", &rest)) {
        quoted = strcspn(rest, "'");
        if (quoted < sizeof(ret->user))
            (void)snprintf(ret->user, sizeof(ret->user), "%.*s", (int)quoted, rest);
    }
    for (size_t i = 0; i < SP_COUNT(before); i++)
        if (sp_str_prefix(text, before[i], &rest))
            read_user_from(rest, ret);
    if (ret->user[0] == '\0' && sp_str_prefix(text, "User ", &rest) && strstr(rest, " not allowed because"))
        copy_word(ret->user, sizeof(ret->user), rest);
}

static void read_message(const char *text, struct sp_sshdlog *ret)
{
    const char *rest = NULL;

    (void)(sp_str_prefix(text, "error: ", &text) || sp_str_prefix(text, "fatal: ", &text));
    if (sp_str_prefix(text, "Accepted ", &rest)) {
        read_accepted(rest, ret);
        return;
    }
    if (sp_str_prefix(text, "Partial ", &rest)) {
        read_accepted(rest, ret);
        if (ret->kind == SP_SSHDLOG_ACCEPTED)
            ret->kind = SP_SSHDLOG_PARTIAL;
        return;
    }
    for (size_t i = 0; i < SP_COUNT(closings); i++)
        if (sp_str_prefix(text, closings[i].begins, &rest)) {
            ret->kind = closings[i].kind;
            copy_word(ret->user, sizeof(ret->user), rest);
            rest += strcspn(rest, " ");
            read_peer(rest + (*rest == ' '), ret);
            return;
        }
    if (sp_str_prefix(text, no_session.begins, NULL)) {
        ret->kind = SP_SSHDLOG_SESSION;
        ret->why = no_session.why;
        ret->mend = no_session.mend;
        return;
    }
    for (size_t i = 0; i < SP_COUNT(reasons); i++) {
        const struct reason *r = &reasons[i];
        if (!sp_str_prefix(text, r->begins, NULL) || (r->holds != NULL && strstr(text, r->holds) == NULL))
            continue;
        ret->kind = SP_SSHDLOG_REFUSED;
        ret->why = r->why;
        ret->mend = r->mend;
        ret->general = r->general;
        read_subject(text, ret);
        return;
    }
}

static bool ends_in_colon(const char *word)
{
    size_t n = strcspn(word, " ");

    return n > 0 && word[n - 1] == ':';
}

/* The tag is sshd[PID]: (9.8 has sshd-session, 10.0 sshd-auth too); what stands before it is the time and
 * the host. The first word with a colon at its end is the tag: behind another program's may stand whatever
 * somebody told it (a user name, a command line). */
static const char *find_tag(const char *line, uint32_t *ret_pid)
{
    static const char *const tags[] = {"sshd[", "sshd-session[", "sshd-auth["};

    for (const char *word = line; *word != '\0'; word += strcspn(word, " "), word += *word == ' ') {
        for (size_t i = 0; i < SP_COUNT(tags); i++) {
            const char *digits;
            char *end = NULL;
            if (!sp_str_prefix(word, tags[i], &digits))
                continue;
            *ret_pid = (uint32_t)strtoul(digits, &end, 10);
            if (end != digits && end[0] == ']' && end[1] == ':')
                return word;
        }
        if (ends_in_colon(word))
            return NULL;
    }
    return NULL;
}

/* "Nov 21 03:16:14", "2026-11-21T03:16:14.123456+00:00", "1795230974.123456", each perhaps behind "<38>".
 */
static void read_time(const char *line, const char *tag, struct sp_sshdlog *ret)
{
    size_t n;

    if (*line == '<') {
        line += strcspn(line, ">");
        line += *line == '>';
    }
    n = strcspn(line, " ");
    if (line[0] >= 'A' && line[0] <= 'Z' && n == 3 && tag - line >= 15)
        n = 15;
    if (n < sizeof(ret->at) && line + n < tag) {
        memcpy(ret->at, line, n);
        ret->at[n] = '\0';
        sp_str_make_printable(ret->at);
    }
}

bool sp_sshdlog_parse(const char *line, size_t len, struct sp_sshdlog *ret)
{
    char text[LINE_MAX_BYTES];
    const char *tag;

    *ret = (struct sp_sshdlog){0};
    if (len >= sizeof(text))
        len = sizeof(text) - 1;
    memcpy(text, line, len);
    text[len] = '\0';
    tag = find_tag(text, &ret->pid);
    if (tag == NULL)
        return false;
    read_time(text, tag, ret);
    tag += strcspn(tag, ":") + 1;
    read_message(tag + (*tag == ' '), ret);
    return true;
}
