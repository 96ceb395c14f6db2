/*
 * derme - rules on sessions as code: what a bundle's derme.tegd holds.
 *
 *     written ──► conditions ──► code ──verify──► sealed ──decode + verify──► run
 *     a .teg       front                           emit                        tegd
 *
 * A rule's condition is a list of operations over a stack of truths, without a jump: each
 * pushes one, or makes one of those that are there, and one is left at the end. So every
 * rule ends after as many steps as it has operations. derme_verify() proves this, and that
 * every index, sort and number is in its range; whoever runs the code may trust it.
 *
 *     session.syn_count > 10 and not session.established
 *     COMPARE syn_count > 10   IS established   NOT   AND
 */
#ifndef TEG_DERME_DERME_H
#define TEG_DERME_DERME_H

#include "lang/base/addr.h"
#include "lang/base/arena.h"
#include "lang/base/buf.h"
#include "lang/base/err.h"
#include "lang/vocab/reaction.h"
#include "lang/vocab/verdict.h"

enum {
	DERME_RULES_MAX = 1024,
	DERME_OPS_MAX = 64,   /* of a rule */
	DERME_STACK_MAX = 16,
	DERME_SETS_MAX = 256,
	DERME_NAME_MAX = 255, /* bytes */
	DERME_FILE_MAX = 1024,
};

#define DERME_WINDOW_NS_MAX  3600000000000ull /* what is longer is not remembered of a session */
#define DERME_CAPTURE_MAX    65536u	      /* bytes of a packet */

enum session {
#define SESSION(id, ...) SESSION_##id,
#include "lang/vocab/session.def"
#undef SESSION
	SESSION_FIELDS
};

const char *session_name(enum session f);
enum sort session_sort(enum session f);
bool session_sums(enum session f); /* may be asked within a time */
bool session_find(const char *name, enum session *out);

enum derme_op_kind { DERME_COMPARE, DERME_IS, DERME_FROM, DERME_TO, DERME_NOT, DERME_AND, DERME_OR, DERME_OP_COUNT };

struct derme_op {
	enum derme_op_kind kind;
	enum session field;	     /* COMPARE, IS */
	enum play_relation relation; /* COMPARE */
	uint64_t number;	     /* COMPARE: in the field's sort */
	uint64_t within_ns;	     /* COMPARE: 0, or the window that is summed */
	uint16_t set;		     /* FROM, TO: the end that the session has there */
};

/* What a rule looks at: a condition; a file of signatures; a model of what is usual. */
enum derme_kind { DERME_WHEN, DERME_SIGNATURES, DERME_ANOMALY, DERME_KIND_COUNT };

struct derme_rule {
	const char *id; /* "derme.half_open" */
	enum derme_kind kind;
	const char *file; /* of SIGNATURES and ANOMALY; "" */
	uint32_t score;	  /* of ANOMALY: above this, in millionths */
	struct derme_op *ops;
	uint32_t op_count; /* of WHEN */

	bool drops, inspects;
	uint32_t capture_bytes;			/* 0: none */
	uint64_t throttle_count, throttle_ns;	/* so many packets in so long; 0: not */
	bool emits;
	enum event_severity severity;
	uint32_t one_in; /* of so many events one is told */
};

struct derme {
	struct netset *sets;
	uint32_t set_count;
	struct derme_rule *rules;
	uint32_t rule_count;
};

/* Whether packets of a session for which it holds may be lost. */
static inline bool derme_takes_away(const struct derme_rule *r)
{
	return r->drops || r->throttle_count;
}

/* Whether the code holds; a reason that names the rule when not. */
int derme_verify(const struct derme *d, struct err *why);
/* The code must hold. */
void derme_encode(struct buf *out, const struct derme *d);
/* Gives out only what derme_verify() passes. */
int derme_decode(struct derme *out, struct arena *a, const void *bytes, size_t len, struct err *why);
/* In words, a line a rule. */
void derme_print(struct buf *out, const struct derme *d);

#endif
