/*
 * reflex - does a reflex decide: its rate, its answer with a cookie, what it only tells.
 */
#ifndef TEG_REFLEX_H
#define TEG_REFLEX_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf-templates/act.h"
#include "bpf-templates/config.h"
#include "bpf-templates/cookie.h"
#include "bpf-templates/limit.h"
#include "bpf-templates/sets.h"
#include "bpf-templates/walk.h"

/* What reflex_decides() says beside what a limit does: it is counted, told, and done. */
enum { REFLEX_ANSWERED = LIMIT_OVER_TOGETHER + 1, REFLEX_REFUSED };

/* The packet is over: on when the listener has room, else answered or not, counted and told before it is another. */
static __always_inline int reflex_answers(struct frame_ctx *ctx, const struct pkt *p, const struct teg_active *active,
					  const struct teg_rule *rule)
{
	const bool tries = gen_config.host & TEG_HOST_GIVEN_CLOCK;

	if (!tries && !sets_is_self(&p->dst))
		return LIMIT_WITHIN; /* layer 4 answers for servers behind this host */
	const __u32 heads = tries ? 0 : cookie_heads(ctx);
	const __u64 made = tries ? COOKIE_NONE : cookie_make(ctx, p, heads);

	if (made == COOKIE_ROOM)
		return LIMIT_WITHIN;
	rule_acts(ctx, p, active, rule, made == COOKIE_NONE ? 0 : TEG_DOES_ANSWER);
	return made != COOKIE_NONE && cookie_answer(ctx, p, heads, made) ? REFLEX_ANSWERED : REFLEX_REFUSED;
}

/*
 * reflex_goes_on - LIMIT_WITHIN when the packet goes on though the rule's rate was exceeded, or it has none: to the rule that
 * only tells, which has done so, and to a listener that has room; else what to do. A function of its own, as limit_over() is.
 */
__noinline int reflex_goes_on(struct frame_ctx *ctx, const struct pkt *p, const struct teg_active *active,
			      const struct teg_rule *rule, int over)
{
	if (!p || !active || !rule)
		return LIMIT_WITHIN;
	if (asks(TEG_ASKS_COOKIES) && rule->act == TEG_ACT_COOKIES)
		return reflex_answers(ctx, p, active, rule);
	if (!asks(TEG_ASKS_WATCHES) || rule->act != TEG_ACT_TELL)
		return over;
	rule_acts(ctx, p, active, rule, 0);
	return LIMIT_WITHIN;
}

/* Most packets are within their rate, and cost one call; or none, when it is asked `here`. */
static __always_inline int reflex_decides(const struct walk *w, const struct teg_rule *rule, const bool here)
{
	int over = LIMIT_OVER;

	if (asks(TEG_ASKS_CLOCK) && rule->cost_ns)
		over = here ? limit_over_here(w->p, rule, bucket_ns()) : limit_over(w->p, rule, bucket_ns());
	if (over && asks(TEG_ASKS_COOKIES | TEG_ASKS_WATCHES) && rule->act != TEG_ACT_DROP)
		over = reflex_goes_on(w->ctx, w->p, w->active, rule, over);
	return over;
}

#endif /* TEG_REFLEX_H */
