/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/elf.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* No sane file comes near these; a hostile one stops at them. */
enum {
    MAX_PHDRS = 256,
    MAX_LOADS = 64,
    MAX_DYN = 4096,
    MAX_NEEDED = 1024,
    MAX_STRING = 4096,
    DYN_CHUNK = 64
};

struct load {
    uint64_t vaddr, offset, filesz;
};

struct dynamic {
    uint64_t strtab, strsz, soname, rpath, runpath;
    uint64_t needed[MAX_NEEDED];
    size_t n_needed;
    bool has_strtab, has_soname, has_rpath, has_runpath;
};

struct parser {
    sp_elf_read_fn read;
    void *ctx;
    bool is64, big_endian;
    struct load loads[MAX_LOADS];
    size_t n_loads;
    uint64_t dyn_offset, dyn_size;
    struct dynamic dyn;
    struct sp_error *err;
};

static int broken(struct parser *p, const char *what)
{
    return sp_fail(p->err, SP_E_INVALID, 0, "broken ELF file: %s", what);
}

void sp_elf_clear(struct sp_elf *e)
{
    free(e->interp);
    free(e->soname);
    free(e->rpath);
    free(e->runpath);
    for (size_t i = 0; i < e->n_needed; i++)
        free(e->needed[i]);
    free(e->needed);
    *e = (struct sp_elf){0};
}

bool sp_elf_fits(const struct sp_elf *a, const struct sp_elf *b)
{
    return a->is64 == b->is64 && a->big_endian == b->big_endian && a->machine == b->machine;
}

static uint64_t get(const struct parser *p, const unsigned char *at, size_t width)
{
    uint64_t v = 0;

    for (size_t i = 0; i < width; i++)
        v |= (uint64_t)at[p->big_endian ? width - 1 - i : i] << (8 * i);
    return v;
}

/* A field of one of the structures of elf.h, whichever class the file is of. */
#define FIELD(p, at, type, member)                                                                         \
    ((p)->is64 ? get(p, (at) + offsetof(Elf64_##type, member), sizeof(((Elf64_##type *)0)->member))        \
               : get(p, (at) + offsetof(Elf32_##type, member), sizeof(((Elf32_##type *)0)->member)))
#define SIZE(p, type) ((p)->is64 ? sizeof(Elf64_##type) : sizeof(Elf32_##type))

/* The string at offset, which ends with NUL within `room` bytes. */
static int get_string(struct parser *p, uint64_t offset, uint64_t room, char **ret)
{
    char buf[MAX_STRING];
    size_t n = room < sizeof(buf) ? (size_t)room : sizeof(buf);

    if (n == 0 || offset > UINT64_MAX - n || p->read(p->ctx, offset, buf, n) < 0)
        return broken(p, "a string lies outside of it");
    if (memchr(buf, '\0', n) == NULL)
        return broken(p, "a string does not end");
    free(*ret);
    *ret = strdup(buf);
    return *ret != NULL ? 0 : sp_fail(p->err, SP_E_NO_MEMORY, 0, "out of memory");
}

static int take_header(struct parser *p, unsigned char *hdr, struct sp_elf *ret)
{
    if (p->read(p->ctx, 0, hdr, EI_NIDENT) < 0 || memcmp(hdr, ELFMAG, SELFMAG) != 0)
        return sp_fail(p->err, SP_E_INVALID, 0, "not an ELF file");
    if (hdr[EI_CLASS] != ELFCLASS32 && hdr[EI_CLASS] != ELFCLASS64)
        return broken(p, "unknown class");
    if (hdr[EI_DATA] != ELFDATA2LSB && hdr[EI_DATA] != ELFDATA2MSB)
        return broken(p, "unknown byte order");
    ret->is64 = p->is64 = hdr[EI_CLASS] == ELFCLASS64;
    ret->big_endian = p->big_endian = hdr[EI_DATA] == ELFDATA2MSB;
    if (p->read(p->ctx, 0, hdr, SIZE(p, Ehdr)) < 0)
        return broken(p, "the header is cut off");
    ret->machine = (uint16_t)FIELD(p, hdr, Ehdr, e_machine);
    return 0;
}

static int take_segment(struct parser *p, const unsigned char *ph, struct sp_elf *ret)
{
    uint64_t offset = FIELD(p, ph, Phdr, p_offset);
    uint64_t filesz = FIELD(p, ph, Phdr, p_filesz);

    switch (FIELD(p, ph, Phdr, p_type)) {
    case PT_LOAD:
        if (p->n_loads == MAX_LOADS)
            return broken(p, "too many segments");
        p->loads[p->n_loads++] =
            (struct load){.vaddr = FIELD(p, ph, Phdr, p_vaddr), .offset = offset, .filesz = filesz};
        return 0;
    case PT_DYNAMIC:
        p->dyn_offset = offset;
        p->dyn_size = filesz;
        return 0;
    case PT_INTERP:
        return get_string(p, offset, filesz, &ret->interp);
    default:
        return 0;
    }
}

static int take_segments(struct parser *p, const unsigned char *hdr, struct sp_elf *ret)
{
    unsigned char table[MAX_PHDRS * sizeof(Elf64_Phdr)];
    uint64_t offset = FIELD(p, hdr, Ehdr, e_phoff);
    uint64_t n = FIELD(p, hdr, Ehdr, e_phnum);

    if (n == 0)
        return 0; /* an object file or a core of nothing: nothing to load */
    if (n > MAX_PHDRS || FIELD(p, hdr, Ehdr, e_phentsize) != SIZE(p, Phdr))
        return broken(p, "program header table");
    if (p->read(p->ctx, offset, table, n * SIZE(p, Phdr)) < 0)
        return broken(p, "the program headers are cut off");
    for (size_t i = 0; i < n; i++)
        if (take_segment(p, table + i * SIZE(p, Phdr), ret) < 0)
            return -1;
    return 0;
}

/* 1 at DT_NULL, 0 to go on, -1 broken. */
static int take_dyn(struct parser *p, uint64_t tag, uint64_t value)
{
    struct dynamic *d = &p->dyn;
    const struct {
        uint64_t tag;
        uint64_t *value;
        bool *has;
    } table[] = {
        {DT_STRTAB, &d->strtab, &d->has_strtab},    {DT_STRSZ, &d->strsz, NULL},
        {DT_SONAME, &d->soname, &d->has_soname},    {DT_RPATH, &d->rpath, &d->has_rpath},
        {DT_RUNPATH, &d->runpath, &d->has_runpath},
    };

    if (tag == DT_NULL)
        return 1;
    if (tag == DT_NEEDED) {
        if (d->n_needed == MAX_NEEDED)
            return broken(p, "too many needed libraries");
        d->needed[d->n_needed++] = value;
        return 0;
    }
    for (size_t i = 0; i < SP_COUNT(table); i++)
        if (table[i].tag == tag) {
            *table[i].value = value;
            if (table[i].has != NULL)
                *table[i].has = true;
        }
    return 0;
}

static int take_dynamic(struct parser *p)
{
    unsigned char chunk[DYN_CHUNK * sizeof(Elf64_Dyn)];
    size_t width = SIZE(p, Dyn);
    uint64_t n = p->dyn_size / width;

    if (p->dyn_offset > UINT64_MAX - p->dyn_size)
        return broken(p, "the dynamic section lies outside of it");
    for (uint64_t i = 0; i < n; i++) {
        size_t at = i % DYN_CHUNK, room = n - i < DYN_CHUNK ? (size_t)(n - i) : DYN_CHUNK;
        const unsigned char *dyn = chunk + at * width;
        int end;

        if (i == MAX_DYN)
            return broken(p, "the dynamic section does not end");
        if (at == 0 && p->read(p->ctx, p->dyn_offset + i * width, chunk, room * width) < 0)
            return broken(p, "the dynamic section is cut off");
        end = take_dyn(p, FIELD(p, dyn, Dyn, d_tag), FIELD(p, dyn, Dyn, d_un));
        if (end != 0)
            return end < 0 ? -1 : 0;
    }
    return 0;
}

/* DT_STRTAB is an address; the file has it where a loaded segment puts it. */
static int find_strings(struct parser *p, uint64_t *ret_offset)
{
    const struct dynamic *d = &p->dyn;

    for (size_t i = 0; i < p->n_loads; i++) {
        const struct load *l = &p->loads[i];
        uint64_t into = d->strtab - l->vaddr;

        if (d->strtab < l->vaddr || into >= l->filesz)
            continue;
        if (d->strsz > l->filesz - into || l->offset > UINT64_MAX - l->filesz)
            break;
        *ret_offset = l->offset + into;
        return 0;
    }
    return broken(p, "the string table lies outside of it");
}

/* The name at `at` in the string table that begins at `base` of the file. */
static int get_name(struct parser *p, uint64_t base, uint64_t at, char **ret)
{
    if (at >= p->dyn.strsz)
        return broken(p, "a name lies outside its string table");
    return get_string(p, base + at, p->dyn.strsz - at, ret);
}

static int take_strings(struct parser *p, struct sp_elf *ret)
{
    const struct dynamic *d = &p->dyn;
    uint64_t base = 0;

    if (!d->has_strtab)
        return d->n_needed == 0 ? 0 : broken(p, "no string table");
    if (find_strings(p, &base) < 0 || (d->has_soname && get_name(p, base, d->soname, &ret->soname) < 0) ||
        (d->has_rpath && get_name(p, base, d->rpath, &ret->rpath) < 0) ||
        (d->has_runpath && get_name(p, base, d->runpath, &ret->runpath) < 0))
        return -1;
    ret->needed = calloc(d->n_needed + 1, sizeof(*ret->needed));
    if (ret->needed == NULL)
        return sp_fail(p->err, SP_E_NO_MEMORY, 0, "out of memory");
    for (; ret->n_needed < d->n_needed; ret->n_needed++)
        if (get_name(p, base, d->needed[ret->n_needed], &ret->needed[ret->n_needed]) < 0)
            return -1;
    return 0;
}

int sp_elf_parse(sp_elf_read_fn read, void *ctx, struct sp_elf *ret, struct sp_error *err)
{
    struct parser p = {.read = read, .ctx = ctx, .err = err};
    unsigned char hdr[sizeof(Elf64_Ehdr)];

    *ret = (struct sp_elf){0};
    if (take_header(&p, hdr, ret) == 0 && take_segments(&p, hdr, ret) == 0 && take_dynamic(&p) == 0 &&
        take_strings(&p, ret) == 0)
        return 0;
    sp_elf_clear(ret);
    return -1;
}

struct memory {
    const unsigned char *bytes;
    size_t len;
};

static int read_memory(void *ctx, uint64_t offset, void *buf, size_t len)
{
    const struct memory *m = ctx;

    if (offset > m->len || len > m->len - (size_t)offset)
        return -1;
    memcpy(buf, m->bytes + offset, len);
    return 0;
}

int sp_elf_parse_bytes(const void *bytes, size_t len, struct sp_elf *ret, struct sp_error *err)
{
    struct memory m = {.bytes = bytes, .len = len};

    return sp_elf_parse(read_memory, &m, ret, err);
}
