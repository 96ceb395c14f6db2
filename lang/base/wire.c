#include "lang/base/wire.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

static void put_le(struct buf *out, uint64_t v, size_t bytes)
{
	const uint64_t raw = htole64(v);

	buf_add(out, &raw, bytes);
}

void wire_put_u8(struct buf *out, uint8_t v)
{
	put_le(out, v, 1);
}

void wire_put_u16(struct buf *out, uint16_t v)
{
	put_le(out, v, 2);
}

void wire_put_u32(struct buf *out, uint32_t v)
{
	put_le(out, v, 4);
}

void wire_put_u64(struct buf *out, uint64_t v)
{
	put_le(out, v, 8);
}

void wire_put_bytes(struct buf *out, const void *bytes, size_t len)
{
	assert(len <= UINT32_MAX);
	wire_put_u32(out, (uint32_t)len);
	buf_add(out, bytes, len);
}

void wire_put_str(struct buf *out, const char *s)
{
	size_t len = strlen(s);

	assert(len <= WIRE_STR_MAX);
	wire_put_bytes(out, s, len);
}

static const uint8_t *get_raw(struct wire_in *in, size_t bytes)
{
	if (in->bad || in->left < bytes) {
		in->bad = true;
		in->left = 0;
		return NULL;
	}
	const uint8_t *at = in->at;
	in->at += bytes;
	in->left -= bytes;
	return at;
}

static uint64_t get_le(struct wire_in *in, size_t bytes)
{
	const uint8_t *raw = get_raw(in, bytes);
	uint64_t v = 0;

	for (size_t i = 0; raw && i < bytes; i++)
		v |= (uint64_t)raw[i] << (8 * i);
	return v;
}

uint8_t wire_get_u8(struct wire_in *in)
{
	return (uint8_t)get_le(in, 1);
}

uint16_t wire_get_u16(struct wire_in *in)
{
	return (uint16_t)get_le(in, 2);
}

uint32_t wire_get_u32(struct wire_in *in)
{
	return (uint32_t)get_le(in, 4);
}

uint64_t wire_get_u64(struct wire_in *in)
{
	return get_le(in, 8);
}

const void *wire_get_bytes(struct wire_in *in, size_t *len)
{
	size_t n = wire_get_u32(in);
	const void *raw = get_raw(in, n);

	*len = raw ? n : 0;
	return raw;
}

bool wire_get_text(struct wire_in *in, char *out, size_t most)
{
	size_t len;
	const char *text = wire_get_bytes(in, &len);

	if (!text || len > most || memchr(text, '\0', len))
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

const char *wire_get_str(struct wire_in *in, struct arena *a)
{
	size_t len;
	const char *raw = wire_get_bytes(in, &len);

	if (raw && (len > WIRE_STR_MAX || memchr(raw, '\0', len)))
		in->bad = true;
	return arena_strndup(a, in->bad ? "" : raw, in->bad ? 0 : len);
}

uint32_t wire_get_count(struct wire_in *in, size_t each)
{
	uint32_t n = wire_get_u32(in);

	if (each && n > in->left / each) {
		in->bad = true;
		n = 0;
	}
	return n;
}

bool wire_done(const struct wire_in *in)
{
	return !in->bad && in->left == 0;
}
