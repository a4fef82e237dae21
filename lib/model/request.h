/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Requests: JSON-RPC 2.0 (jsonrpc.org/specification) envelopes and the parameters of each method as checked
 * values. What a request leaves out is "not given" and is left alone; every field that is given has been
 * checked here, whoever sent it.
 */
#ifndef SP_MODEL_REQUEST_H
#define SP_MODEL_REQUEST_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/account.h"

/* The envelope. Borrows from the JSON it was read from. */
struct sp_call {
    const cJSON *id; /* string, number or null; never absent: notifications are refused */
    const char *method;
    const cJSON *params; /* an object, or NULL */
};

/* On failure *ret has the id as far as it could be read (NULL if not). */
int sp_call_decode(const cJSON *json, struct sp_call *ret, struct sp_error *err);

#define SP_PASSWORD_SIZE 512
#define SP_SESSION_ID_SIZE 40

/* The parameters of every method about a domain; each method's table says which of them it knows. */
struct sp_params {
    char domain[SP_DOMAIN_SIZE];      /* "" when not given */
    char new_domain[SP_DOMAIN_SIZE];  /* domain.rebind; "" when not given */
    char host[SP_DOMAIN_SIZE];        /* system.host; "" when not given */
    char user[SP_USER_SIZE];          /* "" when not given */
    char document_root[SP_PATH_SIZE]; /* "" when not given */
    enum sp_shell shell;              /* UNSET when not given */
    enum sp_forwarding forwarding;    /* UNSET when not given */
    bool has_profiles, has_keys, has_sources, has_generation;
    struct sp_account jail;  /* profiles and tmp_mib (0: not given) */
    const cJSON *limits;     /* {processes, memory_mib}, checked; borrowed; NULL: not given */
    struct sp_key_list keys; /* authorized_keys, or the one key of keys.add and key.inspect */
    struct sp_cidr_list sources;
    char fingerprint[SP_FINGERPRINT_SIZE]; /* keys.remove */
    char password[SP_PASSWORD_SIZE];       /* wiped by sp_params_clear() */
    struct sp_access access;               /* what of it was given */
    bool has_valid_from, has_valid_until;
    char session[SP_SESSION_ID_SIZE]; /* sessions.end; "" when not given */
    bool all;                         /* sessions.end: of every account */
    char label[SP_LABEL_SIZE];        /* user.add */
    enum sp_extra_access access_to_files;
    struct sp_sudo sudo;
    bool has_label, has_access, has_sudo;
    uint64_t if_generation;
    bool has_agent;      /* jail.agent was given */
    bool account_wide;   /* the shell is meant for every domain of the account */
    bool force;          /* narrower sources, though somebody who is connected comes from outside of them */
    bool when_quiet;     /* jail.refresh: after the package manager, and once for all who ask */
    bool restore_access; /* reconcile: also give back what somebody tightened */
    bool keep_sessions;  /* those that a key opened which goes */
    bool dry_run;
};

void sp_params_clear(struct sp_params *p);

enum sp_method_params {
    SP_PARAMS_APPLY,
    SP_PARAMS_TARGET, /* domain */
    SP_PARAMS_HOST,   /* domain and host, both optional */
    SP_PARAMS_REBIND,
    SP_PARAMS_REMOVE,       /* domain, dry_run, if_generation */
    SP_PARAMS_JAIL_BUILD,   /* profiles, dry_run */
    SP_PARAMS_JAIL_REFRESH, /* when_quiet, dry_run */
    SP_PARAMS_KEY_ADD,
    SP_PARAMS_KEY_INSPECT, /* key */
    SP_PARAMS_KEY_REMOVE,
    SP_PARAMS_FINGERPRINT,
    SP_PARAMS_PASSWORD,
    SP_PARAMS_ACCOUNT,  /* domain or user, dry_run, if_generation */
    SP_PARAMS_SESSIONS, /* domain or user, both optional */
    SP_PARAMS_SESSIONS_END,
    SP_PARAMS_USER_ADD,
    SP_PARAMS_USER_REMOVE,
    SP_PARAMS_RECONCILE,
    SP_PARAMS_DRY_RUN, /* dry_run alone */
    SP_PARAMS_NONE,
    SP_PARAMS_RAW, /* read by the method itself; only an object is promised */
};

/* `params` NULL is an empty object. Fields in *err are relative to params ("authorized_keys[2].from[0]").
 */
int sp_params_decode(enum sp_method_params which, const cJSON *params, struct sp_params *ret,
                     struct sp_error *err);

#endif
