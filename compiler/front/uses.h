/*
 * uses - where names stand in a policy's texts, and what each means: noted while they are
 * resolved, for editors. A declaration is a use of itself.
 *
 *     c->uses.wanted = true;
 *     front_read(c, path);
 *     const struct use *u = uses_at(&c->uses, file, offset);
 *
 * Two uses are of one thing when `declared` is the same place. A label that replaces an inherited
 * one is a use of the first. What stands in a branch of `if` that is not taken is not resolved.
 * An event `rule.NAME` is of every rule that is labelled so: it is a use of each.
 */
#ifndef TEG_FRONT_USES_H
#define TEG_FRONT_USES_H

#include <stdbool.h>
#include <stdint.h>

#include "lang/base/arena.h"
#include "lang/base/span.h"

enum use_kind {
	USE_PARAM, USE_ZONE, USE_NET, USE_SERVICE, USE_LIMIT, USE_POSTURE, USE_REFLEX, USE_BLOCK,
	USE_LIFELINE, USE_LABEL, USE_PLAYBOOK, USE_PARAMETER, USE_SENSE, USE_DECOY, USE_COUNT
};

struct use {
	enum use_kind kind;
	struct span at, declared; /* the name's bytes, and those of the name where it was declared */
	const char *name;
};

struct uses {
	bool wanted;
	VEC(struct use) list;
};

/* Borrowed, or NULL: the use whose first to last byte, or the byte behind it, is this one. */
const struct use *uses_at(const struct uses *u, uint32_t file, uint32_t offset);
/* The declaration of a name of that kind, or NULL. */
const struct use *uses_declared(const struct uses *u, enum use_kind kind, const char *name);
const char *use_kind_name(enum use_kind k);
bool use_is_same(const struct use *x, const struct use *y);

#endif
