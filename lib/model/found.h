/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What stood there when an account was adopted from a panel: nothing of it is sallyport's. While the
 * account is `held` the record is all there is, and the host is as it was found; the first request for it
 * ends that, and starts as if sallyport had never seen the account.
 *
 * The keys found stay lines of the user's own, byte for byte and with all their options. They are known by
 * their fingerprint, so that one can be taken away by it.
 */
#ifndef SP_MODEL_FOUND_H
#define SP_MODEL_FOUND_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/sshkey.h"

#define SP_PANEL_SIZE 32
#define SP_FOUND_TEXT 1024 /* a field of passwd(5) */
#define SP_FOUND_KEYS_MAX 1000

struct sp_found_key {
    char fingerprint[SP_FINGERPRINT_SIZE];
    char type[48];
};

struct sp_found {
    char panel[SP_PANEL_SIZE]; /* the preset; "" where the account was not adopted */
    bool held;
    int64_t at;
    char shell[SP_FOUND_TEXT], home[SP_FOUND_TEXT]; /* as passwd(5) had them */
    struct sp_found_key *keys;                      /* owned; each fingerprint once */
    size_t n_keys;
};

static inline bool sp_found_is(const struct sp_found *f)
{
    return f->panel[0] != '\0';
}

void sp_found_clear(struct sp_found *f);
/* Overwrites *dst. */
int sp_found_copy(struct sp_found *dst, const struct sp_found *src, struct sp_error *err);
bool sp_found_has_key(const struct sp_found *f, const char *fingerprint);
/* One that is there already is not added twice. */
int sp_found_add_key(struct sp_found *f, const char *fingerprint, const char *type, struct sp_error *err);
/* True if it was there. */
bool sp_found_drop_key(struct sp_found *f, const char *fingerprint);

/* A preset's name: lower-case letters, digits and '-'. It becomes a file name. */
int sp_panel_check_name(const char *name, struct sp_error *err);

/* {"panel","held","at","shell","home","keys":[{"fingerprint","type"}]}; reading back checks each value. */
int sp_found_to_json(const struct sp_found *f, cJSON *object, struct sp_error *err);
int sp_found_from_json(const cJSON *json, struct sp_found *ret, struct sp_error *err);

#endif
