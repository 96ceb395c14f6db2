/*
 * layout - how a generation stands in our nft tables.
 *
 *     bank 'a'                                      bank 'b', the next generation
 *       a_hook_in         ──► a_pre_in, a_P_in        b_pre_in … (loose: no packet comes by)
 *       a_hook_forward    ──► …
 *       a_hook_out        ──► …
 *       a_hook_ingress.3  ──► a_epiderme_P            netdev, on the interface with index 3
 *       a_hook_cookies    ──► a_cookies               behind everybody's filters of what is forwarded
 *       a_hook_in.next    ──► a_pre_in, a_Q_in        while posture P changes to Q
 *
 * Only hooks are made here, each with the rules that say the posture; all else
 * comes in batches from the compiler. Two hooks side by side admit what both
 * admit: an accept goes on to the next base chain, a drop is final.
 */
#ifndef TEG_NFT_LAYOUT_H
#define TEG_NFT_LAYOUT_H

#include "enforcer/hook/ports.h"
#include "enforcer/nft/filter.h"

enum layout_place { LAYOUT_HERE, LAYOUT_NEXT };

#define LAYOUT_NAME 192 /* room for a chain's name */

static inline char bank_other(char bank)
{
	return bank == 'a' ? 'b' : 'a';
}

/*
 * A change by what is there:
 *
 *     own(sight) struct sight seen = { 0 };
 *     if (sight_look(&seen, filter, FILTER_WANT_CHAINS, why)) ...
 *     layout_drop_next(&seen.change, &seen.live);
 *     filter_commit(filter, &seen.change, why)
 */
struct sight {
	struct arena *arena;
	struct filter_live live;
	struct filter_change change;
};

int sight_look(struct sight *out, struct filter *f, unsigned want, struct err *why);
void sight_own_(struct sight *s);

/* ---- changes ----------------------------------------------------------------- */

/* Hooks for layer 4; on the ports that nft judges, for layers 1 to 3; and both. */
void layout_hook_layer4(struct filter_change *c, char bank, const char *posture, enum layout_place place);
void layout_hook_ports(struct filter_change *c, char bank, const char *posture, const struct ports *p,
		       enum layout_place place);
void layout_hook(struct filter_change *c, char bank, const char *posture, const struct ports *p,
		 enum layout_place place);

/* SYN cookies for what is forwarded, when the bank has chains for them: behind everybody's filters. */
void layout_hook_cookies(struct filter_change *c, const struct filter_live *live, char bank);
/* -EUCLEAN when the bank has chains for them and no hook that leads there. */
int layout_check_cookies(struct filter *f, const struct filter_live *live, char bank, struct err *why);

/* What layout_hook() has hooked goes again. */
void layout_unhook(struct filter_change *c, char bank, const struct ports *p, enum layout_place place);

/* One more interface. */
void layout_hook_port(struct filter_change *c, char bank, const char *posture, const struct port *p,
		      enum layout_place place);

/* The hooks that are there now select this posture. */
void layout_select(struct filter_change *c, const struct filter_live *live, char bank, const char *posture);

/* What stands beside: the hooks `.next` of the bank; every hook but the bank's own; ports that are gone. */
void layout_drop_next(struct filter_change *c, const struct filter_live *live);
void layout_drop_others(struct filter_change *c, const struct filter_live *live, char bank);
void layout_drop_ports(struct filter_change *c, const struct filter_live *live, char bank, const struct ports *p);

/* Loose chains of a bank; those of no bank or another one; all hooks and chains of a bank. */
void layout_clear(struct filter_change *c, const struct filter_live *live, char bank);
void layout_clear_others(struct filter_change *c, const struct filter_live *live, char bank);
void layout_drop_bank(struct filter_change *c, const struct filter_live *live, char bank);

/* Sets and counters that the plan does not keep. */
void layout_collect(struct filter_change *c, const struct filter_live *live, const struct plan *plan);

/* ---- looking ------------------------------------------------------------------- */

/* Do hooks for layer 4 stand in this bank? */
bool layout_is_hooked(const struct filter_live *live, char bank);
bool layout_has_port(const struct filter_live *live, char bank, const struct port *p);
/* -EUCLEAN: what judges on the port's arrivals is not its hook, in this posture. Asks for that hook alone, without the list of chains. */
int layout_check_port(struct filter *f, char bank, const char *posture, const struct port *p, struct err *why);
bool layout_has_epiderme(const struct filter_live *live, char bank);

/* The posture that the bank's hooks select, by index; -ENOENT when they do not agree on one. */
int layout_posture(struct filter *f, const struct filter_live *live, char bank, const struct plan *plan,
		   enum layout_place place, uint32_t *out, struct err *why);

#endif
