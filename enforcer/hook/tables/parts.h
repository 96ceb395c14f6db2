/*
 * parts - what the files that make a generation's tables have in common, and nobody else.
 *
 *     tables.c  sizes, constants, the program verified; what is asked of it later
 *     fill.c    a plan's own tables, as the program reads them
 *     feeds.c   what is on feeds, in two banks
 *     more.c    one more hook by the same tables, and those of an earlier process
 */
#ifndef TEG_HOOK_TABLES_PARTS_H
#define TEG_HOOK_TABLES_PARTS_H

#include <bpf/libbpf.h>

#include "enforcer/hook/atlas/atlas.h"
#include "enforcer/hook/tables/steps.h"
#include "enforcer/hook/tables/tables.h"
#include "enforcer/hook/trie.h"
#include "lang/bundle/bulk_pack.h"

struct tables {
	int program[TEG_HOOKS];
	int zones, zones_far, clock;
	int feeds, feeding;
	uint32_t feed_words; /* of each bank of feeds */
	uint32_t fed, to_feed; /* what gen_feeding says, and is to say: see tables_feed() */
};

/* Without descriptors; NULL where there is no memory. */
struct tables *tables_new(void);

/* A descriptor of our own for the same. */
int tables_duplicate(int *out, int fd, struct err *why);

/* What is made of a plan before its tables are: in the form that the program reads. */
struct made {
	struct trie sets;
	struct atlas atlas; /* of the sets, when they are too many for the trie */
	struct bulk_words bulk;
	struct steps_laid steps;
	uint32_t feed_words;
};

/* The plan's tables into the maps of a loaded object. */
int tables_fill(struct bpf_object *o, const struct tables_load *load, const struct made *made, struct err *why);

/* Of gen_cells: the boxes, and as many cells behind them as a part may read too far. */
uint32_t tables_cells_room(const struct plan *p);

/* Of a bank of gen_feeds; 0 for a policy without feeds. And what the kernel says of the banks that there are. */
uint32_t tables_feed_words(const struct tables_load *load);
int tables_look_at_feeds(struct tables *t, struct err *why);

/* An object, and its program of this policy, before the kernel has seen them and after. */
struct opened {
	struct bpf_object *object;
	struct bpf_program *program;
	char *log; /* the verifier's; NULL where there was no memory for it */
};

void opened_own_(struct opened *o);

/* For the load's hook and plan: what of it is sized and shared is the caller's to say before it is loaded. */
int opened_open(struct opened *out, const struct tables_load *load, struct err *why);
int opened_load(struct opened *o, struct err *why);

#endif
