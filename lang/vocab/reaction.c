#include "lang/vocab/reaction.h"

#include <string.h>

#include "lang/vocab/verdict.h"

/* The place of a name among some, or -1. */
static int place(const char *const *names, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

/* --- sorts of values -------------------------------------------------------------------------- */

static const struct {
	const char *name, *article;
	enum sort_form form;
} sort_rows[] = {
#define SORT(id, name, form, article) { name, article, FORM_##form },
#include "lang/vocab/sort.def"
#undef SORT
};

const char *sort_name(enum sort k)
{
	return sort_rows[k].name;
}

const char *sort_with_article(enum sort k)
{
	return sort_rows[k].article;
}

enum sort_form sort_form(enum sort k)
{
	return sort_rows[k].form;
}

uint64_t sort_values(enum sort k)
{
	switch (k) {
	case SORT_SEVERITY:
		return EVENT_SEVERITY_COUNT;
	case SORT_SENSE:
		return SENSE_COUNT;
	case SORT_RELATION:
		return RELATION_COUNT;
	case SORT_CHOICE:
		return CHOICE_COUNT;
	case SORT_BOOLEAN:
		return 2;
	case SORT_SHARE:
		return SHARE_WHOLE + 1;
	case SORT_ADDRESS: case SORT_DURATION: case SORT_COUNT: case SORT_BYTES: case SORT_BANDWIDTH: case SORT_TEXT:
	case SORT_NAME: case SORT_ZONE: case SORT_POSTURE: case SORT_RECORD: case SORT_COUNT_:
		break;
	}
	return 0;
}

static const char *const relation_names[RELATION_COUNT] = { "<", "<=", "==", "!=", ">=", ">" };

const char *relation_name(enum play_relation r)
{
	return relation_names[r];
}

bool relation_find(const char *name, enum play_relation *out)
{
	int at = place(relation_names, RELATION_COUNT, name);

	*out = at < 0 ? RELATION_LT : (enum play_relation)at;
	return at >= 0;
}

const char *choice_name(enum choice c)
{
	static const char *const names[CHOICE_COUNT] = { "continue", "abort" };

	return names[c];
}

const char *priority_name(enum priority p)
{
	static const char *const names[PRIORITY_COUNT] = { "low", "normal" };

	return names[p];
}

/* --- steps -------------------------------------------------------------------------------------- */

static const struct play_step_row step_rows[] = {
#define ARG(word, kind, need) { word, SORT_##kind, ARG_##need },
#define STEP(id, words, example, undo, effect, args)                                                 \
	{ words, example, STEP_##undo, EFFECT_##effect, { args }, sizeof((struct step_arg[]){ args }) / sizeof(struct step_arg) },
#include "lang/vocab/step.def"
#undef STEP
#undef ARG
};

const struct play_step_row *play_step_row(enum play_step s)
{
	return &step_rows[s];
}

int step_arg_of(enum play_step s, enum arg_need need)
{
	for (unsigned i = 0; i < step_rows[s].arg_count; i++)
		if (step_rows[s].args[i].need == need)
			return (int)i;
	return -1;
}

const char *play_step_name(enum play_step s)
{
	return step_rows[s].words ? step_rows[s].words : "resume";
}

/* --- events and senses ---------------------------------------------------------------------------- */

static const struct {
	const char *word;
	unsigned fields;
} event_rows[] = {
#define F(id) (1u << EVENT_FIELD_##id)
#define EVENT(id, word, fields, about) { word, fields },
#include "lang/vocab/event.def"
#undef EVENT
#undef F
};

const char *event_word(enum play_event e)
{
	return event_rows[e].word;
}

bool event_find(const char *word, enum play_event *out)
{
	for (int e = 0; e < EVENT_COUNT; e++)
		if (!strcmp(event_rows[e].word, word)) {
			*out = (enum play_event)e;
			return true;
		}
	return false;
}

bool event_has(enum play_event e, enum event_field f)
{
	return event_rows[e].fields >> f & 1;
}

static const char *const field_names[EVENT_FIELD_COUNT] = {
#define EVENT_FIELD(id, name, kind, about) name,
#include "lang/vocab/event_field.def"
#undef EVENT_FIELD
};

static const enum sort field_sorts[EVENT_FIELD_COUNT] = {
#define EVENT_FIELD(id, name, kind, about) SORT_##kind,
#include "lang/vocab/event_field.def"
#undef EVENT_FIELD
};

const char *event_field_name(enum event_field f)
{
	return field_names[f];
}

enum sort event_field_sort(enum event_field f)
{
	return field_sorts[f];
}

bool event_field_find(const char *name, enum event_field *out)
{
	int at = place(field_names, EVENT_FIELD_COUNT, name);

	*out = at < 0 ? EVENT_FIELD_SOURCE : (enum event_field)at;
	return at >= 0;
}

static const char *const sense_names[SENSE_COUNT] = {
#define SENSE(id, name, about) name,
#include "lang/vocab/sense.def"
#undef SENSE
};

const char *sense_name(enum sense s)
{
	return sense_names[s];
}

const char *sense_about(enum sense s)
{
	static const char *const abouts[SENSE_COUNT] = {
#define SENSE(id, name, about) about,
#include "lang/vocab/sense.def"
#undef SENSE
	};

	return abouts[s];
}

bool sense_find(const char *name, enum sense *out)
{
	int at = place(sense_names, SENSE_COUNT, name);

	*out = at < 0 ? SENSE_PRESSURE : (enum sense)at;
	return at >= 0;
}
