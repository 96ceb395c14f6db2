#include "lang/base/utf8.h"

#include <stdint.h>
#include <string.h>

/* RFC 3629, section 4: the second byte's bounds keep out overlong forms, surrogates and beyond U+10FFFF. */
static const struct {
	uint8_t first_lo, first_hi, second_lo, second_hi;
	size_t bytes;
} forms[] = {
	{ 0x00, 0x7f, 0x00, 0x00, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

size_t utf8_mark(const char *text, size_t len)
{
	return len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

size_t utf8_length(const char *at, size_t left)
{
	const uint8_t *b = (const uint8_t *)at;

	for (size_t i = 0; left && i < sizeof forms / sizeof *forms; i++) {
		if (b[0] < forms[i].first_lo || b[0] > forms[i].first_hi)
			continue;
		if (forms[i].bytes > left)
			return 0;
		if (forms[i].bytes > 1 && (b[1] < forms[i].second_lo || b[1] > forms[i].second_hi))
			return 0;
		for (size_t k = 2; k < forms[i].bytes; k++)
			if (b[k] < 0x80 || b[k] > 0xbf)
				return 0;
		return forms[i].bytes;
	}
	return 0;
}

void utf8_add_clean(struct buf *out, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		size_t len = utf8_length(text, left);

		if (len)
			buf_add(out, text, len);
		else
			buf_puts(out, "\xef\xbf\xbd");
		text += len ? len : 1;
		left -= len ? len : 1;
	}
}

void utf8_add_json(struct buf *out, const char *text)
{
	own(buf) struct buf clean = { 0 };

	utf8_add_clean(&clean, text);
	buf_putc(out, '"');
	for (const char *c = buf_text(&clean); *c; c++) {
		if (*c == '"' || *c == '\\')
			buf_putc(out, '\\');
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			buf_printf(out, "\\u%04x", (unsigned char)*c);
		else
			buf_putc(out, *c);
	}
	buf_putc(out, '"');
}
