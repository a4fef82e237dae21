/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ELF files that hold nothing but what the loader reads: one segment, a dynamic section, its strings. */
#ifndef SP_TESTS_ELFMAKE_H
#define SP_TESTS_ELFMAKE_H

#include <elf.h>
#include <string.h>

struct elf_make {
    const char *interp, *soname, *rpath, *runpath, *needed[4];
    Elf64_Half machine; /* 0: x86_64 */
};

struct elf_bytes {
    Elf64_Ehdr ehdr;
    Elf64_Phdr phdr[3];
    Elf64_Dyn dyn[12];
    char strings[512]; /* at its end: the interpreter */
};

static size_t elf_string(struct elf_bytes *b, size_t *used, const char *s)
{
    size_t at = *used;

    memcpy(b->strings + at, s, strlen(s) + 1);
    *used += strlen(s) + 1;
    return at;
}

static void elf_make(const struct elf_make *m, struct elf_bytes *b)
{
    const struct {
        Elf64_Sxword tag;
        const char *value;
    } names[] = {
        {DT_NEEDED, m->needed[0]}, {DT_NEEDED, m->needed[1]}, {DT_NEEDED, m->needed[2]},
        {DT_NEEDED, m->needed[3]}, {DT_SONAME, m->soname},    {DT_RPATH, m->rpath},
        {DT_RUNPATH, m->runpath},
    };
    const Elf64_Addr base = 0x400000;
    size_t used = 1, n = 0, interp;

    memset(b, 0, sizeof(*b));
    memcpy(b->ehdr.e_ident, ELFMAG, SELFMAG);
    b->ehdr.e_ident[EI_CLASS] = ELFCLASS64;
    b->ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
    b->ehdr.e_type = ET_DYN;
    b->ehdr.e_machine = m->machine != 0 ? m->machine : EM_X86_64;
    b->ehdr.e_phoff = offsetof(struct elf_bytes, phdr);
    b->ehdr.e_phentsize = sizeof(Elf64_Phdr);
    b->ehdr.e_phnum = m->interp != NULL ? 3 : 2;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].value != NULL)
            b->dyn[n++] =
                (Elf64_Dyn){.d_tag = names[i].tag, .d_un.d_val = elf_string(b, &used, names[i].value)};
    interp = elf_string(b, &used, m->interp != NULL ? m->interp : "");
    b->dyn[n++] = (Elf64_Dyn){.d_tag = DT_STRTAB, .d_un.d_ptr = base + offsetof(struct elf_bytes, strings)};
    b->dyn[n++] = (Elf64_Dyn){.d_tag = DT_STRSZ, .d_un.d_val = interp};
    b->phdr[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = base, .p_filesz = sizeof(*b)};
    b->phdr[1] = (Elf64_Phdr){
        .p_type = PT_DYNAMIC, .p_offset = offsetof(struct elf_bytes, dyn), .p_filesz = sizeof(b->dyn)};
    b->phdr[2] = (Elf64_Phdr){.p_type = PT_INTERP,
                              .p_offset = offsetof(struct elf_bytes, strings) + interp,
                              .p_filesz = used - interp};
}

#endif
