/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cmd/tone.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

#define BAR 24
#define REDRAW_MS 100

bool sp_tone_wanted(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return (no == NULL || no[0] == '\0') && (term == NULL || !sp_streq(term, "dumb"));
}

/* ECMA-48, "select graphic rendition": the colours every terminal has. */
const char *sp_tone(enum sp_tone tone, FILE *to)
{
    static const char *const begin[] = {[SP_TONE_PLAIN] = "\033[0m",
                                        [SP_TONE_GOOD] = "\033[32m",
                                        [SP_TONE_BAD] = "\033[31m",
                                        [SP_TONE_WARN] = "\033[33m",
                                        [SP_TONE_STRONG] = "\033[1m"};

    return isatty(fileno(to)) && sp_tone_wanted() ? begin[tone] : "";
}

static int columns(void)
{
    struct winsize size = {0};

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static bool is_due(long long *last_ms)
{
    struct timespec now = {0};
    long long ms;

    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    ms = (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (*last_ms != 0 && ms - *last_ms < REDRAW_MS)
        return false;
    *last_ms = ms;
    return true;
}

void sp_progress(size_t done, size_t all, const char *what, void *last_ms)
{
    char bar[BAR + 1] = "", text[128] = "";
    size_t filled = all > 0 ? done * BAR / all : 0;
    int room;

    if (all < 2 || (done < all && !is_due(last_ms)) || !isatty(STDERR_FILENO))
        return;
    if (done >= all) {
        (void)fprintf(stderr, "\r\033[K");
        return;
    }
    room = columns() - BAR - 24;
    for (size_t i = 0; i < BAR; i++)
        bar[i] = i < filled ? '#' : '.';
    (void)sp_str_format(text, sizeof(text), "%.*s", room > 0 && room < 100 ? room : 0, what);
    sp_str_make_printable(text);
    (void)fprintf(stderr, "\r\033[K[%s] %zu/%zu %s", bar, done, all, text);
    (void)fflush(stderr);
}
