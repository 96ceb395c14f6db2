/*
 * value.c - the right side of a match: an operator, and values, a set or bits.
 */
#include "compiler/import/nft/held.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static enum nft_operator read_operator(struct nft_part *p, bool *written)
{
	static const struct { const char *sign, *word; enum nft_operator is; } rows[] = {
		{ "==", "eq", IS }, { "!=", "ne", IS_NOT }, { "!", "!", NONE_OF }, { "<", "lt", BELOW }, { "<=", "le", UP_TO },
		{ ">", "gt", ABOVE }, { ">=", "ge", FROM },
	};

	*written = true;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (nft_eat(p, rows[i].sign) || nft_eat(p, rows[i].word))
			return rows[i].is;
	*written = false;
	return IS;
}

/* tcp flags syn; syn,ack; == syn; != syn; & (fin|syn) == syn; syn / fin,syn; ! syn */
static int read_flag_match(struct nft_context *cx, struct nft_part *p, struct held *h)
{
	unsigned mask = 0, want = 0;
	bool masked = nft_eat(p, "&") || nft_eat(p, "and"), written;
	int rc = masked ? nft_read_flags(cx, p, false, &mask) : 0;
	enum nft_operator o = rc ? IS : read_operator(p, &written);

	if (!rc && masked && nft_eat(p, "{")) {
		do {
			rc = nft_read_flags(cx, p, false, &want);
			held_flags(h, mask, want, !rc);
		} while (!rc && nft_eat(p, ","));
		if (o == IS_NOT)
			held_flip_flags(h);
		return rc || nft_eat(p, "}") ? rc : nft_refuse(cx->why, nft_peek(p), "} is due");
	}
	rc = rc ? rc : nft_read_flags(cx, p, !masked, &want);
	if (!rc && !masked && nft_eat(p, "/")) {
		masked = true;
		rc = nft_read_flags(cx, p, true, &mask);
	}
	if (rc)
		return rc;
	if (o != IS && o != IS_NOT && o != NONE_OF)
		return nft_refuse(cx->why, nft_peek(p), "flags are not compared so");
	if (!masked && !written && want) { /* any of them */
		held_flags(h, want, 0, true);
		held_flip_flags(h);
	} else if (o == NONE_OF) {
		held_flags(h, want, 0, true);
	} else {
		held_flags(h, masked ? mask : 0xff, want, true);
		if (o == IS_NOT)
			held_flip_flags(h);
	}
	return 0;
}
/* Values without braces: one, or several with commas where they are bits. */
static int read_bare(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *l, enum nft_operator o, struct held h[NFT_CONCAT_MAX])
{
	bool bits = l->len == 1 && (l->at[0].look == LOOK_STATE || l->at[0].look == LOOK_STATUS || l->at[0].look == LOOK_UNKNOWN);
	int rc = 0;

	if (l->len == 1 && l->at[0].look == LOOK_UNKNOWN) {
		do
			if (!nft_skip_value(p))
				return nft_refuse(cx->why, nft_peek(p), "a value is due");
		while (nft_eat(p, ","));
		held_doubt(&h[0], l->at[0].words);
		return 0;
	}
	if (l->len == 1 && l->at[0].look == LOOK_FLAGS)
		return read_flag_match(cx, p, &h[0]);
	if (o == BELOW || o == UP_TO || o == ABOVE || o == FROM)
		return l->len == 1 ? nft_read_side(cx, p, &l->at[0], o, &h[0]) : nft_refuse(cx->why, nft_peek(p), "joined values have no order");
	for (size_t i = 0; i < l->len && !rc; i++) {
		if (i && !nft_eat(p, "."))
			return nft_refuse(cx->why, nft_peek(p), ". and one more value are due");
		do
			rc = nft_read_value(cx, p, &l->at[i], true, &h[i]);
		while (!rc && bits && nft_eat(p, ","));
	}
	return rc;
}

int nft_read_rhs(struct nft_context *cx, struct nft_part *p, const struct nft_lhs *lhs, struct nft_match *out)
{
	static const char *const bitwise[] = { "&", "and", "|", "or", "^", "xor", "<<", ">>" };
	struct nft_lhs masked = *lhs, *l = &masked;
	struct held h[NFT_CONCAT_MAX] = { 0 };
	struct nft_part before;
	enum nft_operator o = IS;
	bool written;
	int rc;

	*out = (struct nft_match){ 0 };
	for (size_t i = 0; i < COUNT(bitwise) && !(l->len == 1 && l->at[0].look == LOOK_FLAGS); i++)
		if (nft_eat(p, bitwise[i])) {
			if (!nft_skip_value(p))
				return nft_refuse(cx->why, nft_peek(p), "a value is due");
			l->at[0].look = LOOK_UNKNOWN;
			i = 0;
		}
	before = *p;
	o = read_operator(p, &written);
	if (nft_eat(p, "@"))
		return o == IS || o == IS_NOT ? nft_read_named(cx, p, l, o == IS_NOT, out) : nft_refuse(cx->why, nft_peek(p), "a set has no order");
	if (nft_is(nft_peek(p), "{"))
		return nft_read_set(cx, p, l, o != IS, out);
	if (l->len == 1 && l->at[0].look == LOOK_FLAGS) { /* it reads its operator itself */
		*p = before;
		o = IS;
	}
	rc = read_bare(cx, p, l, o, h);
	if (rc)
		return rc;
	struct region sure, perhaps;

	held_meet(cx, l, h, &sure, &perhaps);
	out->unknown = held_unknown(l, h);
	nft_settle(cx, l, sure, perhaps, o == IS_NOT || o == NONE_OF, out);
	return 0;
}
