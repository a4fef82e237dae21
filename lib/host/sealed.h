/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A process that can do nothing but compute on the bytes it is given: for parsers of what strangers sent.
 */
#ifndef SP_HOST_SEALED_H
#define SP_HOST_SEALED_H

/* In a forked child of one thread, whose descriptors are already those that it needs. Afterwards it is
 * nobody, in no group, with no capability, little memory and time, and any system call but read, write,
 * close, exit and those that give memory ends it (seccomp(2)). 0, or -1 with errno: then it must not go on.
 * Run by somebody who is not root it stays who it is. */
int sp_sealed_enter(void);

#endif
