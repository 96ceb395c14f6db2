/*
 * utf8 - is it text?
 */
#ifndef TEG_BASE_UTF8_H
#define TEG_BASE_UTF8_H

#include <stddef.h>

#include "lang/base/buf.h"

/* The length in bytes (1 to 4) of the character at `at`, as RFC 3629 has it; 0 when it is none. */
size_t utf8_length(const char *at, size_t left);

/* The bytes of a byte order mark that begins the text, which is no text: 3 or 0. */
size_t utf8_mark(const char *text, size_t len);

/* Appends the text; what is no character becomes U+FFFD. */
void utf8_add_clean(struct buf *out, const char *text);

/* Appends it as a JSON string, quotes and escapes included (RFC 8259), cleaned in the same way. */
void utf8_add_json(struct buf *out, const char *text);

#endif
