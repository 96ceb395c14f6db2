/*
 * response - what a policy does when something happens, as trees with their meaning: playbooks,
 * what runs them, what regulates by itself, decoys. compiler/ir makes code of it.
 *
 * Names are resolved, units are one; what remains open are a playbook's parameters and the
 * fields of an event, by index.
 */
#ifndef TEG_FRONT_RESPONSE_RESPONSE_H
#define TEG_FRONT_RESPONSE_RESPONSE_H

#include "lang/base/span.h"
#include "lang/playbook/playbook.h"

enum pol_value_kind { VALUE_CONSTANT, VALUE_PARAM, VALUE_EVENT, VALUE_SENSE, VALUE_RECORD };

struct pol_value {
	enum pol_value_kind kind;
	enum sort sort;
	struct play_constant constant;
	unsigned index; /* of the parameter, event_field or sense */
	struct pol_field *fields;
	size_t field_count;
};

struct pol_field {
	const char *name;
	struct pol_value value;
};

enum pol_condition_kind { CONDITION_COMPARE, CONDITION_VALUE, CONDITION_AND, CONDITION_OR, CONDITION_NOT };

struct pol_condition {
	enum pol_condition_kind kind;
	enum play_relation relation;
	struct pol_value left, right; /* COMPARE; VALUE has left */
	struct pol_condition *parts;  /* AND, OR, NOT */
	size_t part_count;
};

enum pol_act_kind { ACT_STEP, ACT_PHASE, ACT_PARALLEL, ACT_IF };

struct pol_acts {
	struct pol_act *at;
	size_t len;
};

struct pol_act {
	enum pol_act_kind kind;
	struct span span;
	/* STEP */
	enum play_step step;
	struct pol_value args[STEP_ARGS_MAX];
	uint64_t retries, first_ns, last_ns;
	const char *undo; /* of RUN: the action that takes it back, or NULL */
	/* PHASE */
	const char *name;
	/* IF: `acts` when it holds, `otherwise` when not; PHASE and PARALLEL have `acts` */
	struct pol_condition condition;
	struct pol_acts acts, otherwise;
};

struct pol_play_param {
	const char *name;
	struct span span; /* of the name */
	enum sort sort;
	bool has_default;
	struct play_constant value;
};

struct pol_playbook {
	const char *name;
	struct span span;
	struct pol_play_param params[PLAYBOOK_PARAMS_MAX];
	unsigned param_count;
	struct play_budget budget;
	struct pol_acts acts, failure;
	struct play_worst worst;
};

struct pol_binding {
	struct span span;
	enum play_event event;
	const char *of; /* "" for every one */
	struct play_term terms[PLAYBOOK_TERMS_MAX];
	unsigned term_count;
	unsigned playbook; /* index */
	struct pol_value given[PLAYBOOK_PARAMS_MAX];
	unsigned given_count;
};

struct pol_regulation {
	struct span span;
	struct play_regulation meant;
};

struct pol_decoy {
	struct span span;
	struct play_decoy meant;
};

struct pol_responses {
	struct pol_playbook *playbooks;
	size_t playbook_count;
	struct pol_binding *bindings;
	size_t binding_count;
	struct pol_regulation *regulations;
	size_t regulation_count;
	struct pol_decoy *decoys;
	size_t decoy_count;
};

#endif
