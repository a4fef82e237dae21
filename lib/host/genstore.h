/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store as the parts of generation see it: its directories, the generations in it, who uses them. */
#ifndef SP_HOST_GENSTORE_H
#define SP_HOST_GENSTORE_H

#include <stdbool.h>

#include "base/error.h"
#include "host/host.h"
#include "model/manifest.h"

struct sp_genstore {
    int store; /* SP_STORE */
    int gens;  /* gen/ */
    int sets;  /* sets/ */
};

#define SP_GENSTORE_INIT                                                                                   \
    {                                                                                                      \
        .store = -1, .gens = -1, .sets = -1                                                                \
    }

void sp_genstore_clear(struct sp_genstore *s);

/* Open it; with SP_GENSTORE_MAKE what is missing is made, else it is SP_E_NOT_FOUND. */
enum sp_genstore_flags { SP_GENSTORE_NONE = 0, SP_GENSTORE_MAKE = 1 << 0 };
int sp_genstore_open(struct sp_host *h, enum sp_genstore_flags flags, struct sp_genstore *ret,
                     struct sp_error *err);

/* The generation that sets/NAME names; "" when there is none. */
void sp_genstore_current(const struct sp_genstore *s, const char *set, char ret_hash[65]);

/* Open gen/HASH and read its manifest. Returns the directory, or -1. */
int sp_genstore_load(const struct sp_genstore *s, const char *hash, struct sp_manifest *ret,
                     struct sp_error *err);
/* The same, with what stands before the entries alone; they are still to be read from *ret_text
 * (sp_gencheck_current). */
struct sp_genstore_text {
    int fd;
    uint64_t begin, end; /* of the entries */
};
int sp_genstore_begin(const struct sp_genstore *s, const char *hash, struct sp_manifest *ret,
                      struct sp_genstore_text *ret_text, struct sp_error *err);
void sp_genstore_text_clear(struct sp_genstore_text *text);

/* Names of generations in the store, at most max, in no order. Returns how many. */
size_t sp_genstore_list(const struct sp_genstore *s, char (*hashes)[65], size_t max);

/* The names in sets/ that lead to a generation, sorted; the caller frees. */
int sp_genstore_sets(const struct sp_genstore *s, char (**ret)[256], size_t *ret_n, struct sp_error *err);

/* Make sets/NAME point to gen/HASH, durably. The generation that it named before is marked as retired now.
 */
int sp_genstore_point(struct sp_host *h, const struct sp_genstore *s, const char *set, const char *hash,
                      struct sp_error *err);

/* Take sets/NAME away, durably; the same. */
int sp_genstore_unpoint(struct sp_host *h, const struct sp_genstore *s, const char *set,
                        struct sp_error *err);

/* Remove what a crash left behind: gen/.tmp-*. */
int sp_genstore_clean(const struct sp_genstore *s, struct sp_error *err);

/* Remove the generations that nobody needs; see sp_generation_collect(). */
int sp_genstore_collect(struct sp_host *h, const struct sp_genstore *s, struct sp_error *err);

/* Is this a generation's name: 64 hex digits? */
bool sp_genstore_is_hash(const char *name);

#endif
