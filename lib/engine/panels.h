/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Presets as files, and the sites that a panel says it has. */
#ifndef SP_ENGINE_PANELS_H
#define SP_ENGINE_PANELS_H

#include "engine/engine.h"
#include "host/userlist.h"
#include "model/panel.h"

#define SP_PANELS_DIR "/usr/share/sallyport/panels"
#define SP_PANELS_OWN "/etc/sallyport/panels.d" /* an admin's: one of the same name counts instead */

/* SP_E_NOT_FOUND for a panel without a preset. */
int sp_panels_load(struct sp_host *h, const char *name, struct sp_panel *ret, struct sp_error *err);
/* The one panel that is on this host. SP_E_NOT_FOUND: none; SP_E_CONFLICT: several. */
int sp_panels_detect(struct sp_host *h, char ret[SP_PANEL_SIZE], struct sp_error *err);

struct sp_panels_site {
    struct sp_panel_site site;
    int problem; /* not 0: why it cannot be used */
    struct sp_error why;
    size_t order;
};
struct sp_panels_sites {
    struct sp_panels_site *v; /* owned; by user, then as the panel has them */
    size_t n;
};
void sp_panels_sites_clear(struct sp_panels_sites *s);

/* All sites. A domain that two records name is the first one's; where they name two users, each further one
 * has a problem. `files`: instead of the preset's own, for its first source; NULL: as it says. */
int sp_panels_scan(struct sp_engine *e, const struct sp_panel *p, const char *files,
                   const struct sp_userlist *users, struct sp_panels_sites *ret, struct sp_error *err);

#endif
