#include "lang/base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lang/base/memory.h"

void buf_release(struct buf *b)
{
	memory_release(b->at);
	*b = (struct buf){ 0 };
}

static void buf_make_room(struct buf *b, size_t more)
{
	if (b->room - b->len > more)
		return;

	size_t room = b->room ? b->room : 256;
	while (room - b->len <= more)
		room *= 2;
	b->at = memory_resized(b->at, room);
	b->room = room;
}

void buf_reserve(struct buf *b, size_t more)
{
	if (b->room - b->len > more)
		return;
	b->room = b->len + more + 1;
	b->at = memory_resized(b->at, b->room);
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
	buf_make_room(b, len);
	if (len)
		memcpy(b->at + b->len, bytes, len);
	b->len += len;
	b->at[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_make_room(b, 1);
	b->at[b->len++] = c;
	b->at[b->len] = '\0';
}

void buf_number(struct buf *b, uint64_t v)
{
	char digits[20], *at = digits + sizeof digits;

	do
		*--at = (char)('0' + v % 10);
	while (v /= 10);
	buf_add(b, at, (size_t)(digits + sizeof digits - at));
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
	va_list again;

	buf_make_room(b, 1);
	va_copy(again, args);
	const size_t room = b->room - b->len, len = (size_t)vsnprintf(b->at + b->len, room, format, again);
	va_end(again);

	if (len >= room) {
		buf_make_room(b, len);
		vsnprintf(b->at + b->len, len + 1, format, args);
	}
	b->len += len;
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(b, format, args);
	va_end(args);
}

const char *buf_text(const struct buf *b)
{
	return b->at ? b->at : "";
}
