/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys that a request brings: the host's own list of bad ones, and what intake has to say of the others. */
#ifndef SP_ENGINE_INTAKE_H
#define SP_ENGINE_INTAKE_H

#include <cjson/cJSON.h>

#include "engine/engine.h"
#include "model/request.h"

/* Where the keys of params stand in the request: the field of an error, and the name in a warning. */
enum sp_intake_place { SP_INTAKE_KEY, SP_INTAKE_LIST };

/* SP_E_INVALID for a key that key_blocklist names. A list that is missing, that others than root can write
 * or that holds anything else than fingerprints is an error in the field sallyport.conf.key_blocklist, as
 * soon as there is a key to look for. */
int sp_intake_check(const struct sp_engine *e, const struct sp_key_list *keys, enum sp_intake_place place,
                    struct sp_error *err);

/* Add a sentence to result.warnings (made if it is missing) for everything that was mended on the keys. */
int sp_intake_warn(const struct sp_key_list *keys, enum sp_intake_place place, cJSON *result,
                   struct sp_error *err);

#endif
