/*
 * diag - what is wrong with a policy: a code, a place, one sentence, and what helps.
 *
 *     struct diag *d = diag(ds, DIAG_NAME_TWICE, again->span, "`%s` is declared twice", name);
 *     diag_label(d, "the second one");
 *     diag_at(d, first->span, "the first one");
 *     diag_help(d, "rename one of them");
 *     diag_fix(d, again->span, other_name);           only where it is sure
 *
 * The codes are rows of diag.def; each has a page in docs/errors/. Only the
 * first DIAGS_KEPT are kept with their words; all are counted. A mistake that
 * only follows from another one is not told: callers pass over what is poisoned.
 */
#ifndef TEG_SYNTAX_DIAG_H
#define TEG_SYNTAX_DIAG_H

#include <stdbool.h>
#include <stddef.h>

#include "lang/base/arena.h"
#include "lang/base/buf.h"
#include "lang/base/span.h"

enum severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_COUNT };

enum diag_code {
#define DIAG(id, ...) DIAG_##id,
#include "lang/syntax/diag.def"
#undef DIAG
	DIAG_COUNT
};

struct diag_kind {
	const char *code;  /* "E0201" */
	const char *id;	   /* "NAME_UNKNOWN" */
	const char *title; /* what all of its kind have in common */
	enum severity severity;
};
extern const struct diag_kind diag_kinds[DIAG_COUNT];

enum diag_part_kind { DIAG_PLACE, DIAG_NOTE, DIAG_HELP };

struct diag_part {
	struct diag_part *next;
	enum diag_part_kind kind;
	struct span span; /* DIAG_PLACE */
	const char *text;
};

/* Text in place of a span, which may be empty. All edits of a diagnostic are one fix: made together or not at all. */
struct diag_edit {
	struct diag_edit *next;
	struct span span;
	const char *text;
};

/* A comment that allows it: counted apart, and shown to programs only. */
struct diag_allowance {
	const char *reason, *owner, *until; /* owner and until may be NULL */
};

struct diag {
	struct arena *arena;
	enum diag_code code;
	enum severity severity;
	struct span span;  /* or SPAN_NOWHERE */
	const char *text;
	const char *label; /* beside the carets, or NULL */
	struct diag_part *parts, **last;
	struct diag_edit *edits, **last_edit;
	const struct diag_allowance *allowed; /* or NULL */
};

#define DIAGS_KEPT 200

struct diags {
	struct arena *arena;
	VEC(struct diag *) list;
	size_t errors, warnings, allowed; /* what is allowed is neither error nor warning */
	struct diag spare; /* takes the words of what is not kept */
};

/* Never NULL; the span may be SPAN_NOWHERE. */
struct diag *diag(struct diags *ds, enum diag_code code, struct span span, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* What stands beside the carets. */
void diag_label(struct diag *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Another place that has to do with it. */
void diag_at(struct diag *d, struct span span, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void diag_note(struct diag *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void diag_help(struct diag *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Its notes and help, each on a line that begins with a line's end: "\nnote: the other is here". */
void diag_add_notes(struct buf *out, const struct diag *d);

/* An edit that makes it right for sure, so that a program may make it. */
void diag_fix(struct diag *d, struct span span, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* It stands no longer against the policy. */
void diag_allow(struct diags *ds, struct diag *d, const struct diag_allowance *by);
/* It turned out to be less, or more, than its kind usually is. */
void diag_severity(struct diags *ds, struct diag *d, enum severity severity);

/* By file and place, as they are shown. */
void diags_sort(struct diags *ds);

#endif
