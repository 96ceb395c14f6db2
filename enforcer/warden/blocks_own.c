/*
 * blocks_own.c - addresses of this host that lie in networks which were blocked before they came.
 */
#include <stdio.h>

#include "enforcer/warden/blocks.h"
#include "enforcer/warden/blocks_seen.h"
#include "lang/base/own.h"

/* Some network is blocked, as far as can be told without looking for any. */
static int any_network(bool *out, struct kernel *k, const struct block_places *at, struct err *why)
{
	struct block_lengths lengths = { 0 };
	int rc = at->nft[BLOCK_NETS][FAMILY_IP4] ? block_lengths_look(&lengths, k, why) : 0;

	*out = lengths.in_use[FAMILY_IP4] || lengths.in_use[FAMILY_IP6] || (k->active && __atomic_load_n(&k->active->nets, __ATOMIC_RELAXED));
	return rc;
}

static int see_own(struct block_seen **out, uint32_t *count, struct kernel *k, const struct block_places *at, struct arena *a, struct err *why)
{
	struct addresses own;
	int rc = kernel_self(k, &own, why);

	if (rc)
		return rc;
	*count = (uint32_t)own.len;
	*out = arena_zero(a, (own.len + 1) * sizeof **out);
	for (size_t i = 0; i < own.len; i++)
		(*out)[i].source = block_host(own.at[i].addr);
	rc = blocks_see(k, &(struct block_question){ at, false }, *out, *count, a, why);
	for (size_t i = 0; i < own.len; i++) /* as people know it */
		(*out)[i].source = own.at[i];
	return rc;
}

static void tell_own(struct blocks_own *out, const struct block_seen *seen, uint32_t count)
{
	char own[ADDR_TEXT], net[ADDR_TEXT];
	const struct block_seen *first = NULL;

	out->count = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (!seen[i].around.len)
			continue;
		first = first ? first : &seen[i];
		out->count++;
	}
	*out->text = '\0';
	if (!first)
		return;
	int len = snprintf(out->text, sizeof out->text, "%s, an address of this host, lies in the network %s, which was blocked before it came: "
			   "nobody else of that network reaches this host; tegctl unblock %s", prefix_print(first->source, own),
			   prefix_print(first->around, net), net);
	if (out->count > 1)
		snprintf(out->text + len, sizeof out->text - (size_t)len, ". %u addresses lie in blocked ones in all", out->count);
}

int blocks_own(struct blocks_own *out, struct kernel *k, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct block_seen *seen = NULL;
	struct block_places at;
	uint32_t count = 0;
	bool any = false;
	int rc = block_places_find(&at, k, why);

	if (!rc)
		rc = any_network(&any, k, &at, why);
	if (!rc && any)
		rc = see_own(&seen, &count, k, &at, a, why);
	if (!rc)
		tell_own(out, seen, count);
	return rc ? err_in(why, "it is not known whether addresses of this host lie in blocked networks") : 0;
}
