/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Presets (sallyport-adopt(8)): where a hosting panel writes down which domain belongs to which system user
 * and lies in which directory. A preset says the format of those files; one reader for each format makes
 * fields of them, and templates make a site of the fields. Files are root's, names in them are customers':
 * nothing of them goes further than the allow-lists of name.h.
 */
#ifndef SP_MODEL_PANEL_H
#define SP_MODEL_PANEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/found.h"
#include "model/policy.h"

#define SP_PANEL_MAX_BYTES (1U << 16) /* of a preset */
#define SP_PANEL_SOURCES_MAX 8
#define SP_PANEL_VALUE 512

enum sp_panel_format {
    SP_PANEL_DIRECTORY, /* each directory that `files` matches: path, name, owner */
    SP_PANEL_LINK,      /* each symbolic link: path is where it leads */
    SP_PANEL_SETTINGS,  /* a file is one site: NAME=VALUE or NAME VALUE, a line each */
    SP_PANEL_VARIABLES, /* a line is one site: NAME='VALUE' NAME="VALUE" ... */
    SP_PANEL_FIELDS,    /* a line is one site: values between separators, named by `fields` */
};

struct sp_panel_source {
    char files[SP_PANEL_VALUE]; /* a pattern; what each '*' stands for is {1}, {2}, ... */
    enum sp_panel_format format;
    char under[SP_PANEL_VALUE]; /* a document root elsewhere is no site's; "" means anywhere */
    struct sp_words separators; /* of FIELDS */
    struct sp_words fields;
    struct sp_words domain, user, document_root; /* templates; the first that is not empty counts */
    struct sp_words unless;                      /* templates: a site with one that is not empty is none */
};

struct sp_panel {
    char title[64];
    char detect[SP_PANEL_VALUE]; /* a path that tells that the panel is here; "" means it is only named */
    struct sp_panel_source sources[SP_PANEL_SOURCES_MAX];
    size_t n_sources;
    uint32_t uid_min, uid_max;
    struct sp_words groups;         /* if any: accounts are in one of them */
    struct sp_words excluded_users; /* the panel's own */
    struct sp_words document_roots; /* what sallyport.conf has to allow */
};

void sp_panel_clear(struct sp_panel *p);
/* Lines are NAME = VALUE, a '#' begins a comment line; each `files` begins a source. Errors name the line.
 */
int sp_panel_parse(const char *bytes, size_t len, struct sp_panel *ret, struct sp_error *err);

/* The lines that sallyport.conf needs for this panel, on top of a configuration. */
int sp_panel_suggest(const struct sp_panel *p, const char *name, const struct sp_config *c,
                     struct sp_buf *out, struct sp_error *err);

/* One record of a panel: names and values, cut out of its file. */
struct sp_panel_field {
    char name[64];
    char value[SP_PATH_SIZE];
};
struct sp_panel_record {
    struct sp_panel_field *v; /* owned */
    size_t n;
};
void sp_panel_record_clear(struct sp_panel_record *r);
/* A name that is there already keeps its first value; "" is a value. One that is too long is left out. */
int sp_panel_record_set(struct sp_panel_record *r, const char *name, const char *value, size_t len,
                        struct sp_error *err);
const char *sp_panel_record_get(const struct sp_panel_record *r, const char *name); /* "" if not there */

/* Read a file of one of the three formats for files. `visit` gets each record, in which the fields of
 * `given` stand too; its first answer that is not 0 ends it and is returned. */
int sp_panel_read(const struct sp_panel_source *s, const char *bytes, size_t len,
                  const struct sp_panel_record *given,
                  int (*visit)(const struct sp_panel_record *, void *, struct sp_error *), void *data,
                  struct sp_error *err);

struct sp_panel_site {
    char domain[SP_DOMAIN_SIZE];
    char user[SP_USER_SIZE];
    char document_root[SP_PATH_SIZE];
};
/* SP_PANEL_NO_SITE: the record is none (no domain, or `unless`). -1: it is one, and cannot be used;
 * ret->domain and ret->user then are printable, for the report alone. */
enum { SP_PANEL_NO_SITE = 0, SP_PANEL_SITE = 1 };
int sp_panel_site(const struct sp_panel_source *s, const struct sp_panel_record *r,
                  struct sp_panel_site *ret, struct sp_error *err);

/* Match one component of a path; what each '*' stands for goes on in `captures` from *n on. A leading '.'
 * is matched by a '.' alone. */
#define SP_PANEL_CAPTURES 8
struct sp_panel_captures {
    char v[SP_PANEL_CAPTURES][256];
    size_t n;
};
bool sp_panel_match(const char *pattern, const char *name, struct sp_panel_captures *captures);

/* A login shell that is another tool's jail, by its path: the tool's name and what to do about it; NULL
 * where it is none that we know. */
struct sp_panel_jail {
    const char *shell, *tool, *advice;
};
const struct sp_panel_jail *sp_panel_jail(const char *shell);

#endif
