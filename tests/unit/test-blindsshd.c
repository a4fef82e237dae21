/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See blind.h: what sshd's files say, and what jails leave behind. */
#include "blind.h"

#include "host/layout.h"
#include "host/record.h"
#include "host/spawn.h"
#include "resource/certstore.h"
#include "resource/globalkeys.h"
#include "resource/resource.h"
#include "resource/sshd-certs.h"
#include "resource/sshd-files.h"
#include "resource/sshd.h"

/* --- sshd's files --- */

#define MAIN "/etc/ssh/sshd_config"
#define FOREIGN "etc/ssh/sshd_config.d/50-host.conf"

static struct sp_config config_of(void)
{
    struct sp_config c = {.key_store = SP_KEY_STORE_HOME, .forwarding = SP_FORWARDING_LOCAL};

    (void)sp_str_copy(c.sshd_config, sizeof(c.sshd_config), MAIN);
    (void)sp_str_copy(c.sshd, sizeof(c.sshd), "/usr/sbin/sshd");
    return c;
}

static void put_sshd_config(struct temp_host *t)
{
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, SP_SSHD_CONFIG_DIR, 0755, &err);

    assert_true(fd >= 0);
    temp_put(t, &MAIN[1], "Include " SP_SSHD_CONFIG_DIR "/*.conf\n", 0644);
}

static int seek_certs(struct temp_host *t)
{
    const struct sp_config config = config_of();
    const struct sp_ctx c = {.host = &t->h, .config = &config};
    struct sp_error err;

    return sp_sshd_certs_conflict(&c, &err) < 0 ? (int)err.code : 0;
}

static int seek_keys(struct temp_host *t)
{
    const struct sp_config config = config_of();
    const struct sp_ctx c = {.host = &t->h, .config = &config};
    struct sp_error err;

    return sp_globals_conflict(&c, &err) < 0 ? (int)err.code : 0;
}

static int copy_without_ours(struct temp_host *t)
{
    const struct sp_config config = config_of();
    const struct sp_ctx c = {.host = &t->h, .config = &config};
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_error err;

    if (sp_sshd_without_ours(&c, &text, &err) < 0)
        return (int)err.code;
    return strstr(sp_buf_str(&text), "50-host.conf") != NULL ? 100 : 0;
}

static void what_the_host_sets_for_itself_is_not_missed(void **state)
{
    struct temp_host *t = *state;

    put_sshd_config(t);
    assert_int_equal(with_failing(NOTHING_FAILS, 0, seek_certs, t), 0);
    temp_put(t, FOREIGN, "RevokedKeys /etc/revoked\nMatch User a\nAuthorizedKeysFile /keys\n", 0644);
    assert_int_equal(with_failing(NOTHING_FAILS, 0, seek_certs, t), SP_E_CONFLICT);
    assert_int_equal(with_failing(SYS_openat, EMFILE, seek_certs, t), SP_E_IO);
    with_each_failing(t, seek_certs, 0);
    assert_int_equal(with_failing(NOTHING_FAILS, 0, seek_keys, t), SP_E_CONFLICT);
    assert_int_equal(with_failing(SYS_openat, EMFILE, seek_keys, t), SP_E_IO);
    with_each_failing(t, seek_keys, 0);
    assert_int_equal(with_failing(NOTHING_FAILS, 0, copy_without_ours, t), 100);
    assert_int_equal(with_failing(SYS_openat, EMFILE, copy_without_ours, t), SP_E_IO);
    with_each_failing(t, copy_without_ours, 0);
}

static char known[SHA256_DIGEST_STRING_LENGTH];

/* 1: the files are those of which `known` tells. */
static int are_known(struct temp_host *t)
{
    const struct sp_config config = config_of();
    const struct sp_ctx c = {.host = &t->h, .config = &config};
    char now[SHA256_DIGEST_STRING_LENGTH];
    SHA2_CTX sum;

    SHA256Init(&sum);
    sp_sshd_mix_files(&c, SP_SSHD_ALL_FILES, &sum);
    sp_sshd_mix(&c, "/etc/ssh/sshrc", &sum);
    SHA256End(&sum, now);
    if (known[0] == '\0')
        memcpy(known, now, sizeof(now));
    return sp_streq(known, now);
}

static void what_was_proved_of_files_is_not_believed_of_files_unseen(void **state)
{
    struct temp_host *t = *state;

    put_sshd_config(t);
    known[0] = '\0';
    assert_int_equal(are_known(t), 1);
    temp_put(t, FOREIGN, "PermitTunnel yes\n", 0644);
    temp_put(t, "etc/ssh/sshrc", "", 0644);
    assert_int_equal(with_failing(SYS_openat, EMFILE, are_known, t), 0);
    assert_int_equal(unlinkat(t->h.root_fd, FOREIGN, 0), 0);
    with_each_failing(t, are_known, 1);
}

/* --- sshd's answer --- */

static const char answer_of_sshd[] =
    "denygroups sallyport-none\n"
    "allowtcpforwarding local\nallowstreamlocalforwarding no\n"
    "x11forwarding no\npermittunnel no\npubkeyauthentication yes\n"
    "permituserenvironment no\nauthorizedkeysfile .ssh/authorized_keys\n";

static int judge(struct temp_host *t, const char *more)
{
    const struct sp_config config = config_of();
    struct sp_account a = {.shell = SP_SHELL_CHROOT, .n_domains = 1};
    const struct sp_user user = {.name = "site", .uid = 1000, .gid = 1000};
    const struct sp_ctx c = {.host = &t->h, .config = &config, .user = &user, .desired = &a};
    struct sp_sshd_answer answer;
    struct sp_error err;
    char text[1024];

    (void)snprintf(text, sizeof(text), "%s%s", answer_of_sshd, more);
    return sp_sshd_judge(&c, text, strlen(text), &answer, &err) < 0 ? (int)err.code : 0;
}

static int judge_with_pam(struct temp_host *t)
{
    return judge(t, "usepam yes\n");
}

static int judge_without_pam(struct temp_host *t)
{
    return judge(t, "usepam no\n");
}

static void what_stands_in_the_way_is_not_taken_for_gone(void **state)
{
    struct temp_host *t = *state;

    put_sshd_config(t);
    assert_int_equal(judge_with_pam(t), 0);
    assert_int_equal(judge_without_pam(t), 0);
    temp_put(t, "etc/shadow", "root:*:1::::::\nsite:!x:1::::::\n", 0600);
    assert_int_equal(judge_without_pam(t), SP_E_NOT_IN_FORCE);
    with_each_failing(t, judge_without_pam, 0);
    temp_put(t, "etc/ssh/sshrc", "", 0644);
    assert_int_equal(judge_with_pam(t), SP_E_NOT_IN_FORCE);
    with_each_failing(t, judge_with_pam, 0);
}

/* --- sshd's drop-in --- */

static int sshd_status;

static int spawn_sshd(struct sp_host *h, struct sp_spawn *s, struct sp_error *err)
{
    (void)h;
    (void)err;
    sp_buf_puts(&s->out, "port 22\n");
    s->status = sshd_status;
    return 0;
}

#define OLD "DenyGroups sallyport-none\nMatch Group sallyport-local\n\tAllowTcpForwarding local\n"

static void put_dropin(struct temp_host *t)
{
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "var/lib/sallyport", 0711, &err);

    t->ops.spawn = spawn_sshd;
    assert_true(fd >= 0);
    put_sshd_config(t);
    temp_put(t, &SP_SSHD_DROPIN[1], OLD, 0644);
    temp_put(t, "etc/group", "sallyport:x:990:site\nsallyport-local:x:991:\nsallyport-noforward:x:992:\n",
             0644);
}

/* 0: written; -1: an error; 1: what was in force is lost. */
static int write_dropin(struct temp_host *t)
{
    const struct sp_config config = config_of();
    const struct sp_account nobody = {0};
    const struct sp_ctx c = {.host = &t->h, .config = &config, .desired = &nobody};
    _cleanup_(sp_buf_clear) struct sp_buf now = {0}, group = {0};
    struct sp_error err;
    int rc = sp_sshd_write_dropin(&c, &err);
    unsigned n = failing;

    failing = 0;
    if (temp_get(t, &SP_SSHD_DROPIN[1], &now) == NULL || strstr(sp_buf_str(&now), "DenyGroups") == NULL)
        rc = 1;
    if (rc == 0 && strstr(temp_get(t, "etc/group", &group), "sallyport-noforward:x:992:site\n") == NULL)
        rc = 1;
    put_dropin(t);
    failing = n;
    return rc;
}

static void the_policy_in_force_is_not_lost_while_it_is_written(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "etc", 0755, &err);

    assert_true(fd >= 0);
    put_dropin(t);
    sshd_status = 255;
    assert_int_equal(write_dropin(t), -1);
    with_each_failing(t, write_dropin, 1);
    sshd_status = 0;
    assert_int_equal(write_dropin(t), 0);
    with_each_failing(t, write_dropin, 1);
}

/* 0: as it is to be; 1: another text, with success; -1: an error. */
static int make_dropin(struct temp_host *t)
{
    const struct sp_config config = config_of();
    const struct sp_account nobody = {0};
    const struct sp_ctx c = {.host = &t->h, .config = &config, .desired = &nobody};
    _cleanup_(sp_buf_clear) struct sp_buf have = {0}, text = {0};
    struct sp_error err;

    if (sp_sshd_dropin(&c, SP_SFTP_PROGRAM, &have, &text, &err) < 0)
        return -1;
    return strstr(sp_buf_str(&text), "RevokedKeys") == NULL ||
           strstr(sp_buf_str(&text), "AuthorizedKeysFile /keys " SP_GLOBAL_DIR "/all\n") == NULL;
}

/* Without its lines a key is not revoked any more; with lines for what is not there every key is. */
static void the_policy_is_not_made_of_what_nobody_could_look_at(void **state)
{
    static const char *const dirs[] = {SP_CA_DIR, SP_GLOBAL_DIR};
    struct temp_host *t = *state;
    struct sp_error err;

    put_dropin(t);
    temp_put(t, FOREIGN, "AuthorizedKeysFile /keys\n", 0644);
    assert_int_equal(make_dropin(t), 1);
    for (size_t i = 0; i < SP_COUNT(dirs); i++) {
        _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, dirs[i], 0711, &err);
        assert_true(fd >= 0);
    }
    temp_put(t, &SP_CA_TRUSTED[1], "", 0644);
    temp_put(t, &SP_GLOBAL_DIR "/all"[1], "", 0644);
    assert_int_equal(make_dropin(t), 0);
    with_each_failing(t, make_dropin, 1);
}

/* --- what is to be removed --- */

static int plan_removal(struct temp_host *t)
{
    const struct sp_config config = config_of();
    struct sp_account gone = {.uid = 1000};
    const struct sp_ctx c = {.host = &t->h, .config = &config, .desired = &gone, .applied = &gone};
    _cleanup_(sp_plan_clear) struct sp_plan p = {0};
    struct sp_error err;

    (void)sp_str_copy(gone.user, sizeof(gone.user), "gone");
    return sp_resource_jail.plan(&c, &p, &err) < 0 ? -1 : p.n > 0;
}

static void the_record_of_another_user_of_the_uid_stays(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf text = {0};
    struct sp_record r = {.user = "other",
                          .uid = 1000,
                          .gid = 1000,
                          .home = "/home/other",
                          .profiles = "base",
                          .tmp_mib = 64};
    char roots[1][SP_RECORD_PATH] = {"/var/www/other"};
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "var/lib/sallyport/entry", 0711, &err);

    assert_true(fd >= 0);
    r.roots = roots;
    r.n_roots = 1;
    assert_int_equal(sp_record_format(&r, &text, &err), 0);
    temp_put(t, "var/lib/sallyport/entry/1000", sp_buf_str(&text), 0640);
    assert_int_equal(plan_removal(t), 0);
    with_each_failing(t, plan_removal, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_the_host_sets_for_itself_is_not_missed),
        T(what_was_proved_of_files_is_not_believed_of_files_unseen),
        T(what_stands_in_the_way_is_not_taken_for_gone),
        T(the_policy_in_force_is_not_lost_while_it_is_written),
        T(the_policy_is_not_made_of_what_nobody_could_look_at),
        T(the_record_of_another_user_of_the_uid_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
