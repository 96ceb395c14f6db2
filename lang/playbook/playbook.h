/*
 * playbook - responses to incidents as code: what a bundle's playbooks.tegp holds.
 *
 *     written ──► steps ──► code ──verify──► sealed ──decode + verify──► run
 *     a .teg      front      ir               emit                        tegd
 *
 * A playbook is a list of instructions (op.def) over a stack of typed values. Places are
 * only ever later, so every run ends; what a step may wait is a constant, so the worst case
 * is known. playbook_verify() finds both out, and whoever runs the code may then trust it:
 * no type, depth, place or index needs to be asked again.
 *
 *     the code   main ..................... END | answer to failure ........ END
 *     a step     PUSH arguments  UNDO step   PUSH times first last  RETRY   PUSH arguments  CALL step
 *     if         condition  GATE else   then ...  GOTO end   else: ...   end:
 *     parallel   FORK end   BRANCH b   ...   b: BRANCH end   ...   end:
 *
 * A run whose step fails is aborted: what it recorded as undo is done, last first, then the
 * answer to failure. Beside the playbooks stand what calls them (bindings), what regulates by
 * itself (regulations), and the decoys.
 */
#ifndef TEG_PLAYBOOK_PLAYBOOK_H
#define TEG_PLAYBOOK_PLAYBOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lang/base/addr.h"
#include "lang/base/arena.h"
#include "lang/base/buf.h"
#include "lang/base/err.h"
#include "lang/vocab/reaction.h"

enum {
	PLAYBOOKS_MAX = 64,
	PLAYBOOK_PARAMS_MAX = 8,
	PLAYBOOK_OPS_MAX = 4096,
	PLAYBOOK_CONSTANTS_MAX = 4096, /* of all playbooks */
	PLAYBOOK_STACK_MAX = 64,
	PLAYBOOK_FORKS_MAX = 4,	   /* one in another */
	PLAYBOOK_BRANCHES_MAX = 16,
	PLAYBOOK_FIELDS_MAX = 16,  /* of a record */
	PLAYBOOK_RETRIES_MAX = 10,
	PLAYBOOK_BINDINGS_MAX = 256,
	PLAYBOOK_REGULATIONS_MAX = 64,
	PLAYBOOK_TERMS_MAX = 8,
	PLAYBOOK_DECOYS_MAX = 64,
	PLAYBOOK_NAME_MAX = 255,   /* bytes */
	PLAYBOOK_TEXT_MAX = 4096,
};

#define PLAYBOOK_RUN_NS_MAX  86400000000000ull		/* a day: the longest wait, and the longest run */
#define PLAYBOOK_TIME_NS_MAX (366 * 86400000000000ull) /* what is longer has no end worth the name */

enum opcode {
#define OP(id, ...) OP_##id,
#include "lang/playbook/op.def"
#undef OP
	OP_COUNT
};

/* What an instruction's operand is. */
enum operand {
	OPERAND_NOTHING, /* 0 */
	OPERAND_CONSTANT, OPERAND_PARAM, OPERAND_SENSE, OPERAND_RELATION, OPERAND_FIELDS, OPERAND_PLACE, OPERAND_STEP,
};

struct play_op {
	enum opcode code;
	uint16_t operand;
};

struct play_constant {
	enum sort sort;	  /* by its form: */
	uint64_t number;
	const char *text;
	struct addr addr;
};

bool play_constant_equal(const struct play_constant *a, const struct play_constant *b);

#define PLAY_NO_CONSTANT UINT16_MAX

struct play_param {
	const char *name;
	enum sort sort;
	uint16_t otherwise; /* the constant when a caller gives none, or PLAY_NO_CONSTANT */
};

/* What runs of one playbook may use. */
struct play_budget {
	uint64_t blocks, blocks_ns; /* so many blocks in so much time; 0 when it blocks nothing */
	uint64_t runtime_ns;	    /* after which a run is aborted */
	uint8_t one_param;	    /* one run per value of it in one_ns; PLAY_NO_PARAM: whenever asked */
	uint64_t one_ns;
};

#define PLAY_NO_PARAM 255

/* The most that can happen: of the run itself, and of undoing it and answering its failure. */
struct play_worst {
	uint32_t steps, recovery_steps;
	uint64_t ns, recovery_ns;
};

struct playbook {
	const char *name;
	struct play_param params[PLAYBOOK_PARAMS_MAX];
	uint32_t param_count;
	struct play_budget budget;
	struct play_op *ops;
	uint32_t op_count;
	uint32_t failure; /* where the answer to failure begins; op_count when there is none */
	struct play_worst worst;
};

/* What a binding asks of the events. */
enum measure {
	MEASURE_COUNT,	  /* how many, of one source, in a time */
	MEASURE_DISTINCT, /* how many values of a field, in a time */
	MEASURE_FIELD,	  /* the field of the event itself */
	MEASURE_COUNT_
};

struct play_term {
	enum measure measure;
	enum event_field field; /* of DISTINCT and FIELD; SOURCE for COUNT */
	enum play_relation relation;
	uint64_t number;	/* of FIELD: in the field's own sort */
	uint64_t within_ns;	/* 0 for FIELD */
};

/* What a call gives: a constant, or a field of the event. */
struct play_given {
	bool of_event;
	uint16_t index; /* in the constants; an event_field */
};

struct play_binding {
	enum play_event event;
	const char *of; /* the NAME in `on reflex.NAME`; "" for every one */
	struct play_term terms[PLAYBOOK_TERMS_MAX]; /* all must hold */
	uint32_t term_count;
	uint16_t playbook; /* index */
	struct play_given given[PLAYBOOK_PARAMS_MAX];
	uint32_t given_count; /* the rest takes what stands in `otherwise` */
};

struct play_feeling {
	enum sense sense;
	enum play_relation relation; /* LT, LE, GE or GT */
	uint32_t share;
	uint64_t lasts_ns; /* so long without a break; at least a nanosecond */
};

enum regulation_act { REGULATE_POSTURE, REGULATE_THROTTLE, REGULATE_COUNT };
enum regulation_end {
	REGULATION_OVER,     /* when what began it has not held for as long as it had to */
	REGULATION_UNTIL,    /* when all of `until` hold */
	REGULATION_APPROVED, /* when someone says so */
	REGULATION_END_COUNT
};

struct play_regulation {
	struct play_feeling when[PLAYBOOK_TERMS_MAX], until[PLAYBOOK_TERMS_MAX];
	uint32_t when_count, until_count;
	enum regulation_act act;
	const char *posture;	/* of POSTURE; "" */
	enum priority priority; /* of THROTTLE */
	uint32_t share;
	enum regulation_end end;
};

struct play_decoy {
	const char *name;
	const char *service;   /* what it pretends to be: "ssh" */
	uint8_t proto;	       /* IP protocol: 6 or 17 */
	uint16_t port;
	const char *banner;    /* what it says first; "" */
	const char *technique; /* of MITRE ATT&CK: "T1110", "T1021.004"; "" */
};

struct playbooks {
	struct play_constant *constants;
	uint32_t constant_count;
	struct playbook *plays;
	uint32_t play_count;
	struct play_binding *bindings;
	uint32_t binding_count;
	struct play_regulation *regulations;
	uint32_t regulation_count;
	struct play_decoy *decoys;
	uint32_t decoy_count;
};

/* Nothing to run and nothing to answer: no section is written. */
bool playbooks_are_empty(const struct playbooks *p);

/*
 * Whether the code holds: types, places, stack, bounds, ends of containments. *out is the worst
 * case, which `worst` is compared with by playbooks_verify().
 */
int playbook_verify(struct play_worst *out, const struct playbooks *all, const struct playbook *p, struct err *why);

/* The same of everything. What decode gives out has passed it; what encode takes must. */
int playbooks_verify(const struct playbooks *p, struct err *why);

/* Same meaning, same bytes. */
void playbooks_encode(struct buf *out, const struct playbooks *p);

/* Refuses, with a reason, all that encode would not have written. The result lives in the arena. */
int playbooks_decode(struct playbooks *out, struct arena *a, const void *bytes, size_t len, struct err *why);

/* In words, for people: each instruction with what it means. */
void playbooks_print(struct buf *out, const struct playbooks *p);
void play_constant_say(struct buf *out, const struct play_constant *k);

const char *op_word(enum opcode c);
enum operand op_operand(enum opcode c);

#endif
