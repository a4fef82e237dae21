/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See blind.h: processes, generations, the store, firewalls. */
#include "blind.h"

#include "elfmake.h"
#include "engine/fwbeside.h"
#include "engine/fwplan.h"
#include "engine/logins.h"
#include "engine/refresh.h"
#include "engine/store.h"
#include "host/closure.h"
#include "host/genstore.h"
#include "host/procnet.h"
#include "host/proctable.h"
#include "host/spawn.h"
#include "resource/certstore.h"
#include "resource/fwopen.h"

static void put_link(struct temp_host *t, const char *to, const char *path)
{
    assert_int_equal(symlinkat(to, t->h.root_fd, path), 0);
}

/* --- processes --- */

static void put_sshd(struct temp_host *t)
{
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "proc/4711/fd", 0755, &err);

    assert_true(fd >= 0);
    assert_int_equal(mkdirat(t->h.root_fd, "proc/4712", 0755), 0); /* one that is gone */
    temp_put(t, "proc/4711/status", "Name:\tsshd\nState:\tS\nPPid:\t1\nUid:\t0\t0\t0\t0\n", 0644);
    put_link(t, "/usr/sbin/sshd", "proc/4711/exe");
    put_link(t, "socket:[77]", "proc/4711/fd/3");
}

/* 0: the one process was seen. */
static int list_processes(struct temp_host *t)
{
    _cleanup_(sp_proctable_clear) struct sp_proctable table = {0};
    struct sp_error err;

    if (sp_proctable_read(&t->h, 1000, &table, &err) < 0)
        return (int)err.code;
    return table.n == 1 && table.procs[0].is_sshd ? 0 : 100;
}

static void a_process_that_cannot_be_looked_at_is_not_left_out(void **state)
{
    struct temp_host *t = *state;

    put_sshd(t);
    assert_int_equal(with_failing(NOTHING_FAILS, 0, list_processes, t), 0);
    assert_int_equal(with_failing(SYS_openat, ENOMEM, list_processes, t), SP_E_IO);
    assert_int_equal(with_failing(SYS_openat, EMFILE, list_processes, t), SP_E_IO);
    assert_int_equal(with_failing(SYS_readlinkat, ENOMEM, list_processes, t), SP_E_IO);
    /* Those are words on the process: it is gone, or not ours to see. */
    assert_int_equal(with_failing(SYS_openat, ESRCH, list_processes, t), 100);
    assert_int_equal(with_failing(SYS_readlinkat, EACCES, list_processes, t), 100);
}

/* 0: the port that it listens on was seen. */
static int list_ports(struct temp_host *t)
{
    struct sp_procnet_socket one = {.inode = 77, .port = 22};
    const struct sp_procnet_sockets all = {.v = &one, .n = 1};
    struct sp_diag_listeners found = {0};
    struct sp_error err;

    if (sp_procnet_owners(&t->h, &all, &found, &err) < 0)
        return (int)err.code;
    return found.n_sshd == 1 && found.sshd[0] == 22 ? 0 : 100;
}

static void a_port_of_sshd_is_not_missed_where_its_process_cannot_be_looked_at(void **state)
{
    struct temp_host *t = *state;

    put_sshd(t);
    assert_int_equal(with_failing(NOTHING_FAILS, 0, list_ports, t), 0);
    assert_int_equal(with_failing(SYS_readlinkat, ENOMEM, list_ports, t), SP_E_IO);
    assert_int_equal(with_failing(SYS_openat, EMFILE, list_ports, t), SP_E_IO);
    assert_int_equal(with_failing(SYS_read, EIO, list_ports, t), SP_E_IO);
    assert_int_equal(with_failing(SYS_read, ESRCH, list_ports, t), 100);
    assert_int_equal(with_failing(SYS_readlinkat, ENOENT, list_ports, t), 100);
}

/* --- generations --- */

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UNUSED "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* 0, or the code of the error */
static int collect(struct temp_host *t)
{
    _cleanup_(sp_genstore_clear) struct sp_genstore s = SP_GENSTORE_INIT;
    struct sp_error err;

    if (sp_genstore_open(&t->h, SP_GENSTORE_NONE, &s, &err) < 0 || sp_genstore_collect(&t->h, &s, &err) < 0)
        return (int)err.code;
    return 0;
}

static void a_generation_stays_whose_set_cannot_be_looked_at(void **state)
{
    static const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    _cleanup_(sp_genstore_clear) struct sp_genstore s = SP_GENSTORE_INIT;
    struct temp_host *t = *state;
    struct sp_error err;

    assert_int_equal(sp_genstore_open(&t->h, SP_GENSTORE_MAKE, &s, &err), 0);
    assert_int_equal(symlinkat("../gen/" HASH, s.sets, "base"), 0);
    assert_int_equal(mkdirat(s.sets, "stray", 0755), 0);
    assert_int_equal(mkdirat(s.gens, HASH, 0755), 0);
    assert_int_equal(mkdirat(s.gens, UNUSED, 0755), 0);
    assert_int_equal(utimensat(s.gens, HASH, old, 0), 0);
    assert_int_equal(utimensat(s.gens, UNUSED, old, 0), 0);
    assert_int_equal(with_failing(SYS_readlinkat, EIO, collect, t), SP_E_IO);
    assert_true(sp_fsat_exists(s.gens, HASH));
    assert_int_equal(with_failing(NOTHING_FAILS, 0, collect, t), 0);
    assert_true(sp_fsat_exists(s.gens, HASH));
    assert_false(sp_fsat_exists(s.gens, UNUSED));
}

/* --- what a jail is made of --- */

static void put_elf(struct temp_host *t, const char *path, const struct elf_make *m)
{
    struct elf_bytes b;
    _cleanup_close_ int fd = openat(t->h.root_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

    elf_make(m, &b);
    assert_int_equal(sp_write_all(fd, &b, sizeof(b)), 0);
    assert_int_equal(fchmod(fd, 0755), 0);
}

/* 0: all of it; -1: an error; 1: a part, with success. */
static int collect_files(struct temp_host *t)
{
    struct sp_profile_item item = {.kind = SP_PROFILE_PROGRAM, .value = (char *)"sh"};
    const struct sp_profile profile = {.name = "test", .items = &item, .n_items = 1}, *one = &profile;
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    struct sp_error err;

    if (sp_closure_collect(&t->h, &one, 1, &m, &err) < 0)
        return -1;
    return sp_manifest_find(&m, "usr/bin/sh") == NULL || sp_manifest_find(&m, "usr/lib/ld.so") == NULL ||
           sp_manifest_find(&m, "usr/lib/libc.so.6") == NULL ||
           sp_manifest_find(&m, "usr/lib/libm.so.6") == NULL;
}

static void a_library_that_cannot_be_looked_at_is_not_left_out(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    _cleanup_close_ int bin = sp_fsat_make_dirs(t->h.root_fd, "usr/bin", 0755, &err),
                        lib = sp_fsat_make_dirs(t->h.root_fd, "usr/lib", 0755, &err);

    assert_true(bin >= 0 && lib >= 0);
    assert_int_equal(fchmod(t->h.root_fd, 0755), 0);
    put_elf(t, "usr/lib/ld.so", &(struct elf_make){.soname = "ld.so"});
    put_elf(t, "usr/lib/libm.so.6", &(struct elf_make){.soname = "libm.so.6"});
    put_elf(t, "usr/lib/libc.so.6", &(struct elf_make){.soname = "libc.so.6", .needed = {"libm.so.6"}});
    put_elf(t, "usr/bin/sh", &(struct elf_make){.interp = "/usr/lib/ld.so", .needed = {"libc.so.6"}});
    assert_int_equal(collect_files(t), 0);
    with_each_failing(t, collect_files, 1);
    assert_int_not_equal(with_failing(SYS_pread64, EIO, collect_files, t), 1);
}

/* ld.so.cache(8), of one library that lies in no directory that the loader searches by itself. */
static void put_cache(struct temp_host *t, const char *soname, const char *path)
{
    struct {
        char magic[20];
        uint32_t n, rest[6];
        uint32_t flags, soname, path, more[3];
        char strings[100];
    } cache = {.magic = "glibc-ld.so.cache1.", .n = 1, .flags = 0x0303, .soname = 72, .path = 72 + 50};
    _cleanup_close_ int fd = openat(t->h.root_fd, "etc/ld.so.cache", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    cache.magic[19] = '1';
    (void)snprintf(cache.strings, 50, "%s", soname);
    (void)snprintf(cache.strings + 50, 50, "%s", path);
    assert_int_equal(sp_write_all(fd, &cache, sizeof(cache)), 0);
    assert_int_equal(fchmod(fd, 0644), 0);
}

/* 0: all that a jail depends on; -1: an error; 1: a part, with success. */
static int collect_shown(struct temp_host *t)
{
    struct sp_profile_item items[] = {{.kind = SP_PROFILE_PROGRAM, .value = (char *)"sh"},
                                      {.kind = SP_PROFILE_MOUNT, .value = (char *)"/opt/app"}};
    const struct sp_profile profile = {.name = "test", .items = items, .n_items = 2}, *one = &profile;
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    struct sp_error err;

    if (sp_closure_collect(&t->h, &one, 1, &m, &err) < 0)
        return -1;
    return sp_manifest_find(&m, "usr/own/libm.so.6") == NULL || sp_manifest_find(&m, "opt/app") == NULL ||
           sp_manifest_find(&m, "opt/app/tool") == NULL;
}

static void what_a_jail_depends_on_is_known_or_the_jail_is_not_built(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    _cleanup_close_ int bin = sp_fsat_make_dirs(t->h.root_fd, "usr/bin", 0755, &err),
                        lib = sp_fsat_make_dirs(t->h.root_fd, "usr/own", 0755, &err),
                        etc = sp_fsat_make_dirs(t->h.root_fd, "etc", 0755, &err),
                        app = sp_fsat_make_dirs(t->h.root_fd, "opt/app", 0755, &err);

    assert_true(bin >= 0 && lib >= 0 && etc >= 0 && app >= 0);
    assert_int_equal(fchmod(t->h.root_fd, 0755), 0);
    put_elf(t, "usr/own/libm.so.6", &(struct elf_make){.soname = "libm.so.6"});
    put_elf(t, "usr/bin/sh", &(struct elf_make){.needed = {"libm.so.6"}});
    put_elf(t, "opt/app/tool", &(struct elf_make){.needed = {"libm.so.6"}});
    put_cache(t, "libm.so.6", "/usr/own/libm.so.6");
    assert_int_equal(collect_shown(t), 0);
    with_each_failing(t, collect_shown, 1);
    assert_int_not_equal(with_failing(SYS_read, EIO, collect_shown, t), 1);
    assert_int_not_equal(with_failing(SYS_statx, EIO, collect_shown, t), 1);
}

/* --- certificates --- */

static int mend_principal(struct temp_host *t)
{
    const struct sp_user user = {.name = "site", .uid = 1000, .gid = 1000};
    struct sp_error err;

    return sp_principal_mend(&t->h, &user, &err) < 0 ? (int)err.code : 0;
}

static void a_principal_that_cannot_be_read_is_not_made_anew(void **state)
{
    static const char path[] = "var/lib/sallyport/principals/site",
                      text[] = "sallyport-1000-0123456789abcdef0123456789abcdef\n";
    struct temp_host *t = *state;
    _cleanup_(sp_buf_clear) struct sp_buf b = {0};
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "var/lib/sallyport/principals", 0711, &err);

    assert_true(fd >= 0);
    temp_put(t, path, text, 0640);
    assert_int_equal(with_failing(SYS_read, EIO, mend_principal, t), SP_E_IO);
    assert_string_equal(temp_get(t, path, &b), text);
    assert_int_equal(with_failing(NOTHING_FAILS, 0, mend_principal, t), 0);
    assert_string_equal(temp_get(t, path, &b), text);
}

/* --- firewalls --- */

static int rule_status; /* of iptables -C; -1: it could not be started */
static unsigned n_changes;

static int spawn_iptables(struct sp_host *h, struct sp_spawn *s, struct sp_error *err)
{
    (void)h;
    if (!sp_streq(s->argv[3], "-C")) {
        n_changes++;
        return 0;
    }
    s->status = rule_status;
    return rule_status < 0 ? sp_fail(err, SP_E_IO, EAGAIN, "fork") : 0;
}

static void a_rule_that_could_not_be_asked_for_is_neither_there_nor_gone(void **state)
{
    static const struct {
        int status, rc;
        unsigned opens, closes;
    } cases[] = {{0, 0, 0, 1}, {1, 0, 1, 0}, {4, -1, 0, 0}, {-1, -1, 0, 0}};
    const struct sp_fwopen o = {.by = SP_FIREWALL_IPTABLES, .family = 4, .port = 22};
    struct temp_host *t = *state;
    struct sp_error err;

    t->ops.spawn = spawn_iptables;
    for (size_t i = 0; i < SP_COUNT(cases); i++) {
        rule_status = cases[i].status;
        n_changes = 0;
        assert_int_equal(sp_fwopen_open(&t->h, &o, &err), cases[i].rc);
        assert_int_equal(n_changes, cases[i].opens);
        n_changes = 0;
        assert_int_equal(sp_fwopen_close(&t->h, &o, &err), cases[i].rc);
        assert_int_equal(n_changes, cases[i].closes);
    }
}

static int plan_ufw(struct temp_host *t)
{
    const struct sp_firewall_block block = {.by = SP_FIREWALL_UFW, .port = 22};
    struct sp_fwopen o;
    struct sp_error err;

    return sp_fwopen_plan(&t->h, &block, &o, &err) < 0 ? (int)err.code : 0;
}

static void a_rule_of_ufws_that_cannot_be_read_is_not_overwritten(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "etc/ufw", 0755, &err);

    assert_true(fd >= 0);
    assert_int_equal(plan_ufw(t), 0);
    temp_put(t, "etc/ufw/user.rules", "### tuple ### deny tcp 22 0.0.0.0/0 any 10.0.0.0/8 in\n", 0640);
    assert_int_equal(plan_ufw(t), SP_E_CONFLICT);
    with_each_failing(t, plan_ufw, 0);
}

static int forget_opened(struct temp_host *t)
{
    struct sp_fwplan p = {.host = &t->h};
    struct sp_error err;

    return sp_fwbeside_forget(&p, &err) < 0 ? (int)err.code : 0;
}

static void what_was_opened_elsewhere_is_not_forgotten_unread(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "var/lib/sallyport", 0711, &err);

    assert_true(fd >= 0);
    assert_int_equal(forget_opened(t), 0);
    with_each_failing(t, forget_opened, 0);
}

/* --- the store --- */

static int unindex(struct temp_host *t)
{
    struct sp_error err;

    return sp_store_unindex(&t->h, "example.test", "site", &err) < 0 ? (int)err.code : 0;
}

static int tidy_index(struct temp_host *t)
{
    struct sp_error err;

    return sp_store_tidy_index(&t->h, "example.test", &err) < 0 ? (int)err.code : 0;
}

static void a_domain_whose_entry_cannot_be_read_is_not_said_to_be_free(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "var/lib/sallyport/domains", 0700, &err);

    assert_true(fd >= 0);
    assert_int_equal(symlinkat("site", fd, "example.test"), 0);
    assert_int_equal(with_failing(SYS_readlinkat, EIO, unindex, t), SP_E_IO);
    assert_int_equal(with_failing(SYS_readlinkat, EIO, tidy_index, t), SP_E_IO);
    assert_int_equal(with_failing(NOTHING_FAILS, 0, unindex, t), 0);
    assert_int_equal(faccessat(fd, "example.test", F_OK, AT_SYMLINK_NOFOLLOW), -1);
    assert_int_equal(with_failing(NOTHING_FAILS, 0, tidy_index, t), 0);
}

static int sets_are_partial(struct temp_host *t)
{
    struct sp_engine e = {.host = &t->h};
    _cleanup_(sp_sets_in_use_clear) struct sp_sets_in_use sets = {0};
    struct sp_error err;

    return sp_sets_in_use(&e, SP_SETS_ALL, &sets, &err) < 0 ? -1 : sets.is_partial;
}

static void an_account_that_cannot_be_read_may_use_any_set(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, SP_STORE_STATES, 0700, &err);

    assert_true(fd >= 0);
    assert_int_equal(sets_are_partial(t), 0);
    temp_put(t, &SP_STORE_STATES "/site.json"[1], "{", 0600);
    assert_int_equal(sets_are_partial(t), 1);
}

static int find_owner(struct temp_host *t)
{
    struct sp_engine e = {.host = &t->h};
    const struct sp_extra login = {.owner = "before", .owner_uid = 1000};
    _cleanup_(sp_state_clear) struct sp_state owner = {0};
    struct sp_user user;
    struct sp_error err;

    return sp_logins_owner(&e, &login, &owner, &user, &err) < 0 ? (int)err.code : 100 + owner.exists;
}

static void an_owner_is_not_gone_whose_name_cannot_be_looked_up(void **state)
{
    struct temp_host *t = *state;
    struct sp_error err;
    _cleanup_close_ int fd = sp_fsat_make_dirs(t->h.root_fd, "etc", 0755, &err);

    assert_true(fd >= 0);
    assert_int_equal(find_owner(t), SP_E_IO); /* there is no passwd */
    temp_put(t, "etc/passwd", "root:x:0:0::/:\n", 0644);
    assert_int_equal(find_owner(t), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_process_that_cannot_be_looked_at_is_not_left_out),
        T(a_port_of_sshd_is_not_missed_where_its_process_cannot_be_looked_at),
        T(a_generation_stays_whose_set_cannot_be_looked_at),
        T(a_library_that_cannot_be_looked_at_is_not_left_out),
        T(what_a_jail_depends_on_is_known_or_the_jail_is_not_built),
        T(a_principal_that_cannot_be_read_is_not_made_anew),
        T(a_rule_that_could_not_be_asked_for_is_neither_there_nor_gone),
        T(a_rule_of_ufws_that_cannot_be_read_is_not_overwritten),
        T(what_was_opened_elsewhere_is_not_forgotten_unread),
        T(a_domain_whose_entry_cannot_be_read_is_not_said_to_be_free),
        T(an_account_that_cannot_be_read_may_use_any_set),
        T(an_owner_is_not_gone_whose_name_cannot_be_looked_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
