/*
 * own.c - addresses of this host that lie in blocked networks.
 */
#include <stdio.h>

#include "enforcer/warden/blocks/blocks.h"
#include "enforcer/warden/blocks/seen.h"
#include "lang/base/own.h"

/* As far as can be told without looking for any. */
static bool may_be_any(const struct kernel *k, const struct block_places *at)
{
	return at->nft[BLOCK_NETS][FAMILY_IP4] || kernel_has_blocks(k);
}

/* What would be blocked for it; a network is one that a local route made this host's own. */
static struct prefix as_source(struct prefix own)
{
	const struct prefix host = block_host(own.addr);

	return own.len < host.len ? own : host;
}

/* A /64 is around an address of its own, a block of just what is this host's own around nobody. */
static void widen(struct block_seen *one, struct prefix own)
{
	if (one->is && one->source.len < own.len)
		one->around = one->source;
	one->source = own; /* as people know it */
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
		(*out)[i].source = as_source(own.at[i]);
	rc = blocks_see(k, &(struct block_question){ at, false }, *out, *count, a, why);
	for (size_t i = 0; i < own.len; i++)
		widen(&(*out)[i], own.at[i]);
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
	int len = snprintf(out->text, sizeof out->text, "%s, an address of this host, lies in the network %s, which is blocked: "
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
	int rc = block_places_find(&at, k, why);

	if (!rc && may_be_any(k, &at))
		rc = see_own(&seen, &count, k, &at, a, why);
	if (!rc)
		tell_own(out, seen, count);
	return rc ? err_in(why, "it is not known whether addresses of this host lie in blocked networks") : 0;
}
