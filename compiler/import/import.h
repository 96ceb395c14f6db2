/*
 * import - rulesets of others as .teg: read, flattened, written.
 *
 *     own(import) struct import *m = import_new();
 *     if (import_ipset(m, sets, len, &why) || import_iptables(m, FAMILY_IP4, &rules, &why))
 *             ...                         the ruleset cannot be read; why says the line
 *     if (import_flatten(m, &why))        its chains loop, or are too intricate
 *             ...
 *     import_write(m, &text, "edge");     .teg, before it is put in its one spelling
 *
 * A reader adds to what is there: the rulesets of both families become one policy.
 *
 * What is said is admitted by the result only if the ruleset admits it. For that
 * each rule has two regions: `sure`, the packets that match whatever an unknown
 * match means, and `perhaps`. Chains are walked with both kinds of reach; an
 * accept is carried for what surely reaches and surely matches, a drop for what
 * perhaps does. So leaving something unknown out can only make the result stricter:
 *
 *     rule            emitted                    then goes on in the chain
 *     ACCEPT          allow  sure                (first match takes care of the rest)
 *     DROP, REJECT    drop   perhaps
 *     RETURN          nothing                    sure -= perhaps matched; perhaps -= sure matched
 *     jump            the chain, with both       unchanged
 *     goto            the chain, with both       as after RETURN
 *
 * Where several chains judge the same packets one after the other, all must accept. What all
 * but the last accept goes on to the next, and is not emitted.
 *
 * A log is kept until something decides its packets; that rule then logs.
 *
 * Packets that begin a flow are carried. Whether those of known flows pass is
 * asked of the same list: see `stateful`.
 */
#ifndef TEG_IMPORT_IMPORT_H
#define TEG_IMPORT_IMPORT_H

#include "compiler/import/region.h"
#include "compiler/import/words.h"
#include "lang/base/buf.h"
#include "lang/base/err.h"
#include "lang/base/strmap.h"
#include "lang/vocab/verdict.h"

#define IMPORT_BYTES_MAX ((size_t)16 << 20)
#define IMPORT_RULES_MAX 100000
#define IMPORT_STEPS_MAX 2000000 /* rules looked at while flattening */

enum import_target {
	TARGET_NOTHING, /* goes on: logs, marks */
	TARGET_ACCEPT,
	TARGET_DROP,
	TARGET_REJECT,
	TARGET_RETURN,
	TARGET_JUMP,
	TARGET_GOTO,
	TARGET_UNKNOWN, /* may drop, or go on */
};

/* A text to read. */
struct import_text {
	const char *path; /* as it was named */
	const char *at;
	size_t len;
};

struct import_texts {
	struct import_text *at;
	size_t len, room;
};

struct import_place {
	const char *path;
	unsigned line;
};

struct import_chain;

struct import_rule {
	struct import_place place;
	const char *text, *comment;
	enum import_target target;
	struct import_chain *to; /* of a jump or goto */
	struct region sure, perhaps;
	const char *unknown; /* what is asked that is not known here, or NULL */
	const char *rate;    /* "10/min burst 5", as .teg says it, or NULL when it cannot: `sure` lacks what is over it */
	struct region rated; /* what `sure` would be without the rate */
	const char *log;     /* how a line of the log begins, or NULL */
};

struct import_chain {
	struct import_place place;
	const char *name;
	bool base, accepts;  /* base chains end with a policy */
	unsigned families;   /* that a base chain judges */
	int priority;	     /* base chains of a direction judge in this order */
	bool entered;	     /* while it is walked */
	VEC(struct import_rule) rules;
};

/* How what is written differs from what was read. */
enum note_kind {
	NOTE_LEFT_OUT,	/* an accept is not carried, or for less */
	NOTE_WIDENED,	/* a drop is carried for more */
	NOTE_BESIDE,	/* no decision: logs, other tables, counters */
	NOTE_ANSWERS,	/* answers of admitted flows pass here; not written unless agreed to */
	NOTE_UNLIMITED,	/* what is over a limit is not dropped here, which was agreed to */
	NOTE_ADMITS,	/* the result admits more: not written */
};

struct import_note {
	struct import_place place;
	enum note_kind kind;
	const char *text;
};

/* One rule of the flat list. */
struct import_entry {
	const struct import_rule *rule; /* NULL: a policy */
	const struct import_chain *chain;
	const char *log;
	enum verdict verdict;
	bool limited;
	const char *widened; /* of a drop: what is not known of its packets; NULL when it drops no more than it should */
	bool logs_only; /* the next entry decides the same about more: this one may be left out */
	struct region region;
};

struct import {
	struct arena *arena;
	unsigned families;  /* that the rulesets judge; the result drops the other */
	struct strmap sets; /* struct netset: what `ipset save` told of */
	struct strmap filled; /* of them those that rules fill, in any table: what is in them is not known */
	VEC(const char *) interfaces; /* as .teg writes them, "eth*"; the index is the zone */
	VEC(struct import_note) notes;
	VEC(struct import_entry) entries[DIRECTION_COUNT];
	VEC(struct import_chain *) base[DIRECTION_COUNT];
	size_t rule_count;
	/* The texts that an include of nft asks for, which live as long as this; NULL: none are at hand. */
	int (*include)(struct import *m, const char *pattern, struct import_texts *out, struct err *why);
	const char *include_root; /* for it alone */
	bool unlimited; /* agreed: what exceeds a limit need not be dropped */
	bool untracks; /* some rule keeps packets from connection tracking: they are in no flow there, and begin one here */
	bool stateful; /* packets of known flows pass in the ruleset, whatever the rules say */
};

struct import *import_new(void);
void import_free(struct import *m);
OWN_FREE(import, struct import *)

/* The output of `ipset save`. Before the rules. */
int import_ipset(struct import *m, const struct import_text *text, struct err *why);
/* The output of `nft list ruleset`, or a script of nft. */
int import_nft(struct import *m, const struct import_text *text, struct err *why);
int import_iptables(struct import *m, enum family family, const struct import_text *text, struct err *why);

int import_flatten(struct import *m, struct err *why);
/* Is something that this drop has taken admitted by an entry behind it? Otherwise it may drop more unseen. */
bool import_matters(const struct import *m, enum direction d, const struct import_entry *drop, const struct box *b);

void import_write(struct import *m, struct buf *out, const char *name, const char *from);

void import_note(struct import *m, struct import_place place, enum note_kind kind, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
size_t import_notes(const struct import *m, enum note_kind kind);
const char *note_kind_name(enum note_kind kind);

/*
 * Interfaces are made known before rules ask for them: a name, or what begins with one, "eth*". A
 * pattern that lies across others does not become a zone of its own.
 */
void import_interfaces(struct import *m, const struct words *names);
/* Of the packets that an interface or pattern asks for, those that surely and those that perhaps are. */
void import_zones_of(const struct import *m, const char *name, uint64_t *sure, uint64_t *perhaps);
/* The bits of every interface there is, ZONE_OTHER included. */
uint64_t import_zones(const struct import *m);
/*
 * A rule with a limit, when all limits need not be carried: one that spares packets from what stands
 * behind it spares them all, and one that drops what is over is none, which is the answer false.
 */
bool import_unlimit(struct import *m, struct import_rule *r, bool over);
#define IMPORT_OVER "what is over the limit"
/* Named words of the vocabulary; -1 when there is none. */
int import_protocol(const char *word);
int import_port(const char *word);
int import_kind(const char *word);

#endif
