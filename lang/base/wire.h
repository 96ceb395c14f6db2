/*
 * wire - typed values as bytes and back: little endian, lengths before data.
 *
 *     wire_put_u32(&out, 7);                struct wire_in in = { bytes, len };
 *     wire_put_str(&out, "web_in");         uint32_t n = wire_get_u32(&in);
 *                                           const char *s = wire_get_str(&in, arena);
 *                                           if (!wire_done(&in)) ... refuse
 *
 * Reading past the end, a string with a NUL inside, or one longer than
 * WIRE_STR_MAX sets `bad` and gives zeros from then on, so a decoder checks
 * once, at its end. Used by the plan in a bundle and by messages between roles.
 */
#ifndef TEG_BASE_WIRE_H
#define TEG_BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lang/base/arena.h"
#include "lang/base/buf.h"

#define WIRE_STR_MAX 65535

struct wire_in {
	const uint8_t *at;
	size_t left;
	bool bad;
};

void wire_put_u8(struct buf *out, uint8_t v);
void wire_put_u16(struct buf *out, uint16_t v);
void wire_put_u32(struct buf *out, uint32_t v);
void wire_put_u64(struct buf *out, uint64_t v);
void wire_put_str(struct buf *out, const char *s);
void wire_put_bytes(struct buf *out, const void *bytes, size_t len);

uint8_t wire_get_u8(struct wire_in *in);
uint16_t wire_get_u16(struct wire_in *in);
uint32_t wire_get_u32(struct wire_in *in);
uint64_t wire_get_u64(struct wire_in *in);
const char *wire_get_str(struct wire_in *in, struct arena *a);

/* Into out[most + 1]; false when it is longer, or has a NUL inside. */
bool wire_get_text(struct wire_in *in, char *out, size_t most);

/* Borrowed from the input; NULL and *len = 0 when bad. */
const void *wire_get_bytes(struct wire_in *in, size_t *len);

/* wire_count - a count of items that take at least `each` bytes: refuses what cannot fit. */
uint32_t wire_get_count(struct wire_in *in, size_t each);

/* True when everything was read and nothing was bad. */
bool wire_done(const struct wire_in *in);

#endif
