/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Linked statically: the least that a process can cost. */
int main(void)
{
    return 0;
}
