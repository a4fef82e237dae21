/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See blind.h: mount points, keys, lingering, logs, authorities. */
#include "blind.h"

#include "engine/adopt.h"
#include "engine/refresh.h"
#include "host/label.h"
#include "host/loginlog.h"
#include "host/record.h"
#include "host/sessions.h"
#include "host/slice.h"
#include "host/userdb.h"
#include "resource/certstore.h"
#include "resource/jail-names.h"
#include "resource/resource.h"

static struct sp_config config_of(void)
{
    struct sp_config config = {.forwarding = SP_FORWARDING_LOCAL};

    config.key_store = SP_KEY_STORE_HOME;
    return config;
}

/* --- mount points --- */

#define ROOT "var/www/other"

static void put_record(struct temp_host *t, uid_t uid, const char *user)
{
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_record r = {
        .user = "", .uid = uid, .gid = uid, .home = "/home/other", .profiles = "base", .tmp_mib = 64};
    char roots[1][SP_RECORD_PATH] = {"/" ROOT}, path[64];
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "var/lib/sallyport/entry", 0711, &err);

    assert_true(fd >= 0);
    (void)sp_str_copy(r.user, sizeof(r.user), user);
    r.roots = roots;
    r.n_roots = 1;
    assert_int_equal(sp_record_format(&r, &text, &err), 0);
    (void)snprintf(path, sizeof(path), "var/lib/sallyport/entry/%u", uid);
    temp_put(t, path, sp_buf_str(&text), 0640);
}

/* 1: they are to be taken away. */
static int plan_given_up(struct temp_host *t)
{
    const struct sp_config config = config_of();
    struct sp_account gone = {.uid = 1000}, before = {.uid = 1000};
    const struct sp_ctx c = {.host = &t->h, .config = &config, .desired = &gone, .applied = &before};
    _cleanup_(sp_plan_clear) struct sp_plan p = {0};
    struct sp_domain *d = NULL;
    struct sp_error err;
    int rc = -1;

    (void)sp_str_copy(gone.user, sizeof(gone.user), "gone");
    (void)sp_str_copy(before.user, sizeof(before.user), "gone");
    if (sp_account_attach(&before, "gone.test", "/" ROOT, &d, &err) == 0 &&
        sp_resource_points.plan(&c, &p, &err) == 0)
        rc = p.n > 0;
    sp_account_clear(&before);
    return rc;
}

static void mount_points_that_may_be_another_users_stay(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, ROOT "/usr", 0755, &err);

    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 01555), 0);
    assert_int_equal(plan_given_up(t), 1);
    put_record(t, 1000, "other");
    assert_int_equal(plan_given_up(t), 0);
    with_each_failing(t, plan_given_up, 1);
}

/* --- keys --- */

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJYT+ssYYmKoEv/ksDA4uupkwk2oBc70MuLLsXo1iZB anna@laptop"
#define HOME "home/site"

/* An account with that key, or with none of its keys left. */
static int add_domain(struct sp_account *a, const char *key, struct sp_error *err)
{
    struct sp_domain *d = NULL;
    _cleanup_(sp_key_clear) struct sp_key k = {0};

    a->uid = 1000;
    (void)sp_str_copy(a->user, sizeof(a->user), "site");
    if (sp_account_attach(a, "site.test", "/var/www/site", &d, err) < 0)
        return -1;
    if (key == NULL)
        return 0;
    return sp_sshkey_parse(key, strlen(key), &k.key, NULL, err) < 0 ? -1
                                                                    : sp_key_list_add(&d->keys, &k, err);
}

/* What is planned of the home: lines that go, or 100 and more for warnings. */
static int plan_elsewhere(struct temp_host *t, const char *stays, enum sp_foreign_keys foreign)
{
    struct sp_config config = config_of();
    const struct sp_user user = {.name = "site", .uid = 1000, .gid = 1000, .home = "/" HOME};
    _cleanup_(sp_account_clear) struct sp_account now = {0}, before = {0};
    const struct sp_ctx c = {
        .host = &t->h, .config = &config, .user = &user, .desired = &now, .applied = &before};
    _cleanup_(sp_plan_clear) struct sp_plan p = {0};
    struct sp_error err;

    config.key_store = SP_KEY_STORE_ROOT;
    config.foreign_keys = foreign;
    if (add_domain(&now, stays, &err) < 0 || add_domain(&before, KEY, &err) < 0 ||
        sp_resource_keys_elsewhere.plan(&c, &p, &err) < 0)
        return -1;
    return (int)p.n + 100 * (int)p.n_notes;
}

static int plan_gone(struct temp_host *t)
{
    return plan_elsewhere(t, NULL, SP_FOREIGN_KEEP);
}

static int plan_kept(struct temp_host *t)
{
    return plan_elsewhere(t, KEY, SP_FOREIGN_KEEP);
}

static int plan_unread_by_sshd(struct temp_host *t)
{
    return plan_elsewhere(t, NULL, SP_FOREIGN_REFUSE);
}

static void a_key_that_goes_is_not_left_in_a_home_beside_roots_file(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, HOME "/.ssh", 0700, &err);

    assert_true(fd >= 0);
    assert_int_equal(plan_gone(t), 0);
    temp_put(t, HOME "/.ssh/authorized_keys", KEY "\n", 0600);
    assert_int_equal(plan_gone(t), 1);
    with_each_failing(t, plan_gone, 0);
    assert_int_equal(plan_kept(t), 1); /* it has none of its limits there */
    with_each_failing(t, plan_kept, 0);
    with_each_failing(t, plan_unread_by_sshd, 0);
    /* Where nobody can look, the rest goes on, and it is said. */
    assert_int_equal(unlinkat(t->h.root_fd, HOME "/.ssh/authorized_keys", 0), 0);
    assert_int_equal(mkdirat(t->h.root_fd, HOME "/.ssh/authorized_keys", 0700), 0);
    assert_int_equal(plan_gone(t), 1);
    assert_int_equal(plan_kept(t), 100);
    assert_int_equal(plan_unread_by_sshd(t), 100);
}

/* 1: it is read back as gone. */
static int read_back_roots_file(struct temp_host *t)
{
    const struct sp_config config = config_of();
    const struct sp_account now = {.uid = 1000};
    const struct sp_ctx c = {.host = &t->h, .config = &config, .desired = &now, .applied = &now};
    const struct sp_resource *const both[] = {&sp_resource_keys, &sp_resource_keys_elsewhere};
    _cleanup_free_ struct sp_change *change = calloc(1, sizeof(*change));
    struct sp_error err;

    for (size_t i = 0; i < SP_COUNT(both); i++) {
        *change = (struct sp_change){.resource = both[i], .what = i == 0 ? 4 /* WHOLE */ : 1};
        (void)sp_str_copy(change->target, sizeof(change->target), "/var/lib/sallyport/keys/site");
        if (both[i]->read_back(&c, change, &err) == 0 && change->read_back[0] == '\0')
            return 1;
    }
    return 0;
}

static void a_file_that_nobody_can_look_at_is_not_read_back_as_gone(void **state)
{
    struct temp_host *t = *state;

    assert_int_equal(read_back_roots_file(t), 1);
    temp_put_deep(t, "var/lib/sallyport/keys/site", "");
    assert_int_equal(read_back_roots_file(t), 0);
    with_each_failing(t, read_back_roots_file, 1);
}

/* --- processes and logs --- */

/* How many processes are his logins' own; -1: nobody knows. */
static int count_sessions(struct temp_host *t)
{
    _cleanup_(sp_sessions_clear) struct sp_sessions found = {0};
    struct sp_error err;

    return sp_sessions_find(&t->h, "site", 1000, &found, &err) < 0 ? -1 : (int)found.n;
}

static void who_may_linger_keeps_his_manager(void **state)
{
    struct temp_host *t = *state;

    temp_put_deep(t, "proc/40/status",
                  "Name:\tsystemd\nState:\tS\nPPid:\t1\nUid:\t1000\t1000\t1000\t1000\n");
    temp_put_deep(t, "proc/40/cgroup", "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n");
    temp_put_deep(t, "proc/40/sessionid", "3");
    temp_put_deep(t, "proc/40/loginuid", "1000");
    assert_int_equal(symlinkat("/usr/lib/systemd/systemd", t->h.root_fd, "proc/40/exe"), 0);
    assert_int_equal(count_sessions(t), 1);
    temp_put_deep(t, "var/lib/systemd/linger/site", "");
    assert_int_equal(count_sessions(t), 0);
    with_each_failing(t, count_sessions, 1);
}

static int is_journal(struct temp_host *t)
{
    return sp_loginlog_is_journal(&t->h, "");
}

static void a_journal_that_nobody_can_look_at_is_not_passed_over_for_a_file(void **state)
{
    struct temp_host *t = *state;

    temp_put_deep(t, "run/systemd/journal/socket", "");
    assert_int_equal(is_journal(t), 0);
    temp_put_deep(t, "usr/bin/journalctl", "");
    assert_int_equal(is_journal(t), 1);
    with_each_failing(t, is_journal, 0);
}

/* --- what there is of the host --- */

static int slices_are_usable(struct temp_host *t)
{
    const char *why = NULL;

    return sp_slice_usable(&t->h, &why);
}

static int slice_lives(struct temp_host *t)
{
    return sp_slice_lives(&t->h, 1000);
}

static void a_limit_is_not_left_out_because_nobody_could_look_for_slices(void **state)
{
    struct temp_host *t = *state;

    temp_put_deep(t, "run/systemd/system/x", "");
    temp_put_deep(t, "sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n");
    temp_put_deep(t, "etc/pam.d/common-session", "session optional pam_systemd.so\n");
    assert_int_equal(slices_are_usable(t), 0);
    assert_int_equal(slice_lives(t), 0);
    temp_put_deep(t, "etc/pam.d/sshd", "@include common-session\n");
    temp_put_deep(t, "sys/fs/cgroup/user.slice/user-1000.slice/pids.max", "max\n");
    assert_int_equal(slices_are_usable(t), 1);
    with_each_failing(t, slices_are_usable, 0);
    assert_int_equal(with_failing(SYS_read, EIO, slices_are_usable, t), 1);
    assert_int_equal(slice_lives(t), 1);
    with_each_failing(t, slice_lives, 0);
}

static int policy_is_loaded(struct temp_host *t)
{
    (void)t;
    return sp_label_on();
}

static void a_policy_that_nobody_can_look_for_is_not_missing(void **state)
{
#ifdef SYS_access
    const int number = SYS_access; /* of access(2), where the kernel has both */
#else
    const int number = SYS_faccessat;
#endif

    assert_int_equal(with_failing(number, ENOENT, policy_is_loaded, *state), 0);
    assert_int_equal(with_failing(number, ENOMEM, policy_is_loaded, *state), 1);
}

/* 1: success, and it is there still. */
static int tidy(struct temp_host *t)
{
    struct sp_error err;
    int rc;

    temp_put(t, "etc/shadow.sallyport", "root:", 0600);
    rc = sp_userdb_tidy(&t->h, &err);
    return rc == 0 && faccessat(t->h.root_fd, "etc/shadow.sallyport", F_OK, 0) == 0;
}

static void what_a_cut_left_of_passwd_is_not_tidied_unseen(void **state)
{
    struct temp_host *t = *state;

    temp_put_deep(t, "etc/shadow", "root:");
    with_each_failing(t, tidy, 1);
    assert_int_equal(tidy(t), 0);
}

static int authorities_exist(struct temp_host *t)
{
    return sp_cas_exist(&t->h);
}

/* Where its private key is thought to be: 1 an agent, 0 the file; -1: an error. */
static int is_in_agent(struct temp_host *t)
{
    _cleanup_(sp_cas_clear) struct sp_cas cas = {0};
    struct sp_error err;

    return sp_cas_read(&t->h, &cas, &err) < 0 || cas.n != 1 ? -1 : cas.v[0].in_agent;
}

static void an_authority_that_nobody_can_look_at_is_not_missing(void **state)
{
    struct temp_host *t = *state;

    assert_int_equal(authorities_exist(t), 0);
    temp_put_deep(t, &SP_CA_TRUSTED[1], KEY "\n");
    assert_int_equal(authorities_exist(t), 1);
    with_each_failing(t, authorities_exist, 0);
    temp_put_deep(t, &SP_CA_DIR "/1.pub"[1], KEY "\n");
    assert_int_equal(is_in_agent(t), 1);
    temp_put_deep(t, &SP_CA_DIR "/1"[1], "");
    assert_int_equal(is_in_agent(t), 0);
    with_each_failing(t, is_in_agent, 1);
}

static int is_wished_for(struct temp_host *t)
{
    struct sp_engine e = {.host = &t->h};

    return sp_refresh_end(&e, -1);
}

static void a_refresh_that_was_wished_for_is_not_missed(void **state)
{
    struct temp_host *t = *state;

    assert_int_equal(is_wished_for(t), 0);
    temp_put_deep(t, "var/lib/sallyport/refresh.wanted", "");
    assert_int_equal(is_wished_for(t), 1);
    with_each_failing(t, is_wished_for, 0);
}

/* --- extra logins and other names --- */

/* How many changes there are where a login is given up whose map is all that is left; -1: an error. */
static int plan_map_away(struct temp_host *t)
{
    const struct sp_config config = config_of();
    const struct sp_account gone = {
        .user = "tech", .uid = 70000, .extra = {.owner = "site", .owner_uid = 1000, .owner_gid = 1000}};
    const struct sp_ctx c = {.host = &t->h, .config = &config, .desired = &gone, .applied = &gone};
    _cleanup_(sp_plan_clear) struct sp_plan p = {0};
    struct sp_error err;

    return sp_resource_user.plan(&c, &p, &err) < 0 ? -1 : (int)p.n;
}

static void a_map_that_nobody_can_look_at_is_not_gone(void **state)
{
    struct temp_host *t = *state;

    temp_put_deep(t, "etc/passwd", "root:x:0:0::/:\n");
    temp_put_deep(t, "etc/group", "root:x:0:\n");
    assert_int_equal(plan_map_away(t), 0);
    temp_put_deep(t, "run/sallyport/idmap/1000.1000-70000.70000", "");
    assert_int_equal(plan_map_away(t), 1);
    with_each_failing(t, plan_map_away, 0);
}

/* 1: nothing is left of the name before, says success. */
static int adopt_rest(struct temp_host *t)
{
    struct sp_config config = config_of();
    struct sp_engine e = {.host = &t->h, .config = &config};
    const struct sp_run run = {.flags = SP_RUN_DRY};
    enum sp_adopted done;
    struct sp_error err;

    return sp_adopt(&e, "after", "after", &run, &done, &err) == 0 && done == SP_ADOPTED_NOTHING;
}

static void what_is_left_of_a_name_before_is_not_passed_over(void **state)
{
    struct temp_host *t = *state;
    struct sp_engine e = {.host = &t->h};
    _cleanup_(sp_state_clear) struct sp_state s = {.exists = true, .generation = 1};
    struct sp_domain *d = NULL;
    struct sp_error err;

    temp_put_deep(t, "etc/passwd", "root:x:0:0::/:\nafter:x:1000:1000::/home/after:/bin/false\n");
    assert_int_equal(sp_store_prepare(e.host, &err), 0);
    assert_int_equal(adopt_rest(t), 1);
    s.desired.uid = s.applied.uid = 1000;
    s.desired.tmp_mib = s.applied.tmp_mib = 64;
    (void)sp_str_copy(s.desired.user, sizeof(s.desired.user), "before");
    (void)sp_str_copy(s.applied.user, sizeof(s.applied.user), "before");
    assert_int_equal(sp_account_attach(&s.desired, "site.test", "/var/www/site", &d, &err), 0);
    assert_int_equal(sp_store_save(e.host, "before", &s, &err), 0);
    assert_int_equal(adopt_rest(t), 0);
    with_each_failing(t, adopt_rest, 1);
}

/* --- names in a jail --- */

/* The lines that the jail's /etc/group has; 100: nobody knows whose his tree is. */
static int count_groups(struct temp_host *t)
{
    struct sp_config config = config_of();
    const struct sp_user user = {.name = "site", .uid = 1000, .gid = 1000, .home = "/" HOME};
    _cleanup_(sp_account_clear) struct sp_account now = {0};
    const struct sp_ctx c = {.host = &t->h, .config = &config, .user = &user, .desired = &now};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error err;
    int n = 0;

    if (add_domain(&now, NULL, &err) < 0)
        return -1;
    if (sp_jail_group(&c, SP_JAIL_NO_LOOK, &text, &err) < 0)
        return strstr(err.text, "/var/www/site") != NULL ? 100 : -1;
    for (const char *p = sp_buf_str(&text); (p = strchr(p, '\n')) != NULL; p++)
        n++;
    return n;
}

static void a_group_whose_tree_nobody_can_look_at_is_not_left_out(void **state)
{
    struct temp_host *t = *state;

    temp_put_deep(t, "etc/group", "root:x:0:\nsite:x:1000:\n");
    assert_int_equal(count_groups(t), 4); /* what is not there belongs to nobody */
    assert_int_equal(with_failing(SYS_newfstatat, EACCES, count_groups, t), 255);
    assert_int_equal(with_failing(SYS_newfstatat, EIO, count_groups, t), 100);
    with_each_failing(t, count_groups, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(mount_points_that_may_be_another_users_stay),
        T(a_key_that_goes_is_not_left_in_a_home_beside_roots_file),
        T(a_file_that_nobody_can_look_at_is_not_read_back_as_gone),
        T(who_may_linger_keeps_his_manager),
        T(a_journal_that_nobody_can_look_at_is_not_passed_over_for_a_file),
        T(a_limit_is_not_left_out_because_nobody_could_look_for_slices),
        T(a_policy_that_nobody_can_look_for_is_not_missing),
        T(what_a_cut_left_of_passwd_is_not_tidied_unseen),
        T(an_authority_that_nobody_can_look_at_is_not_missing),
        T(a_refresh_that_was_wished_for_is_not_missed),
        T(a_map_that_nobody_can_look_at_is_not_gone),
        T(what_is_left_of_a_name_before_is_not_passed_over),
        T(a_group_whose_tree_nobody_can_look_at_is_not_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
