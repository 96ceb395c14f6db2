#include "enforcer/nft/layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lang/base/strmap.h"
#include "lang/vocab/verdict.h"

/* enum nf_inet_hooks of linux/netfilter.h */
static const uint32_t hook_of[DIRECTION_COUNT] = {
	[DIRECTION_IN] = 1, [DIRECTION_FORWARD] = 2, [DIRECTION_OUT] = 3,
};
#define NETDEV_INGRESS 0u

/* Before the filter hooks of others (0), after connection tracking (-200); one each, that two can stand together. */
static int32_t priority(char bank, enum layout_place place)
{
	return place == LAYOUT_NEXT ? -3 : bank == 'a' ? -5 : -4;
}

static const char *ending(enum layout_place place)
{
	return place == LAYOUT_NEXT ? ".next" : "";
}

static void hook_name(char out[static LAYOUT_NAME], char bank, enum direction d, enum layout_place place)
{
	snprintf(out, LAYOUT_NAME, "%c_hook_%s%s", bank, direction_name(d), ending(place));
}

static void port_name(char out[static LAYOUT_NAME], char bank, uint32_t ifindex, enum layout_place place)
{
	snprintf(out, LAYOUT_NAME, "%c_hook_ingress.%u%s", bank, ifindex, ending(place));
}

static void rules_in(struct filter_change *c, const char *chain, char bank, enum direction d, const char *posture)
{
	char pre[LAYOUT_NAME], to[LAYOUT_NAME];

	snprintf(pre, sizeof pre, "%c_pre_%s", bank, direction_name(d));
	snprintf(to, sizeof to, "%c_%s_%s", bank, posture, direction_name(d));
	filter_change_jump(c, FILTER_INET, chain, pre);
	filter_change_goto(c, FILTER_INET, chain, to);
}

static void rules_ingress(struct filter_change *c, const char *chain, char bank, const char *posture)
{
	char to[LAYOUT_NAME];

	snprintf(to, sizeof to, "%c_epiderme_%s", bank, posture);
	filter_change_goto(c, FILTER_NETDEV, chain, to);
}

int sight_look(struct sight *out, struct filter *f, unsigned want, struct err *why)
{
	out->arena = arena_new();
	return filter_look(f, &out->live, want, out->arena, why);
}

void sight_own_(struct sight *s)
{
	filter_change_release(&s->change);
	arena_free(s->arena);
}

static const struct filter_chain *chain_find(const struct filter_live *live, enum filter_table t, const char *name)
{
	for (size_t i = 0; i < live->chain_count; i++)
		if (live->chains[i].table == t && !strcmp(live->chains[i].name, name))
			return &live->chains[i];
	return NULL;
}

/* ---- hooks -------------------------------------------------------------------------- */

void layout_hook_port(struct filter_change *c, char bank, const char *posture, const struct port *p,
		      enum layout_place place)
{
	char chain[LAYOUT_NAME];
	const struct filter_hook hook = { FILTER_NETDEV, chain, NETDEV_INGRESS, p->name, priority(bank, place) };

	port_name(chain, bank, p->ifindex, place);
	filter_change_hook(c, &hook);
	rules_ingress(c, chain, bank, posture);
}

void layout_hook_layer4(struct filter_change *c, char bank, const char *posture, enum layout_place place)
{
	char chain[LAYOUT_NAME];

	for (unsigned d = 0; d < DIRECTION_COUNT; d++) {
		const struct filter_hook hook = { FILTER_INET, chain, hook_of[d], NULL, priority(bank, place) };

		hook_name(chain, bank, (enum direction)d, place);
		filter_change_hook(c, &hook);
		rules_in(c, chain, bank, (enum direction)d, posture);
	}
}

/* Behind the filters of others, of whatever priority is usual (NF_IP_PRI_LAST but for our own room). */
#define COOKIES_PRIORITY 290

static void cookies_name(char out[static LAYOUT_NAME], char bank)
{
	snprintf(out, LAYOUT_NAME, "%c_hook_cookies", bank);
}

static const struct filter_chain *cookies_of(const struct filter_live *live, char bank)
{
	char chain[LAYOUT_NAME];

	snprintf(chain, sizeof chain, "%c_cookies", bank);
	return chain_find(live, FILTER_INET, chain);
}

void layout_hook_cookies(struct filter_change *c, const struct filter_live *live, char bank)
{
	char chain[LAYOUT_NAME];
	const struct filter_hook hook = { FILTER_INET, chain, hook_of[DIRECTION_FORWARD], NULL, COOKIES_PRIORITY + (bank == 'b') };

	if (!cookies_of(live, bank))
		return;
	cookies_name(chain, bank);
	filter_change_hook(c, &hook);
	filter_change_goto(c, FILTER_INET, chain, cookies_of(live, bank)->name);
}

int layout_check_cookies(struct filter *f, const struct filter_live *live, char bank, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	char chain[LAYOUT_NAME], want[LAYOUT_NAME];
	const char *ways;

	if (!cookies_of(live, bank))
		return 0;
	cookies_name(chain, bank);
	snprintf(want, sizeof want, "goto %c_cookies", bank);
	int rc = filter_ways(f, FILTER_INET, chain, a, &ways, why);
	return rc || !strcmp(ways, want) ? rc : err_set(why, EUCLEAN, "nft: the hook of SYN cookies leads elsewhere");
}

void layout_hook_ports(struct filter_change *c, char bank, const char *posture, const struct ports *p,
		       enum layout_place place)
{
	for (size_t i = 0; i < p->len; i++)
		if (p->at[i].engine == PORT_NFT)
			layout_hook_port(c, bank, posture, &p->at[i], place);
}

void layout_hook(struct filter_change *c, char bank, const char *posture, const struct ports *p,
		 enum layout_place place)
{
	layout_hook_layer4(c, bank, posture, place);
	layout_hook_ports(c, bank, posture, p, place);
}

static bool is_next(const struct filter_chain *c)
{
	size_t len = strlen(c->name);

	return c->hooked && len > 5 && !strcmp(c->name + len - 5, ".next");
}

static bool is_hook_of(const struct filter_chain *c, char bank)
{
	return c->hooked && c->name[0] == bank && !strncmp(c->name + 1, "_hook_", 6) && !is_next(c);
}

void layout_select(struct filter_change *c, const struct filter_live *live, char bank, const char *posture)
{
	char chain[LAYOUT_NAME];

	for (unsigned d = 0; d < DIRECTION_COUNT; d++) {
		hook_name(chain, bank, (enum direction)d, LAYOUT_HERE);
		filter_change_flush(c, FILTER_INET, chain);
		rules_in(c, chain, bank, (enum direction)d, posture);
	}
	for (size_t i = 0; i < live->chain_count; i++) {
		const struct filter_chain *at = &live->chains[i];

		if (at->table != FILTER_NETDEV || !is_hook_of(at, bank))
			continue;
		filter_change_flush(c, FILTER_NETDEV, at->name);
		rules_ingress(c, at->name, bank, posture);
	}
}

/* ---- dropping ------------------------------------------------------------------------ */

static void drop_named(struct filter_change *c, enum filter_table t, const char *chain)
{
	filter_change_flush(c, t, chain);
	filter_change_no_chain(c, t, chain);
}

static void drop(struct filter_change *c, const struct filter_chain *at)
{
	drop_named(c, at->table, at->name);
}

void layout_unhook(struct filter_change *c, char bank, const struct ports *p, enum layout_place place)
{
	char chain[LAYOUT_NAME];

	for (unsigned d = 0; d < DIRECTION_COUNT; d++) {
		hook_name(chain, bank, (enum direction)d, place);
		drop_named(c, FILTER_INET, chain);
	}
	for (size_t i = 0; i < p->len; i++)
		if (p->at[i].engine == PORT_NFT) {
			port_name(chain, bank, p->at[i].ifindex, place);
			drop_named(c, FILTER_NETDEV, chain);
		}
}

void layout_drop_next(struct filter_change *c, const struct filter_live *live)
{
	for (size_t i = 0; i < live->chain_count; i++)
		if (is_next(&live->chains[i]))
			drop(c, &live->chains[i]);
}

void layout_drop_others(struct filter_change *c, const struct filter_live *live, char bank)
{
	for (size_t i = 0; i < live->chain_count; i++)
		if (live->chains[i].hooked && !is_hook_of(&live->chains[i], bank))
			drop(c, &live->chains[i]);
}

static bool is_port_of(const struct filter_chain *c, char bank, const struct ports *p)
{
	char chain[LAYOUT_NAME];

	for (size_t i = 0; i < p->len; i++) {
		port_name(chain, bank, p->at[i].ifindex, LAYOUT_HERE);
		if (p->at[i].engine == PORT_NFT && !strcmp(chain, c->name) && !strcmp(c->device, p->at[i].name))
			return true;
	}
	return false;
}

void layout_drop_ports(struct filter_change *c, const struct filter_live *live, char bank, const struct ports *p)
{
	for (size_t i = 0; i < live->chain_count; i++) {
		const struct filter_chain *at = &live->chains[i];

		if (at->table == FILTER_NETDEV && is_hook_of(at, bank) && !is_port_of(at, bank, p))
			drop(c, at);
	}
}

static bool is_in_bank(const struct filter_chain *c, char bank)
{
	return c->name[0] == bank && c->name[1] == '_';
}

/* Chains refer to each other: all are emptied before the first goes. */
static void drop_chains(struct filter_change *c, const struct filter_live *live,
			bool (*goes)(const struct filter_chain *, char bank), char bank)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < live->chain_count; i++) {
			const struct filter_chain *at = &live->chains[i];

			if (!goes(at, bank))
				continue;
			if (!pass)
				filter_change_flush(c, at->table, at->name);
			else
				filter_change_no_chain(c, at->table, at->name);
		}
}

static bool is_loose_in_bank(const struct filter_chain *c, char bank)
{
	return !c->hooked && is_in_bank(c, bank);
}

static bool is_loose_elsewhere(const struct filter_chain *c, char bank)
{
	return !c->hooked && !is_in_bank(c, bank);
}

void layout_clear(struct filter_change *c, const struct filter_live *live, char bank)
{
	drop_chains(c, live, is_loose_in_bank, bank);
}

void layout_clear_others(struct filter_change *c, const struct filter_live *live, char bank)
{
	drop_chains(c, live, is_loose_elsewhere, bank);
}

void layout_drop_bank(struct filter_change *c, const struct filter_live *live, char bank)
{
	drop_chains(c, live, is_in_bank, bank);
}

void layout_collect(struct filter_change *c, const struct filter_live *live, const struct plan *plan)
{
	own(arena) struct arena *a = arena_new();
	struct strmap kept;

	strmap_init(&kept, a);
	for (uint32_t i = 0; i < plan->nft_keep_count; i++)
		strmap_put(&kept, plan->nft_keep[i], a);
	for (size_t i = 0; i < live->set_count; i++)
		if (!strmap_find(&kept, live->sets[i].name))
			filter_change_no_set(c, live->sets[i].table, live->sets[i].name);
	for (size_t i = 0; i < live->counter_count; i++)
		if (!strmap_find(&kept, live->counters[i].name))
			filter_change_no_counter(c, live->counters[i].table, live->counters[i].name);
}

/* ---- looking ------------------------------------------------------------------------- */

bool layout_is_hooked(const struct filter_live *live, char bank)
{
	char chain[LAYOUT_NAME];

	hook_name(chain, bank, DIRECTION_IN, LAYOUT_HERE);
	const struct filter_chain *c = chain_find(live, FILTER_INET, chain);
	return c && c->hooked;
}

/* A hook of this number on another name is that of a port before it was renamed. */
bool layout_has_port(const struct filter_live *live, char bank, const struct port *p)
{
	char chain[LAYOUT_NAME];

	port_name(chain, bank, p->ifindex, LAYOUT_HERE);
	const struct filter_chain *c = chain_find(live, FILTER_NETDEV, chain);
	return c && c->hooked && !strcmp(c->device, p->name);
}

bool layout_has_epiderme(const struct filter_live *live, char bank)
{
	for (size_t i = 0; i < live->chain_count; i++)
		if (live->chains[i].table == FILTER_NETDEV && live->chains[i].name[0] == bank && !live->chains[i].hooked)
			return true;
	return false;
}

/* Does this chain hold exactly the rules that a hook has in posture `posture`? */
static bool ways_are(const char *ways, enum filter_table t, char bank, enum direction d, const char *posture)
{
	char want[3 * LAYOUT_NAME];

	if (t == FILTER_NETDEV)
		snprintf(want, sizeof want, "goto %c_epiderme_%s", bank, posture);
	else
		snprintf(want, sizeof want, "jump %c_pre_%s; goto %c_%s_%s", bank, direction_name(d), bank, posture,
			 direction_name(d));
	return !strcmp(ways, want);
}

int layout_check_port(struct filter *f, char bank, const char *posture, const struct port *p, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	char chain[LAYOUT_NAME];
	const char *ways;

	port_name(chain, bank, p->ifindex, LAYOUT_HERE);
	int rc = filter_ways(f, FILTER_NETDEV, chain, a, &ways, why);
	if (rc || ways_are(ways, FILTER_NETDEV, bank, DIRECTION_IN, posture))
		return rc;
	return err_set(why, EUCLEAN, "nft: the hook on %s is gone, or leads elsewhere", p->name);
}

static int disagree(const char *chain, struct err *why)
{
	return err_set(why, ENOENT, "chain %s selects no posture of the policy, or another than its neighbours", chain);
}

/* Every hook of the bank at this place must have the rules of one posture. */
static int agree_on(struct filter *f, const struct filter_live *live, char bank, const struct plan *plan,
		    enum layout_place place, uint32_t posture, struct arena *a, struct err *why)
{
	char chain[LAYOUT_NAME];
	const char *ways;

	for (unsigned d = 0; d < DIRECTION_COUNT; d++) {
		hook_name(chain, bank, (enum direction)d, place);
		int rc = filter_ways(f, FILTER_INET, chain, a, &ways, why);
		if (rc)
			return rc;
		if (!ways_are(ways, FILTER_INET, bank, (enum direction)d, plan->postures[posture].name))
			return disagree(chain, why);
	}
	for (size_t i = 0; place == LAYOUT_HERE && i < live->chain_count; i++) {
		const struct filter_chain *c = &live->chains[i];

		if (c->table != FILTER_NETDEV || !is_hook_of(c, bank))
			continue;
		int rc = filter_ways(f, FILTER_NETDEV, c->name, a, &ways, why);
		if (rc)
			return rc;
		if (!ways_are(ways, FILTER_NETDEV, bank, DIRECTION_IN, plan->postures[posture].name))
			return disagree(c->name, why);
	}
	return 0;
}

int layout_posture(struct filter *f, const struct filter_live *live, char bank, const struct plan *plan,
		   enum layout_place place, uint32_t *out, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	char chain[LAYOUT_NAME];
	const char *ways;

	hook_name(chain, bank, DIRECTION_IN, place);
	int rc = filter_ways(f, FILTER_INET, chain, a, &ways, why);
	if (rc)
		return rc;
	for (uint32_t p = 0; p < plan->posture_count; p++) {
		if (!ways_are(ways, FILTER_INET, bank, DIRECTION_IN, plan->postures[p].name))
			continue;
		rc = agree_on(f, live, bank, plan, place, p, a, why);
		if (!rc)
			*out = p;
		return rc;
	}
	return disagree(chain, why);
}

