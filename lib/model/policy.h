/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration (sallyport.conf(5)) as a value, and what it lets a panel name. */
#ifndef SP_MODEL_POLICY_H
#define SP_MODEL_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/account.h"
#include "model/cidr.h"

enum sp_key_store { SP_KEY_STORE_HOME, SP_KEY_STORE_ROOT };
enum sp_foreign_keys { SP_FOREIGN_KEEP, SP_FOREIGN_REPORT, SP_FOREIGN_REFUSE };

struct sp_words {
    char **v; /* owned, each string too */
    size_t n;
};

struct sp_config {
    struct sp_words document_roots;  /* a document root must lie below one of them */
    uint32_t uid_min, uid_max;       /* accounts a request may name */
    struct sp_words denied_users;    /* never, whatever their uid: the panel's own user */
    struct sp_words required_groups; /* if any: the user must be in one of them */
    struct sp_words denied_callers;  /* users whose sudo is refused: www-data and the like */
    struct sp_words jail_trees;      /* directories below which profiles may have trees shown in jails */
    struct sp_words jail_sockets;    /* and those with sockets that they may have shown */
    enum sp_key_store key_store;
    enum sp_foreign_keys foreign_keys;
    enum sp_forwarding forwarding; /* for accounts that never said */
    uint32_t tmp_mib;
    struct sp_limits limits;               /* of accounts that never said; 0: none */
    uint32_t login_uid_min, login_uid_max; /* of the users that sallyport makes: extra logins */
    struct sp_cidr_list always_allow;
    uint32_t certificate_lifetime; /* seconds, for requests that do not say */
    uint32_t certificate_max;      /* seconds, for those that do */
    char ca_agent[SP_PATH_SIZE];   /* the socket of an ssh-agent that holds the CA's key; "" means a file */
    char auth_log[SP_PATH_SIZE];   /* where sshd logs to; "" means the journal, or the usual file */
    struct sp_words panel_methods; /* methods of an admin's that sallyport-helper answers all the same */
    char metrics_file[SP_PATH_SIZE];  /* where a reconcile tells node_exporter; "" means nowhere */
    char key_blocklist[SP_PATH_SIZE]; /* fingerprints that no request may bring; "" means none */
    char sshd[SP_PATH_SIZE];          /* /usr/sbin/sshd */
    char sshd_config[SP_PATH_SIZE];   /* "" means sshd's own default */
};

void sp_words_clear(struct sp_words *w);
int sp_words_add(struct sp_words *w, const char *word, size_t len, struct sp_error *err);
int sp_words_split(const char *text, const char *separators, struct sp_words *ret, struct sp_error *err);
bool sp_words_have(const struct sp_words *w, const char *word);

void sp_config_clear(struct sp_config *c);
/* What holds when the file says nothing. */
int sp_config_defaults(struct sp_config *ret, struct sp_error *err);
/* Set one option by its name in the file. Unknown names and bad values are SP_E_INVALID. */
int sp_config_set(struct sp_config *c, const char *name, const char *value, struct sp_error *err);
/* Is this a file that node_exporter would read? */
int sp_config_check_metrics(const char *path, struct sp_error *err);
extern const char *const sp_config_names[]; /* NULL-terminated: every option there is */

/* What holds for this account: its own words, else the configuration's. */
struct sp_limits sp_policy_limits(const struct sp_config *c, const struct sp_account *a);

/* May a request name this user or this document root? SP_E_FORBIDDEN, the hint says which setting. */
int sp_policy_check_user(const struct sp_config *c, const char *user, uint32_t uid, struct sp_error *err);
int sp_policy_check_root(const struct sp_config *c, const char *document_root, struct sp_error *err);

#endif
