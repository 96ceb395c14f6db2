/*
 * held - values of a selector, between the text of nft and the packets they stand for.
 *
 *     text ──► held (held.c) ──► region (meant.c) ──► match
 *
 * What is asked of one selector is held until all its values are known, and becomes one box; a joined
 * element ("10.0.0.1 . 22") is a box each. A value that is surely asked for is held twice: what is
 * perhaps asked for holds what surely is.
 *
 * Functions that read move the part behind what they have read; they return 0, or -EINVAL with the
 * place in cx->why.
 */
#ifndef TEG_IMPORT_NFT_HELD_H
#define TEG_IMPORT_NFT_HELD_H

#include "compiler/import/nft/match.h"

enum sure { PERHAPS, SURE, SURES };

struct held {
	struct {
		VEC(struct addr_range) nets[FAMILY_COUNT];
		VEC(struct range) numbers;
		uint64_t bits; /* states, zones, families, combinations of flags: by the look */
	} of[SURES];
	bool any;	     /* perhaps every value */
	const char *unknown; /* why it is */
};

enum nft_operator { IS, IS_NOT, NONE_OF, BELOW, UP_TO, ABOVE, FROM };

/* An element of a set or a map, as far as its key goes. */
struct nft_element {
	struct held at[NFT_CONCAT_MAX];
	bool others; /* "*": what no other element has */
	const struct nft_token *place;
};

/* --- held.c: one value. `firm`: it is surely there, not for a time or up to a limit ------------------- */

bool nft_is_value(const struct nft_token *t);
void nft_skip_lines(struct nft_part *p);
/* A value that is not known, up to what may stand behind it; false when none is there. */
bool nft_skip_value(struct nft_part *p);
int nft_read_value(struct nft_context *cx, struct nft_part *p, const struct nft_selector *s, bool firm, struct held *h);
/* Below, above: the numbers from one end to the value. */
int nft_read_side(struct nft_context *cx, struct nft_part *p, const struct nft_selector *s, enum nft_operator o, struct held *h);
/* "syn", "syn | ack", "(fin|syn)", "0x2"; with commas when they may stand there. */
int nft_read_flags(struct nft_context *cx, struct nft_part *p, bool commas, unsigned *out);

void held_doubt(struct held *h, const char *why);
/* What h holds since it was `was` is perhaps there. Only lengths are taken back: was's arrays may have grown away. */
void held_unsure(struct held *h, const struct held *was, const char *why);
void held_flags(struct held *h, unsigned mask, unsigned want, bool firm);
void held_flip_flags(struct held *h);

/* --- meant.c: packets -------------------------------------------------------------------------------------- */

/* Those whose field has one of the values. */
struct region held_region(struct nft_context *cx, const struct nft_selector *s, const struct held *h, enum sure sure);
/* Those that have a value of each of l's selectors; h has one for each. */
void held_meet(struct nft_context *cx, const struct nft_lhs *l, const struct held *h, struct region *sure, struct region *perhaps);
/* What is asked of them that is not known, or NULL. */
const char *held_unknown(const struct nft_lhs *l, const struct held *h);
/* What is asked, of those that have it; negated: all of those that is not asked. */
void nft_settle(struct nft_context *cx, const struct nft_lhs *l, struct region sure, struct region perhaps, bool negated,
		struct nft_match *out);
void nft_add_odd(struct arena *a, struct region *to, const struct nft_lhs *l);

/* --- set.c: elements ---------------------------------------------------------------------------------------- */

int nft_read_key(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, bool firm, struct nft_element *out);
/* A set in braces, from the first on; a set by its name. */
int nft_read_set(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, bool negated, struct nft_match *out);
int nft_read_named(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, bool negated, struct nft_match *out);
/* The set or map whose name is due, or NULL. */
struct nft_set *nft_set_due(struct nft_context *cx, struct nft_part *p);

#endif
