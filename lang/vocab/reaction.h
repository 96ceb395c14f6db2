/*
 * reaction - what a policy can do when something happens: the steps of playbooks, the sorts of
 * their values, the events that they are bound to, and what can be felt. All are rows.
 */
#ifndef TEG_VOCAB_REACTION_H
#define TEG_VOCAB_REACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- sorts of values ------------------------------------------------------------------------ */

enum sort {
#define SORT(id, ...) SORT_##id,
#include "lang/vocab/sort.def"
#undef SORT
	SORT_COUNT_ /* SORT_COUNT is a sort */
};

enum sort_form { FORM_NUMBER, FORM_STRING, FORM_ADDRESS, FORM_MADE };

const char *sort_name(enum sort k);
const char *sort_with_article(enum sort k);
enum sort_form sort_form(enum sort k);

/* How many values a sort of NUMBER has that means one of few; 0 when it is an amount. */
uint64_t sort_values(enum sort k);

/* A share of a whole is a number of these. */
#define SHARE_WHOLE 1000000u

enum play_relation { RELATION_LT, RELATION_LE, RELATION_EQ, RELATION_NE, RELATION_GE, RELATION_GT, RELATION_COUNT };
const char *relation_name(enum play_relation r);
bool relation_find(const char *name, enum play_relation *out);

/* What a run does when nobody approves in time. */
enum choice { CHOICE_CONTINUE, CHOICE_ABORT, CHOICE_COUNT };
const char *choice_name(enum choice c);

/* --- steps ---------------------------------------------------------------------------------- */

enum play_step {
#define STEP(id, ...) STEP_##id,
#include "lang/vocab/step.def"
#undef STEP
	STEP_COUNT,
	STEP_NONE = STEP_COUNT
};

enum step_effect { EFFECT_NOTHING, EFFECT_BLOCK, EFFECT_SESSIONS, EFFECT_THROTTLE, EFFECT_POSTURE };

enum arg_need { ARG_MUST, ARG_MAY, ARG_ENDS, ARG_WAITS };

struct step_arg {
	const char *word; /* "" when it stands without */
	enum sort sort;
	enum arg_need need;
};

#define STEP_ARGS_MAX 4
/* How long the machine gives a step that does not wait, and each attempt of one that does, beside its wait. */
#define STEP_TAKES_NS 10000000000ull

struct play_step_row {
	const char *words;   /* "sessions cut"; or NULL */
	const char *example; /* with everything that it takes */
	enum play_step undo;	     /* or STEP_NONE */
	enum step_effect effect;
	struct step_arg args[STEP_ARGS_MAX];
	unsigned arg_count;
};

const struct play_step_row *play_step_row(enum play_step s);
/* The index of the argument with this need, or -1. */
int step_arg_of(enum play_step s, enum arg_need need);
/* "block", "sessions cut"; what is only an undo is called so. */
const char *play_step_name(enum play_step s);

/* --- events and senses ------------------------------------------------------------------------ */

enum event_field {
#define EVENT_FIELD(id, ...) EVENT_FIELD_##id,
#include "lang/vocab/event_field.def"
#undef EVENT_FIELD
	EVENT_FIELD_COUNT
};

enum play_event {
#define EVENT(id, ...) EVENT_##id,
#include "lang/vocab/event.def"
#undef EVENT
	EVENT_COUNT
};

const char *event_word(enum play_event e);
bool event_find(const char *word, enum play_event *out);
/* Whether the event tells it. */
bool event_has(enum play_event e, enum event_field f);

const char *event_field_name(enum event_field f);
enum sort event_field_sort(enum event_field f);
bool event_field_find(const char *name, enum event_field *out);

enum sense {
#define SENSE(id, ...) SENSE_##id,
#include "lang/vocab/sense.def"
#undef SENSE
	SENSE_COUNT
};

const char *sense_name(enum sense s);
const char *sense_about(enum sense s);
bool sense_find(const char *name, enum sense *out);

/* Which packets a throttle under pressure takes from. */
enum priority { PRIORITY_LOW, PRIORITY_NORMAL, PRIORITY_COUNT };
const char *priority_name(enum priority p);

#endif
