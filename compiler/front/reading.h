/*
 * reading - one policy on its way from trees to meaning. What the files of
 * compiler/front share, and nobody else needs.
 *
 *     load.c      files and imports          → declarations in the order of judgement
 *     remark.c    comments that speak to tegc
 *     scope.c     names                      → symbols, each computed once
 *     value*.c    values                     → sets, amounts, with their types and units
 *     payload.c   patterns in payloads
 *     select.c    selectors                  → what a packet is asked
 *     limit.c     rates and limits
 *     effect.c    logs and events
 *     posture.c   postures                   → rules, inherited ones included
 *     declare.c   zones, lifelines, blocks, reflexes
 *     trials.c    tests
 *     packet.c    packets in tests
 *     table.c     tables of cases in tests
 *     refuses.c   mistakes that tests expect
 *     unused.c    names that nothing uses
 *     condition.c conditions              → what stands, before names are bound
 *     response/   playbooks                  → steps; what runs them, homeostasis, decoys
 *     claims.c    invariants and orders
 *
 * A function that gives false has told why, or what it depends on has: its
 * caller goes on with the next thing and says nothing.
 */
#ifndef TEG_FRONT_READING_H
#define TEG_FRONT_READING_H

#include "compiler/front/front.h"
#include "lang/syntax/ast.h"
#include "lang/base/near.h"
#include "lang/syntax/parse.h"

enum type {
#define TYPE(id, ...) TYPE_##id,
#include "lang/vocab/type.def"
#undef TYPE
	TYPE_END
};
const char *type_name(enum type t);
const char *type_with_article(enum type t);

/* Protocols and what is asked of each; ascending by number, each once. */
struct service {
	struct pol_proto *at;
	size_t len;
};

/* So many packets, flows or bytes in a time. */
struct value_rate {
	uint64_t count, window_ns;
	bool bytes;
};

enum symbol_kind { SYMBOL_PARAM, SYMBOL_ZONE, SYMBOL_NET, SYMBOL_SERVICE, SYMBOL_LIMIT, SYMBOL_HOLE };
enum symbol_state { SYMBOL_FRESH, SYMBOL_UNDER_WAY, SYMBOL_KNOWN, SYMBOL_WRONG };

struct symbol {
	enum symbol_kind kind;
	enum symbol_state state;
	const char *name;
	struct span span;   /* of the name */
	struct node *value; /* or NULL */
	enum type type;	    /* of the value; zones have none */
	unsigned zone;	    /* index */
	struct netset net;
	struct ranges ports;
	struct service service;
	VEC(const char *) strings;
	struct value_rate rate;
	const struct pol_rate *limit;
	uint64_t amount; /* durations in ns, percentages in hundredths of one, severities, true or false as 0 and 1 */
};

struct posture_symbol {
	const char *name;
	struct span span;
	struct node *decl;
	enum symbol_state state;
	unsigned index; /* in the policy */
	bool has_hole;
	struct strmap labels; /* of its rules, inherited ones included, to 1 + index */
};

struct reading {
	struct compilation *c;
	struct arena *arena, *said, *trees; /* the policy's; of rules as they are said; and what is only for reading */
	struct diags *diags;
	struct policy *policy;
	VEC(struct node *) decls; /* of all files, in the order of judgement */
	VEC(const struct node *) untaken; /* branches of conditions that do not stand */
	uint32_t main_file;	  /* the policy's own, not one that it imports */
	struct strmap files;	  /* by identity, to their state */
	VEC(const char *) importing; /* the files being loaded now, outermost first */
	struct strmap symbols;	  /* struct symbol */
	struct strmap postures;	  /* struct posture_symbol */
	struct strmap playbooks;  /* names, to where they stand */
	VEC(struct pol_net) nets;
	VEC(struct pol_claim) claims;
	unsigned depth;		  /* of symbols that are being computed */
	bool poisoned;		  /* something that could declare any name was not read */
};

/* front.c: from declarations to the policy; `path` names one that has no name. */
void reading_mean(struct reading *r, const char *path);

/* load.c */
/* From `text`, or from the file when that is NULL. */
bool load_main(struct reading *r, const char *path, const char *text, size_t len);
/* remark.c: comments that begin with `tegc:`, while the tree is as it was said. */
void remarks_find(struct compilation *c, uint32_t file, const struct ast *ast);

/* A file that tegc carries, "std/services.teg"; NULL when there is none. */
const char *shipped_find(const char *path, size_t *len);
const char *shipped_name(size_t i); /* of the files that tegc carries, by number; NULL when there are no more */

/* carried.c: a name that such a file declares: says so, and imports it into the file as a fix. */
bool tell_carried(struct reading *r, struct diag *d, const char *name, uint32_t file);

/* param.c: the value given for a parameter, or NULL. Params nobody declared are told by params_check(). */
struct node *param_given_value(struct reading *r, const char *name, enum type type);
void params_check(struct reading *r);

/* condition.c: afterwards no declaration and no posture has an IF. Parameters are declared before. */
void conditions_decide(struct reading *r);

/*
 * scope.c: "did you mean ...?", when anything is near; sure when nothing else is as near and the word
 * is what stands at the place. False when nothing is.
 */
bool tell_near(struct reading *r, struct diag *d, const struct near *n, struct span at);
/* The fix alone, for a help in other words: where the word stands at the beginning or the end of the place. */
void fix_near(struct reading *r, struct diag *d, const struct near *n, struct span at);
/* The fix that leaves out what stands there, when it has its lines to itself. */
void fix_leave_out(struct reading *r, struct diag *d, struct span at);

/* scope.c */
void scope_declare_params(struct reading *r);
void scope_declare(struct reading *r);
struct symbol *scope_find(struct reading *r, const struct node *name, const char *wanted);
struct symbol *scope_peek(struct reading *r, const char *name);
bool symbol_settle(struct reading *r, struct symbol *s, struct span asked);
/* Whether it can stand where a net is due. */
bool symbol_is_net(const struct symbol *s);
struct posture_symbol *scope_posture(struct reading *r, const struct node *name);

/* uses.c: notes a use, when they are wanted. */
void use_note(struct reading *r, enum use_kind kind, const char *name, struct span at, struct span declared);
void use_note_symbol(struct reading *r, const struct node *name, const struct symbol *s);
/* What an event is named after, `on reflex.flood`. */
void use_note_event(struct reading *r, enum play_event e, const char *name, struct span at);
/* A block, reflex or lifeline, by its label or dotted id. */
void use_note_layer(struct reading *r, const char *name, struct span at);

/* value.c, value_net.c, value_amount.c, value_service.c */
bool value_net(struct reading *r, const struct node *n, struct netset *out);
bool value_end(struct reading *r, const struct node *n, struct pol_end *out);
/* The ports that a value means for a protocol: a service's name means its ports of that protocol. */
bool value_ports(struct reading *r, const struct node *n, uint16_t proto, struct ranges *out);
bool value_service(struct reading *r, const struct node *n, struct service *out);
bool value_icmp(struct reading *r, const struct node *n, bool v4, bool v6, struct service *out);
bool value_protocols(struct reading *r, const struct node *n, struct service *out);
bool value_zones(struct reading *r, const struct node *n, uint64_t *out);
/* A type that is one number: TYPE_DURATION (more than none), COUNT, BYTES, BANDWIDTH, PERCENTAGE, SEVERITY, BOOLEAN. */
bool value_amount(struct reading *r, const struct node *n, enum type type, uint64_t *out);
/* `50/s`, `10MB/s`; `count` and a time, `1000 per 100ms`, when `window` is not NULL. */
bool value_rate(struct reading *r, const struct node *count, const struct node *window, struct value_rate *out);
/* A text, or the name of a parameter of that type: TYPE_TEXT or TYPE_PATTERN. */
bool value_text(struct reading *r, const struct node *n, enum type type, const char **out);
/* One address, or one prefix. */
bool value_prefix(struct reading *r, const struct node *n, enum type type, struct netset *out);
bool value_duration(struct reading *r, const struct node *n, uint64_t *ns);
bool value_count(struct reading *r, const struct node *n, uint64_t *count);
bool value_number(struct reading *r, const struct node *n, uint64_t most, uint64_t *out);
/* One string or a list of them. */
bool value_strings(struct reading *r, const struct node *n, struct symbol *into);
/* What is said when it is something else, to add to; the others say it and are false. */
struct diag *value_mistyped(struct reading *r, const struct node *n, const char *wanted);
bool value_is_not(struct reading *r, const struct node *n, const char *wanted);
bool value_is_empty(struct reading *r, const struct node *n);
bool proto_find(const char *name, uint16_t *number);
const char *proto_name(uint16_t number); /* or NULL */

/* select.c */
bool select_read(struct reading *r, const struct node *selector, enum direction d, struct pol_selector *out);
/* payload.c: NODE_PAYLOAD of a selector whose protocols are read. */
bool payload_is_absent(struct reading *r, const struct node *selector);
bool payload_read(struct reading *r, const struct node *payload, struct pol_selector *s);
bool select_flags(struct reading *r, const struct node *words, uint8_t *out);

/* declare.c */
void declare_zones(struct reading *r);
void declare_lifelines(struct reading *r);
void declare_blocks(struct reading *r);
void declare_reflexes(struct reading *r);
/* The text of a title, or NULL where there is none; it stands in logs and reports, so it is one line. */
const char *title_read(struct reading *r, const struct node *title);

void declare_policy(struct reading *r);
bool label_is_free(struct reading *r, const struct node *label);
/* A stable id for a rule without a label: "~" and 8 hex digits of its normalised text; `texts` remembers which. */
const char *rule_anonym(struct reading *r, const struct node *rule, struct strmap *texts);

/* limit.c: NODE_LIMIT of a rule with that verdict; NODE_WHEN; NODE_EXCEEDS. */
void declare_limits(struct reading *r);
/* After all rules and reflexes: those who share a limit can. */
void limits_check(struct reading *r);
bool limit_read(struct reading *r, const struct node *limit, enum verdict v, struct pol_rate *out);
bool when_read(struct reading *r, const struct node *when, struct pol_reflex *out);
bool exceeds_read(struct reading *r, const struct node *exceeds, struct pol_reflex *out);

/* effect.c: the LOG and EMIT among a rule's children; one EMIT. */
bool effects_read(struct reading *r, const struct node *rule, const char *label, struct pol_effects *out);
bool emit_read(struct reading *r, const struct node *emit, struct pol_effects *out);

/* posture.c */
void declare_postures(struct reading *r);
void declare_initial(struct reading *r);

/* response/: after postures and zones */
void declare_playbooks(struct reading *r);
void declare_responses(struct reading *r);
/* derme.c, feed.c */
void declare_derme(struct reading *r);
void declare_feeds(struct reading *r);

/* claims.c: after postures. */
void declare_claims(struct reading *r);
/* One claim by itself: an order, or else a line of an invariant without a name. */
bool claim_text_read(struct reading *r, struct ast *ast, struct pol_claim *claim, struct pol_order *order);


/* trials.c */
void declare_tests(struct reading *r);
/* table.c: each row as a case of its own; `read` makes one of the packet with the cells in it. */
typedef bool table_row(struct reading *r, const struct node *row, const struct node *packet, void *arg);
bool table_read(struct reading *r, const struct node *table, table_row *read, void *arg);

/* packet.c */
bool packet_read(struct reading *r, const struct node *packet, struct pol_packet *p);

#endif
