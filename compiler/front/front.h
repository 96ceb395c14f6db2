/*
 * front - from a path to what its policy means.
 *
 *     own(compilation) struct compilation *c = compilation_new();
 *     struct policy *p = front_read(c, "edge.teg");
 *     report_diags(stderr, c, ...);                        compiler/report/diags.h
 *     if (!p)
 *             return front_exit(c);
 *
 * Everything, the policy included, lives until compilation_free(). A policy is
 * given out only when it has no error; warnings do not hinder it.
 */
#ifndef TEG_FRONT_FRONT_H
#define TEG_FRONT_FRONT_H

#include "compiler/front/policy.h"
#include "compiler/front/uses.h"
#include "lang/base/arena.h"
#include "lang/base/spool.h"
#include "lang/base/strmap.h"
#include "lang/syntax/diag.h"
#include "lang/syntax/source.h"

struct node;
struct reading;
struct store;

/* A parameter's value as it was given; `literal` is the same as a string, or its parts as strings. */
struct param_given {
	const char *name, *from;
	const char *text, *literal;
	bool is_list; /* written as a list of strings */
	bool used;
};

/* A comment that speaks to tegc, and the statement, block or line that it is about. */
struct remark {
	struct span comment; /* from its # */
	struct span extent;  /* SPAN_NOWHERE: nothing follows it */
};

struct compilation {
	struct arena *arena, *said;	/* `said`: of rules as they are said */
	struct arena *texts;		/* of files that were read */
	struct sources sources;
	struct diags diags;
	VEC(const char *) import_paths; /* -I, in order */
	VEC(const char *) libraries;	/* directories behind these, and before what tegc carries */
	const char *last_library;	/* behind all else, so that nothing in it can stand for what tegc carries; or NULL */
	VEC(struct param_given) params;
	VEC(struct remark) remarks;
	const struct store *store;	/* where files are; NULL: on the disk */
	bool library_fits;		/* a text without a posture is no mistake: it is for others to import */
	struct uses uses;		/* where names stand, when they are wanted */
	struct reading *reading;	/* the policy's, for what is asked in its words later */
	int input_fault;		/* the exit code when the policy could not be read at all */
};

struct compilation *compilation_new(void);
void compilation_free(struct compilation *c);
OWN_FREE(compilation, struct compilation *)

/*
 * Parts of it that end early. The trees: nothing more is read, or asked in the policy's words. Then, of the policy that
 * was read, what is but another form of them, its rules and reflexes, and of tests and claims the selectors: nothing more
 * is lowered or printed; what was lowered stays whole.
 */
void compilation_drop_trees(struct compilation *c);
void compilation_drop_rules(struct compilation *c, struct policy *p);

/*
 * The texts of files, which only reports look at now, go to a file without a name beside `path` (spool.h) where they are
 * long, and there can be one: a report has what was read, whatever became of the files.
 */
void compilation_lay_texts_aside(struct compilation *c, const char *path);

/* "NAME=VALUE", the value as .teg writes it; false when it has no name. */
bool front_give_param(struct compilation *c, const char *assignment);
/* A JSON object of names to strings, numbers and lists of them. What is wrong with it is a diagnostic. */
void front_give_params(struct compilation *c, const char *path);

/* The policy; NULL when errors were noted, or a library was read. "-" is standard input. */
struct policy *front_read(struct compilation *c, const char *path);

/* The same of a text in memory, which `name` stands for: reports show it, imports are looked for beside it. */
struct policy *front_read_text(struct compilation *c, const char *name, const char *text, size_t len);

/*
 * A packet in the words of the policy that was read, as its tests write them; `name` is
 * what reports call the text. False when errors were noted.
 */
bool front_read_packet(struct compilation *c, const char *name, const char *text, struct pol_packet *out);

/*
 * Is the policy refused when the declarations of a CASE_REFUSES stand beside its own? `told` gives
 * the code that was told instead, or NULL when nothing was: the first, in the order of the source.
 */
bool front_refuses(struct compilation *c, const struct pol_case *asked, const char **told);

/* The names that the policy's own file declares and nothing uses: a warning each. Uses were wanted. */
void front_tell_unused(struct compilation *c);

/* 0 without errors; 1 when the policy is wrong; 66 or 74 when it could not be read. */
/*
 * One claim, in the words of the policy that was read: a line of an invariant, or an order, which
 * begins with the word. False when a diagnostic says why not; only the one that was said has a span.
 */
bool front_read_claim(struct compilation *c, const char *name, const char *text, struct pol_claim *claim,
		      struct pol_order *order);

int front_exit(const struct compilation *c);

/*
 * The policy as one .teg text without imports and parameters, postures written out,
 * sets computed. Reading it again gives the same policy.
 */
char *front_print_resolved(const struct policy *p, struct arena *a);
/* The same, which of a long policy is megabytes. */
void front_spool_resolved(struct spool *out, const struct policy *p, struct arena *a);

#endif
