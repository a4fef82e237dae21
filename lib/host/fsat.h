/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files by descriptor. A path is walked once, below a directory fd that is already held, and never resolved
 * again: openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS, or component by
 * component with O_NOFOLLOW where the kernel has no openat2. All descriptors are O_CLOEXEC. Paths here are
 * relative; a leading '/' is dropped ("/etc/passwd" below root_fd), and ".." is SP_E_UNSAFE_PATH.
 */
#ifndef SP_HOST_FSAT_H
#define SP_HOST_FSAT_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

enum sp_fsat_flags {
    SP_FSAT_NONE = 0,
    SP_FSAT_NO_XDEV = 1 << 0, /* RESOLVE_NO_XDEV: do not cross a mount */
    SP_FSAT_FOLLOW = 1 << 1,  /* follow links, still beneath dirfd (RESOLVE_IN_ROOT): for the host's own
                                 files only (/etc/resolv.conf) */
};

/* open(2) flags as usual; returns the fd or -1 with err: SP_E_NOT_FOUND (ENOENT), SP_E_UNSAFE_PATH (a link
 * or a mount in the way: ELOOP, EXDEV, ENOTDIR), SP_E_IO else. err->text names the path. */
int sp_fsat_open(int dirfd, const char *path, int open_flags, mode_t mode, enum sp_fsat_flags flags,
                 struct sp_error *err);

/* A directory for walking and fsync. */
int sp_fsat_open_dir(int dirfd, const char *path, enum sp_fsat_flags flags, struct sp_error *err);

/* Make every missing component with `mode` (exact, umask notwithstanding), owned by the caller, and open
 * the last. Existing ones must be directories. Each new entry's parent is fsynced. */
int sp_fsat_make_dirs(int dirfd, const char *path, mode_t mode, struct sp_error *err);

/* Read a whole regular file, at most max bytes: O_NONBLOCK, S_ISREG (a FIFO, socket or device is
 * SP_E_UNSAFE_PATH, at once). ret_st (may be NULL) is the fstat of what was read. */
int sp_fsat_read(int dirfd, const char *path, size_t max, struct sp_buf *out, struct stat *ret_st,
                 struct sp_error *err);

/* The same for a file that is open already; `path` is for the texts only. */
int sp_fsat_read_fd(int fd, const char *path, size_t max, struct sp_buf *out, struct stat *ret_st,
                    struct sp_error *err);

/* 1: it is there; 0: it is not, or something of another kind is in the way; -1 with err: nobody could look
 * (sp_error_is_blind()). */
int sp_fsat_look(int dirfd, const char *path, struct sp_error *err);

/* True if path exists beneath dirfd without a link in the way; any failure is false. */
bool sp_fsat_exists(int dirfd, const char *path);

/* It is known that nothing is there. Where the host could not look, neither this nor sp_fsat_exists()
 * holds. */
bool sp_fsat_is_missing(int dirfd, const char *path);

/* A directory to be read by sp_fsat_next(): the caller's, with its descriptor (_cleanup_closedir_). NULL as
 * sp_fsat_open_dir() is -1. */
DIR *sp_fsat_list(int dirfd, const char *path, enum sp_fsat_flags flags, struct sp_error *err);

/* readdir(3) that tells its end from an error: 1 and an entry, 0, or -1. Nothing found is an answer, too.
 */
int sp_fsat_next(DIR *dir, const char *path, const struct dirent **ret, struct sp_error *err);

/* Remove a file or a whole directory below dirfd, without recursion of the C stack, by openat/unlinkat,
 * bounded fds, never across a mount (mount ids compared) and never through a link. A missing name is
 * success. */
int sp_fsat_remove_tree(int dirfd, const char *name, struct sp_error *err);

/* Remove a directory if it is empty. One that is missing, in use or not empty is success. */
int sp_fsat_remove_empty(int dirfd, const char *name, struct sp_error *err);

#endif
