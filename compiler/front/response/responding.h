/*
 * responding - a policy's responses on their way from trees to meaning. What playbook.c, value.c, respond.c,
 * homeostasis.c and decoy.c share, and nobody else needs.
 */
#ifndef TEG_FRONT_RESPONSE_RESPONDING_H
#define TEG_FRONT_RESPONSE_RESPONDING_H

#include "compiler/front/reading.h"

/* Where values stand: what else than constants they may be. */
struct play_scope {
	struct reading *r;
	const struct pol_playbook *playbook; /* its parameters; or NULL */
	const enum play_event *event;	     /* its fields; or NULL */
};

/* A value of the sort that is due. */
bool play_value(const struct play_scope *in, const struct node *n, enum sort due, struct pol_value *out);
/* A value of whichever sort it has. */
bool play_value_any(const struct play_scope *in, const struct node *n, struct pol_value *out);
bool play_condition(const struct play_scope *in, const struct node *n, struct pol_condition *out);
/* 0.2 or 20%, in millionths. */
bool play_share(struct reading *r, const struct node *n, uint64_t *out);
bool play_sense(struct reading *r, const struct node *n, enum sense *out);
/* A time that something may take: at most `most`. */
bool play_time(struct reading *r, const struct node *n, uint64_t most, uint64_t *out);
/* Names in code have a bound. */
bool play_name_fits(struct reading *r, struct span at, const char *name);
/* The sort that a parameter of this type has; false when playbooks have none such. */
bool play_param_sort(const char *type, enum sort *out);

/* homeostasis.c and decoy.c: what the declarations say, into the policy; noted in declare_responses()'s order. */
void regulations_read(struct reading *r);
void decoys_read(struct reading *r);

/* resolved_responses.c: as .teg again. */
void print_responses(struct buf *out, const struct policy *p);
/* resolved_senses.c: feeds and rules on sessions. */
void print_senses(struct buf *out, const struct policy *p);

#endif
