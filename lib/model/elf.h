/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the dynamic loader would read of an ELF file, elf(5): interpreter, needed libraries, search paths.
 * Nothing is ever executed: ldd(1) hands control to a hostile PT_INTERP, this does not. Every offset is
 * checked against the bytes that are there, and every count is bounded, so that a hostile file costs a few
 * kilobytes and a refusal.
 */
#ifndef SP_MODEL_ELF_H
#define SP_MODEL_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct sp_elf {
    bool is64;
    bool big_endian;
    uint16_t machine; /* EM_X86_64, ... */
    char *interp;     /* PT_INTERP, or NULL; owned, as all strings here */
    char *soname;
    char *rpath;   /* DT_RPATH, colon-separated, $ORIGIN not expanded; NULL when absent */
    char *runpath; /* DT_RUNPATH */
    char **needed; /* DT_NEEDED in order */
    size_t n_needed;
};

/* Fill buf with exactly len bytes from offset; 0, or -1 when the file has not got them. */
typedef int (*sp_elf_read_fn)(void *ctx, uint64_t offset, void *buf, size_t len);

void sp_elf_clear(struct sp_elf *e);

/* SP_E_INVALID when it is no ELF file or a broken one, SP_E_NO_MEMORY; *ret is then empty. A statically
 * linked file is one without interpreter and needed libraries. */
int sp_elf_parse(sp_elf_read_fn read, void *ctx, struct sp_elf *ret, struct sp_error *err);

/* The same of bytes in memory; they are borrowed for the call only. */
int sp_elf_parse_bytes(const void *bytes, size_t len, struct sp_elf *ret, struct sp_error *err);

/* Would the loader take b as a library of a? Same class, byte order and machine. */
bool sp_elf_fits(const struct sp_elf *a, const struct sp_elf *b);

#endif
