/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files behind a promise, found in a small host made for each test. Nothing in it could run. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "elfmake.h"
#include "host/closure.h"
#include "host/fsat.h"
#include "temp.h"

static void put_elf(struct temp_host *t, const char *path, const struct elf_make *m)
{
    struct elf_bytes b;
    int fd = openat(t->h.root_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

    elf_make(m, &b);
    assert_int_equal(sp_write_all(fd, &b, sizeof(b)), 0);
    assert_int_equal(fchmod(fd, 0755), 0);
    (void)close(fd);
}

static void put_link(struct temp_host *t, const char *target, const char *path)
{
    assert_int_equal(symlinkat(target, t->h.root_fd, path), 0);
}

/* A merged host: a shell with its loader and libc, nothing else. */
static int open_host(void **state)
{
    static const char *const dirs[] = {"usr/bin",       "usr/lib",          "usr/lib64",   "usr/sbin",
                                       "usr/local/bin", "etc/alternatives", "opt/app/lib", "run"};
    struct temp_host *t;

    if (temp_open(state) < 0)
        return -1;
    t = *state;
    assert_int_equal(fchmod(t->h.root_fd, 0755), 0);
    for (size_t i = 0; i < SP_COUNT(dirs); i++)
        temp_make_dir(t, dirs[i]);
    put_link(t, "usr/bin", "bin");
    put_link(t, "usr/lib", "lib");
    put_link(t, "usr/lib64", "lib64");
    put_elf(t, "usr/lib/ld-2.so", &(struct elf_make){.soname = "ld.so"});
    put_link(t, "/lib/ld-2.so", "usr/lib64/ld.so");
    put_elf(t, "usr/lib/libc.so.6", &(struct elf_make){.soname = "libc.so.6"});
    put_elf(t, "usr/bin/dash", &(struct elf_make){.interp = "/lib64/ld.so", .needed = {"libc.so.6"}});
    put_link(t, "dash", "usr/bin/sh");
    return 0;
}

struct promise {
    enum sp_profile_kind kind;
    const char *value;
    bool optional;
};

static int collect(struct temp_host *t, const struct promise *promises, size_t n, struct sp_manifest *m,
                   struct sp_error *err)
{
    struct sp_profile_item items[8];
    struct sp_profile profile = {.name = "test", .items = items, .n_items = n};
    const struct sp_profile *one = &profile;

    for (size_t i = 0; i < n; i++)
        items[i] = (struct sp_profile_item){
            .kind = promises[i].kind, .optional = promises[i].optional, .value = (char *)promises[i].value};
    return sp_closure_collect(&t->h, &one, 1, m, err);
}

#define COLLECT(t, m, ...)                                                                                 \
    do {                                                                                                   \
        const struct promise promises_[] = {__VA_ARGS__};                                                  \
        struct sp_error err_ = {0};                                                                        \
        assert_int_equal(collect(t, promises_, SP_COUNT(promises_), m, &err_), 0);                         \
    } while (0)

static int has(const struct sp_manifest *m, enum sp_manifest_kind kind, const char *path)
{
    const struct sp_manifest_entry *e = sp_manifest_find(m, path);

    return e != NULL && e->kind == kind;
}

static void a_program_brings_its_links_loader_and_libraries(void **state)
{
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};

    COLLECT(*state, &m, {SP_PROFILE_PROGRAM, "sh", false});
    assert_true(has(&m, SP_MANIFEST_LINK, "usr/bin/sh"));
    assert_true(has(&m, SP_MANIFEST_FILE, "usr/bin/dash"));
    assert_true(has(&m, SP_MANIFEST_LINK, "usr/lib64/ld.so"));
    assert_true(has(&m, SP_MANIFEST_FILE, "usr/lib/ld-2.so"));
    assert_true(has(&m, SP_MANIFEST_FILE, "usr/lib/libc.so.6"));
    assert_true(has(&m, SP_MANIFEST_ABSENT, "usr/local/bin/sh"));
    assert_string_equal(m.missing, "");
}

static void origin_and_inherited_rpath_are_followed(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};

    temp_make_dir(t, "usr/lib/app/deep");
    put_elf(t, "usr/bin/app",
            &(struct elf_make){
                .interp = "/lib64/ld.so", .rpath = "$ORIGIN/../lib/app", .needed = {"libone.so"}});
    put_elf(t, "usr/lib/app/libone.so", &(struct elf_make){.needed = {"libtwo.so", "libthree.so"}});
    put_elf(t, "usr/lib/app/libtwo.so",
            &(struct elf_make){.runpath = "${ORIGIN}/deep", .needed = {"libfour.so"}});
    put_elf(t, "usr/lib/app/libthree.so", &(struct elf_make){0});
    put_elf(t, "usr/lib/app/deep/libfour.so", &(struct elf_make){.needed = {"libfive.so"}});
    put_elf(t, "usr/lib/app/deep/libfive.so", &(struct elf_make){0});
    COLLECT(t, &m, {SP_PROFILE_PROGRAM, "app", false});
    assert_true(has(&m, SP_MANIFEST_FILE, "usr/lib/app/libthree.so"));
    assert_true(has(&m, SP_MANIFEST_FILE, "usr/lib/app/deep/libfour.so"));
    /* A RUNPATH is for its own object alone: libfour's need is not met by libtwo's. */
    assert_false(has(&m, SP_MANIFEST_FILE, "usr/lib/app/deep/libfive.so"));
    assert_string_equal(m.missing, "libfive.so");
}

static void a_tree_that_is_shown_is_not_copied_but_what_it_needs_of_usr_is(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    char dest[PATH_MAX];

    temp_make_dir(t, "opt/tool/lib");
    temp_make_dir(t, "opt/tool/bin");
    put_elf(
        t, "opt/tool/bin/tool",
        &(struct elf_make){.interp = "/lib64/ld.so", .rpath = "$ORIGIN/../lib", .needed = {"libown.so"}});
    put_elf(t, "opt/tool/lib/libown.so", &(struct elf_make){.needed = {"libfar.so"}});
    put_elf(t, "opt/tool/lib/module.so", &(struct elf_make){.needed = {"libnear.so"}});
    temp_put(t, "opt/tool/lib/notes", "text", 0644);
    put_elf(t, "usr/lib/libfar.so", &(struct elf_make){0});
    put_elf(t, "usr/lib/libnear.so", &(struct elf_make){0});
    COLLECT(t, &m, {SP_PROFILE_PROGRAM, "/opt/tool/bin/tool", false},
            {SP_PROFILE_MOUNT, "/opt/tool", false}, {SP_PROFILE_MOUNT, "/opt/none", false});
    assert_true(has(&m, SP_MANIFEST_FILE, "usr/lib/libfar.so"));
    assert_true(has(&m, SP_MANIFEST_FILE, "usr/lib/libnear.so"));
    /* Watched, so that a new version is noticed, but without a place in the generation. */
    assert_true(has(&m, SP_MANIFEST_FILE, "opt/tool/bin/tool"));
    assert_true(has(&m, SP_MANIFEST_FILE, "opt/tool/lib/module.so"));
    assert_true(has(&m, SP_MANIFEST_DIR, "opt/tool/lib"));
    assert_false(has(&m, SP_MANIFEST_FILE, "opt/tool/lib/notes"));
    for (size_t i = 0; i < m.n; i++)
        if (strncmp(m.entries[i].path, "opt", 3) == 0)
            assert_int_equal(sp_manifest_dest(m.entries[i].path, dest, sizeof(dest)), -1);
}

static void a_library_for_another_machine_is_passed_over(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};

    put_elf(t, "usr/lib64/libx.so", &(struct elf_make){.machine = EM_AARCH64});
    put_elf(t, "usr/lib/libx.so", &(struct elf_make){0});
    COLLECT(t, &m, {SP_PROFILE_PROGRAM, "sh", false}, {SP_PROFILE_LIBRARY, "libx.so", false});
    assert_true(has(&m, SP_MANIFEST_FILE, "usr/lib/libx.so"));
    assert_false(has(&m, SP_MANIFEST_FILE, "usr/lib64/libx.so"));
}

static void a_script_brings_its_interpreter_and_what_env_finds(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};

    put_elf(t, "usr/bin/env", &(struct elf_make){.interp = "/lib64/ld.so"});
    put_elf(t, "usr/bin/perl", &(struct elf_make){.interp = "/lib64/ld.so"});
    temp_put(t, "usr/bin/one", "#! /bin/sh -e\n", 0755);
    temp_put(t, "usr/bin/two", "#!/usr/bin/env perl\n", 0755);
    temp_put(t, "usr/bin/three", "#!", 0755);
    COLLECT(t, &m, {SP_PROFILE_PROGRAM, "one", false}, {SP_PROFILE_PROGRAM, "two", false},
            {SP_PROFILE_PROGRAM, "three", false});
    assert_true(has(&m, SP_MANIFEST_LINK, "usr/bin/sh") && has(&m, SP_MANIFEST_FILE, "usr/bin/dash"));
    assert_true(has(&m, SP_MANIFEST_FILE, "usr/bin/env") && has(&m, SP_MANIFEST_FILE, "usr/bin/perl"));
}

static void alternatives_are_kept_as_links(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};

    put_elf(t, "usr/bin/mawk", &(struct elf_make){.interp = "/lib64/ld.so"});
    put_link(t, "/etc/alternatives/awk", "usr/bin/awk");
    put_link(t, "/usr/bin/mawk", "etc/alternatives/awk");
    COLLECT(t, &m, {SP_PROFILE_PROGRAM, "awk", false});
    assert_true(has(&m, SP_MANIFEST_LINK, "usr/bin/awk") &&
                has(&m, SP_MANIFEST_LINK, "etc/alternatives/awk"));
    assert_true(has(&m, SP_MANIFEST_FILE, "usr/bin/mawk"));
}

static void what_others_may_not_read_is_never_taken(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    struct sp_error err = {0};
    const struct promise closed = {SP_PROFILE_PROGRAM, "closed", false};

    temp_make_dir(t, "etc/ssl/private");
    temp_make_dir(t, "etc/ssh");
    temp_put(t, "etc/ssl/private/key", "secret", 0644);
    temp_put(t, "etc/ssl/cert", "public", 0644);
    temp_put(t, "etc/ssl/half", "secret", 0640);
    temp_put(t, "etc/shadow", "secret", 0644);
    temp_put(t, "etc/passwd", "names", 0644);
    temp_put(t, "etc/machine-id", "id", 0444);
    temp_put(t, "etc/ssh/ssh_host_rsa_key", "secret", 0644);
    temp_put(t, "usr/bin/closed", "#!/bin/sh\n", 0750);
    put_link(t, "ssl/private/key", "etc/way-in");
    put_link(t, "shadow", "etc/other-way-in");
    assert_int_equal(fchmodat(t->h.root_fd, "etc/ssl/private", 0710, 0), 0);
    COLLECT(t, &m, {SP_PROFILE_TREE, "/etc", false});
    assert_true(has(&m, SP_MANIFEST_FILE, "etc/ssl/cert"));
    for (size_t i = 0; i < m.n; i++) {
        assert_null(strstr(m.entries[i].path, "private/key"));
        assert_null(strstr(m.entries[i].path, "half"));
        assert_null(strstr(m.entries[i].path, "shadow"));
        assert_null(strstr(m.entries[i].path, "way-in"));
        assert_null(strstr(m.entries[i].path, "passwd"));
        assert_null(strstr(m.entries[i].path, "machine-id"));
        assert_null(strstr(m.entries[i].path, "ssh_host"));
    }
    assert_int_equal(collect(t, &closed, 1, &m, &err), -1);
    assert_int_equal(err.code, SP_E_NOT_FOUND);
}

static void a_tree_takes_files_links_and_where_they_lead_but_no_devices(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};

    temp_make_dir(t, "usr/share/tree/empty");
    temp_make_dir(t, "usr/share/other");
    temp_put(t, "usr/share/tree/file", "x", 0644);
    temp_put(t, "usr/share/other/in", "x", 0644);
    put_link(t, "../other", "usr/share/tree/to-dir");
    put_link(t, "..", "usr/share/tree/up");
    put_link(t, "/nowhere", "usr/share/tree/dangling");
    put_link(t, "loop", "usr/share/tree/loop");
    assert_int_equal(mkfifoat(t->h.root_fd, "usr/share/tree/fifo", 0666), 0);
    put_elf(t, "usr/share/tree/mod.so", &(struct elf_make){.needed = {"libc.so.6", "libgone.so"}});
    COLLECT(t, &m, {SP_PROFILE_TREE, "/usr/share/tree", false});
    assert_true(has(&m, SP_MANIFEST_DIR, "usr/share/tree") &&
                has(&m, SP_MANIFEST_DIR, "usr/share/tree/empty"));
    assert_true(has(&m, SP_MANIFEST_FILE, "usr/share/tree/file") &&
                has(&m, SP_MANIFEST_FILE, "usr/share/other/in"));
    assert_true(has(&m, SP_MANIFEST_LINK, "usr/share/tree/to-dir") &&
                has(&m, SP_MANIFEST_LINK, "usr/share/tree/up"));
    assert_null(sp_manifest_find(&m, "usr/share/tree/fifo"));
    assert_null(sp_manifest_find(&m, "usr/share/tree/dangling"));
    assert_null(sp_manifest_find(&m, "usr/share/tree/loop"));
    assert_null(sp_manifest_find(&m, "usr/share"));
    assert_true(has(&m, SP_MANIFEST_FILE, "usr/lib/libc.so.6"));
    /* What a tree's own modules lack is not a promise broken. */
    assert_string_equal(m.missing, "");
}

static void a_link_to_elsewhere_becomes_what_it_leads_to(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    const struct sp_manifest_entry *e;

    temp_put(t, "run/stub.conf", "nameserver 127.0.0.53\n", 0644);
    put_link(t, "../run/stub.conf", "etc/resolv.conf");
    COLLECT(t, &m, {SP_PROFILE_TREE, "/etc/resolv.conf", false});
    e = sp_manifest_find(&m, "etc/resolv.conf");
    assert_true(e != NULL && e->kind == SP_MANIFEST_CONTENT);
    assert_string_equal(e->extra, "run/stub.conf");
    assert_int_equal(strlen(e->digest), 64);
}

static void what_is_missing_is_named_or_refused(void **state)
{
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};
    const struct promise must = {SP_PROFILE_PROGRAM, "nosuch", false};
    struct sp_error err = {0};

    COLLECT(*state, &m, {SP_PROFILE_PROGRAM, "sh", false}, {SP_PROFILE_PROGRAM, "gone", true},
            {SP_PROFILE_LIBRARY, "libgone.so", true}, {SP_PROFILE_TREE, "/usr/share/gone", true});
    assert_string_equal(m.missing, "gone libgone.so");
    assert_true(has(&m, SP_MANIFEST_ABSENT, "usr/bin/gone"));
    assert_true(has(&m, SP_MANIFEST_ABSENT, "usr/share"));
    assert_int_equal(collect(*state, &must, 1, &m, &err), -1);
    assert_int_equal(err.code, SP_E_NOT_FOUND);
    assert_string_equal(err.field, "profiles.test");
    assert_non_null(strstr(err.text, "nosuch"));
}

static void a_hostile_file_in_a_tree_is_only_copied(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};

    temp_make_dir(t, "usr/share/tree");
    put_elf(t, "usr/share/tree/a.so",
            &(struct elf_make){.interp = "/opt/evil", .needed = {"../../etc/passwd", "/opt/x"}});
    temp_put(t, "usr/share/tree/b.so", "\177ELF\002\001", 0755);
    temp_put(t, "usr/share/tree/name\nwith newline", "x", 0644);
    COLLECT(t, &m, {SP_PROFILE_TREE, "/usr/share/tree", false});
    assert_true(has(&m, SP_MANIFEST_FILE, "usr/share/tree/a.so") &&
                has(&m, SP_MANIFEST_FILE, "usr/share/tree/b.so"));
    for (size_t i = 0; i < m.n; i++)
        assert_null(strchr(m.entries[i].path, '\n'));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_host, temp_close)

static void a_link_of_a_profile_is_made_whatever_the_host_has(void **state)
{
    struct temp_host *t = *state;
    _cleanup_(sp_manifest_clear) struct sp_manifest m = {0};

    temp_put(t, "usr/bin/lang8.4", "text", 0755);
    temp_put(t, "usr/bin/lang8.2", "text", 0755);
    put_link(t, "lang8.4", "usr/bin/lang");
    COLLECT(t, &m, {SP_PROFILE_PROGRAM, "lang", false}, {SP_PROFILE_PROGRAM, "lang8.2", false},
            {SP_PROFILE_LINK, "/usr/bin/lang lang8.2", false});
    assert_true(has(&m, SP_MANIFEST_MADE, "usr/bin/lang"));
    assert_string_equal(sp_manifest_find(&m, "usr/bin/lang")->extra, "lang8.2");
    assert_true(has(&m, SP_MANIFEST_FILE, "usr/bin/lang8.2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_program_brings_its_links_loader_and_libraries),
        TEST(origin_and_inherited_rpath_are_followed),
        TEST(a_tree_that_is_shown_is_not_copied_but_what_it_needs_of_usr_is),
        TEST(a_library_for_another_machine_is_passed_over),
        TEST(a_script_brings_its_interpreter_and_what_env_finds),
        TEST(alternatives_are_kept_as_links),
        TEST(what_others_may_not_read_is_never_taken),
        TEST(a_tree_takes_files_links_and_where_they_lead_but_no_devices),
        TEST(a_link_to_elsewhere_becomes_what_it_leads_to),
        TEST(what_is_missing_is_named_or_refused),
        TEST(a_hostile_file_in_a_tree_is_only_copied),
        TEST(a_link_of_a_profile_is_made_whatever_the_host_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
