/* hex - what a hexadecimal digit is worth, of either case; -1 of what is none. */
#ifndef TEG_BASE_HEX_H
#define TEG_BASE_HEX_H

static inline int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

#endif
