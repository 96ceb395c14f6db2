/*
 * key - what the commands that sign share: keygen, sign, and build --sign.
 */
#ifndef TEG_CMD_KEY_H
#define TEG_CMD_KEY_H

#include "lang/bundle/seal.h"

/* Refuses a file that others than its owner may read. */
int key_read(struct seal_secret *out, const char *path, struct err *why);

/* A number from 1 to SEAL_SERIAL_MAX, in digits alone. */
int key_serial(uint64_t *out, const char *text, struct err *why);

/* Appends the bundle, signed, in place of a signature that it may have. */
int key_sign(struct buf *out, const struct buf *bundle, const struct seal_secret *s, uint64_t serial,
	     struct err *why);

#endif
