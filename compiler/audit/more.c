#include "compiler/audit/more.h"

bool audit_more_is(const struct plan *plan, const struct bulk_words *words, uint64_t more, const struct teg_box *b)
{
	const uint64_t except = plan->rules[b->rule].except;
	const bool none = b->zones == UINT64_MAX && !b->src && !b->dst && !b->flags_mask && !except;

	if (none || !more)
		return none && !more;
	if (more >= words->mores)
		return false;
	const uint64_t *m = &words->at[more * TEG_BULK_MORE];
	return m[0] == b->zones && m[1] == (b->src ? b->src : TEG_SET_ANY) && m[2] == (b->dst ? b->dst : TEG_SET_ANY) &&
	       m[3] == except && m[4] == ((uint64_t)b->flags_want << 8 | b->flags_mask);
}

bool audit_drop_is(uint64_t last, const struct teg_rule *r)
{
	const bool only_drops = r->act == TEG_ACT_DROP && r->one_in == 1 && !r->tells && !r->block_ns && !r->cost_ns;

	return !(last & TEG_BULK_PLAIN) || (only_drops && TEG_BULK_SLOT(last) == r->counter_slot);
}
