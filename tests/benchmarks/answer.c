/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Linked statically: the least that an answer over a socket can cost. Takes the request, answers something.
 */
#include <unistd.h>

int main(void)
{
    static const char answer[] = "{\"result\":{}}\n";
    char request[4096];

    while (read(0, request, sizeof(request)) > 0)
        ;
    return write(1, answer, sizeof(answer) - 1) != sizeof(answer) - 1;
}
