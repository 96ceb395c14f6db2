/*
 * playing - a playbook that is being read. Private to playbook.c, worst.c and budget.c.
 */
#ifndef TEG_FRONT_RESPONSE_PLAYING_H
#define TEG_FRONT_RESPONSE_PLAYING_H

#include "compiler/front/response/responding.h"

/* Instructions that all playbooks may have together, constants among them. */
#define WEIGHT_MAX 4000

enum budget_part { BUDGET_BLOCKS, BUDGET_RUNTIME, BUDGET_ONE, BUDGET_PARTS };

struct playing {
	struct play_scope scope;
	struct reading *r;
	struct pol_playbook *out;
	unsigned weight;
	bool sound, blocks;
	const struct node *budget[BUDGET_PARTS], *failure; /* where they stand, or NULL */
	unsigned depth;
};

/* worst.c: the most that a run of these does and takes; `beside` one another, or one after the other. */
struct play_worst play_worst_of(const struct pol_acts *acts, bool beside);

/* budget.c: a line of the playbook's budget; and, when all is read, whether what needs a bound has one that suffices. */
void play_budget_read(struct playing *p, const struct node *n);
void play_budget_check(struct playing *p);

#endif
