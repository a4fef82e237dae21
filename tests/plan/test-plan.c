/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Golden plans: a directory stands for the host, fake operations for what a directory cannot confine, and
 * each scenario's requests are answered one after the other. What is compared with SCENARIO/expected is
 * every change in the order it runs; each request is sent twice, and the second answer must be empty.
 *
 *     SCENARIO/root/...       the host before (etc/passwd, etc/group, home/...)
 *     SCENARIO/requests       one line each: METHOD, a blank, the params as JSON; a first '!' means: only
 * once SCENARIO/expected       SALLYPORT_GOLDEN=write makes it anew
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/dispatch.h"
#include "host/fsat.h"
#include "host/spawn.h"
#include "model/json.h"

#define NOW 1800000000 /* 2027-01-15T08:00:00Z */

static int fake_chown(struct sp_host *h, int fd, uid_t uid, gid_t gid)
{
    (void)h;
    (void)fd;
    (void)uid;
    (void)gid;
    return 0;
}

static int64_t fake_now(struct sp_host *h)
{
    (void)h;
    return NOW;
}

/* The only program a plan asks is sshd: it answers what stands in the scenario's sshd-T, and what our
 * drop-in says of the groups the user is in by then ("-C user=NAME,..." is its last argument). */
static int fake_spawn(struct sp_host *h, struct sp_spawn *s, struct sp_error *err)
{
    const char *who = s->argv[4] != NULL ? s->argv[5] + strlen("user=") : "";
    char user[64];
    bool forward = false, none = false;

    (void)snprintf(user, sizeof(user), "%.*s", (int)strcspn(who, ","), who);
    if (sp_fsat_read(h->root_fd, "sshd-T", 1U << 16, &s->out, NULL, err) < 0 ||
        sp_userdb_in_group(h, SP_GROUP_FORWARD, user, &forward, err) < 0 ||
        sp_userdb_in_group(h, SP_GROUP_NOFORWARD, user, &none, err) < 0)
        return -1;
    sp_buf_printf(&s->out, "allowtcpforwarding %s\n", none ? "no" : forward ? "yes" : "local");
    s->status = 0;
    return 0;
}

static const struct sp_host_ops fakes = {fake_chown, fake_spawn, fake_now};

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsString(v) ? v->valuestring : "(null)";
}

static void show(const cJSON *result, struct sp_buf *out)
{
    const cJSON *c = NULL;

    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(result, "changes"))
    {
        sp_buf_printf(out, "  %s %s: %s -> %s [%s]\n", text_of(c, "resource"), text_of(c, "target"),
                      text_of(c, "from"), text_of(c, "to"), text_of(c, "read_back"));
    }
    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(result, "warnings"))
    {
        sp_buf_printf(out, "  warning: %s\n", c->valuestring);
    }
}

static bool ask(struct sp_engine *e, const char *method, const char *params, struct sp_buf *out)
{
    _cleanup_json_ cJSON *json = NULL, *result = NULL;
    struct sp_error err;

    if (sp_json_parse(params, strlen(params), &json, &err) < 0 ||
        sp_call_method(e, method, json, "golden", &result, &err) < 0) {
        sp_buf_printf(out, "  error %s, %s: %s\n    hint: %s\n", sp_code_name(err.code), err.field,
                      err.text, err.hint);
        return false;
    }
    show(result, out);
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(result, "changed"));
}

static void run_line(struct sp_engine *e, char *line, struct sp_buf *out)
{
    bool once = line[0] == '!';
    char *method = line + once, *params = strchr(method, ' ');

    if (params == NULL)
        return;
    *params++ = '\0';
    sp_buf_printf(out, "%s %s\n", method, params);
    (void)ask(e, method, params, out);
    if (once)
        return;
    sp_buf_puts(out, "again\n");
    if (ask(e, method, params, out))
        sp_buf_puts(out, "  NOT EMPTY\n");
}

static int run_requests(struct sp_engine *e, int scenario, struct sp_buf *out, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf requests = {0};
    char *rest, *line;

    if (sp_fsat_read(scenario, "requests", 1U << 20, &requests, NULL, err) < 0)
        return -1;
    rest = requests.data;
    while ((line = strsep(&rest, "\n")) != NULL)
        if (line[0] != '\0' && line[0] != '#')
            run_line(e, line, out);
    return 0;
}

static int compare(int scenario, const struct sp_buf *got, struct sp_error *err)
{
    _cleanup_(sp_buf_clear) struct sp_buf expected = {0};
    const char *mode = getenv("SALLYPORT_GOLDEN");

    if (mode != NULL && strcmp(mode, "write") == 0) {
        _cleanup_close_ int fd =
            openat(scenario, "expected", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        return fd >= 0 && sp_write_all(fd, got->data, got->len) == 0
                   ? 0
                   : sp_fail(err, SP_E_IO, errno, "expected");
    }
    if (sp_fsat_read(scenario, "expected", 1U << 20, &expected, NULL, err) < 0)
        return -1;
    if (expected.len == got->len && memcmp(expected.data, got->data, got->len) == 0)
        return 0;
    (void)fprintf(stderr, "expected:\n%s\ngot:\n%s", sp_buf_str(&expected), sp_buf_str(got));
    return sp_fail(err, SP_E_INVALID, 0, "the plan is not the golden one");
}

/* argv: the scenario, and a private copy of its root that may be written. */
int main(int argc, char **argv)
{
    _cleanup_(sp_config_clear) struct sp_config config = {0};
    _cleanup_(sp_buf_clear) struct sp_buf out = {0};
    _cleanup_close_ int scenario = -1;
    struct sp_host h = {.root_fd = -1, .ops = &fakes};
    struct sp_engine e = {.host = &h, .config = &config, .caller = 0};
    struct sp_error err = {0};

    if (argc != 3)
        return 2;
    scenario = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    h.root_fd = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (scenario < 0 || h.root_fd < 0 || sp_config_defaults(&config, &err) < 0 ||
        run_requests(&e, scenario, &out, &err) < 0 || compare(scenario, &out, &err) < 0) {
        (void)fprintf(stderr, "%s: %s\n", argv[1], err.text);
        return 1;
    }
    return 0;
}
