/*
 * chain - lines that each hold the digest of all before, so that none can be altered, taken out,
 * put in or moved without every later one telling.
 *
 *     {"seq":41,"prev":"<hash of 40>","time":…,"who":…,"hash":"<SHA-256 of the line up to here>"}
 *     {"seq":42,"prev":"<hash of 41>",…
 *
 * The digest is of the bytes before `,"hash":`. What a chain cannot tell is that its end is
 * missing: for that somebody must remember a head, "42-<hash of 42>".
 */
#ifndef TEG_BASE_CHAIN_H
#define TEG_BASE_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#include "lang/base/buf.h"
#include "lang/base/digest.h"
#include "lang/base/err.h"

struct chain {
	uint64_t seq; /* of the last line; 0 before the first */
	char hash[DIGEST_HEX + 1];
};

#define CHAIN_BEGIN { 0, "0000000000000000000000000000000000000000000000000000000000000000" }

/* Appends the next line, with its newline; `members` are JSON members, as "\"a\":1,\"b\":2". */
void chain_add(struct chain *c, struct buf *out, const char *members);

/* The next line of a chain, without its newline. -EBADMSG, and what is wrong with it. */
int chain_follow(struct chain *c, const char *line, size_t len, struct err *why);

/* Where a chain stands before this line: with that, chain_follow() begins in the middle of one. */
int chain_before(struct chain *c, const char *line, size_t len, struct err *why);

/* Any line, believed as far as its own digest goes: what is added next follows on it. */
int chain_resume(struct chain *c, const char *line, size_t len, struct err *why);

#endif
