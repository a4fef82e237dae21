/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The value of each character plus one; 0 is no character of base64. */
static const uint8_t value[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

/* `n` characters (2 to 4) of one group give n - 1 bytes; the bits behind them must be zero. */
static int decode_group(const unsigned char *s, size_t n, uint8_t *out)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 4; i++) {
        unsigned v = i < n ? value[s[i]] : 1;
        if (v == 0)
            return -1;
        bits = bits << 6 | (v - 1);
    }
    for (size_t i = 0; i < 3; i++) {
        uint8_t byte = (uint8_t)(bits >> (16 - 8 * i));
        if (i < n - 1)
            out[i] = byte;
        else if (byte != 0)
            return -1;
    }
    return 0;
}

int sp_base64_decode(const char *text, size_t len, uint8_t *out, size_t *ret_len)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t pad = 0, n = 0;

    if (len % 4 != 0)
        return -1;
    while (pad < 2 && pad < len && s[len - 1 - pad] == '=')
        pad++;
    for (size_t i = 0; i < len; i += 4) {
        size_t chars = i + 4 == len ? 4 - pad : 4;
        if (decode_group(s + i, chars, out + n) < 0)
            return -1;
        n += chars - 1;
    }
    *ret_len = n;
    return 0;
}

bool sp_base64_is_char(char c)
{
    return value[(unsigned char)c] != 0;
}

size_t sp_base64_decode_some(const char *text, size_t len, uint8_t *out)
{
    uint32_t bits = 0;
    size_t n = 0, i;

    for (i = 0; i < len && sp_base64_is_char(text[i]); i++) {
        bits = bits << 6 | (value[(unsigned char)text[i]] - 1U);
        if (i % 4 != 0) /* 6 bits have none whole, 12 one, 18 two, 24 three */
            out[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    return n;
}

void sp_base64_encode(const uint8_t *bytes, size_t len, struct sp_buf *out)
{
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t bits = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                        (left > 2 ? bytes[i + 2] : 0);
        char group[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63],
                         left > 1 ? alphabet[bits >> 6 & 63] : '=', left > 2 ? alphabet[bits & 63] : '='};
        sp_buf_add(out, group, sizeof(group));
    }
}
