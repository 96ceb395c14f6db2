/*
 * iptables - the option words of a rule, as iptables-save writes them.
 */
#ifndef TEG_IMPORT_IPTABLES_H
#define TEG_IMPORT_IPTABLES_H

#include "compiler/import/import.h"
#include "compiler/import/words.h"

/* A rule while its options are read. */
struct ipt_rule {
	struct import *m;
	enum family family;
	struct import_rule *rule;
	struct box sure, perhaps;
	bool never;	       /* sure has become empty */
	bool impossible;       /* and perhaps too */
	struct ranges *either; /* --ports: source or destination */
	const char *rate, *burst;
	bool over;  /* what is over the rate is asked for */
	bool twice; /* two rates must hold: neither alone is what the rule says */
	bool by_source;
};

/* One option: `! --name arg...`. */
struct ipt_option {
	const char *name;
	bool negated;
	const char **args;
	size_t count;
};

/* An interface as .teg names it. */
const char *ipt_interface(struct arena *a, const char *name);
/* Is it an option of a match whose meaning is known? No target has one of that name. */
bool ipt_knows(const char *option);
/* Narrows the rule, or notes that what is asked is not known. */
void ipt_match(struct ipt_rule *r, const struct ipt_option *o);
/* A module that is asked by its name alone, or whose options are not known. */
void ipt_module(struct ipt_rule *r, const char *name);
/* Puts together what the options said. */
void ipt_finish(struct ipt_rule *r);

#endif
