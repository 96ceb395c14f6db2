/*
 * buf - bytes that grow; text is kept NUL-terminated.
 *
 *     own(buf) struct buf b = { 0 };
 *     buf_printf(&b, "%u rules\n", n);
 *     fwrite(b.at, 1, b.len, stdout);
 */
#ifndef TEG_BASE_BUF_H
#define TEG_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "lang/base/own.h"

struct buf {
	char *at;
	size_t len, room;
};

void buf_release(struct buf *b);

void buf_add(struct buf *b, const void *bytes, size_t len);
/* Room for as much more and not a byte beyond it, for what is long and known. */
void buf_reserve(struct buf *b, size_t more);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
/* In decimal digits: what "%llu" says, in a tenth of its time. */
void buf_number(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args);

/* The text so far, never NULL. */
const char *buf_text(const struct buf *b);

static inline void buf_own_(struct buf *b)
{
	buf_release(b);
}

#endif
