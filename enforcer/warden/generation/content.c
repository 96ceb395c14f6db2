#include "enforcer/warden/generation/content.h"

#include <errno.h>

#include "bpf-templates/carried.h"
#include "enforcer/nft/filter.h"
#include "enforcer/warden/generation/parts.h"

const uint64_t content_can = 1u << NEED_EVENTS | 1u << NEED_PAYLOAD | 1u << NEED_FLOWS | 1u << NEED_COOKIES | 1u << NEED_RULE_EVENTS |
			     1u << NEED_FEEDS;
const uint64_t content_xdp_alone = 1u << NEED_PAYLOAD;

void content_own_(struct content *c)
{
	bundle_free(c->bundle);
	batch_release(&c->posture);
	batch_release(&c->epiderme);
}

static const struct bundle_member *member(const struct bundle *b, const char *name, struct err *why)
{
	const struct bundle_member *m = bundle_find(b, name);

	if (!m)
		err_set(why, EINVAL, "the bundle has no %s", name);
	return m;
}

int content_batch(struct batch *out, const struct bundle *b, const char *name, struct err *why)
{
	const struct bundle_member *m = member(b, name, why);
	int rc = m ? batch_open(out, m->bytes, m->len, why) : why->code;

	if (!rc)
		rc = batch_check(out, FILTER_NAME, why);
	return rc ? err_in(why, "%s", name) : 0;
}

int content_plan(struct plan *out, struct arena *a, const struct bundle *b, struct err *why)
{
	const struct bundle_member *m = member(b, "plan", why);

	return m ? plan_decode(out, a, m->bytes, m->len, why) : why->code;
}

int content_program(const void **at, size_t *len, enum teg_hook hook, const struct plan *p, const struct bundle *b, struct err *why)
{
	if (p->config.abi != TEG_ABI_VERSION) {
		*at = carried_program(hook, len);
		return 0;
	}
	const struct bundle_member *m = member(b, hook == TEG_HOOK_TC ? "tc/policy.o" : "xdp/policy.o", why);
	if (!m)
		return why->code;
	*at = m->bytes;
	*len = m->len;
	return 0;
}

/* A bundle whose policy has no tests has none. */
static int read_drill(struct drill *out, struct arena *a, const struct plan *p, const struct bundle *b, struct err *why)
{
	const struct bundle_member *m = bundle_find(b, "drill");

	return m ? drill_decode(out, a, p, m->bytes, m->len, why) : 0;
}

int content_read(struct content *c, struct generation *g, const void *bytes, size_t len, struct refusal *no)
{
	if (bundle_open(&c->bundle, bytes, len, &no->why))
		return generation_refuse(no, RESULT_REFUSED, "seal");
	g->is.bundle = *bundle_id(c->bundle);
	if (content_plan(&g->plan, g->arena, c->bundle, &no->why))
		return generation_refuse(no, RESULT_REFUSED, "plan");
	if (!g->plan.posture_count) {
		err_set(&no->why, EINVAL, "the policy has no posture");
		return generation_refuse(no, RESULT_REFUSED, "plan");
	}
	if (plan_is_met(&g->plan, content_can, &no->why))
		return generation_refuse(no, RESULT_REFUSED, "plan");
	if (read_drill(&c->drill, g->arena, &g->plan, c->bundle, &no->why))
		return generation_refuse(no, RESULT_REFUSED, "tests");
	if (content_batch(&c->posture, c->bundle, "nft/posture.batch", &no->why) ||
	    content_batch(&c->epiderme, c->bundle, "nft/epiderme.batch", &no->why))
		return generation_refuse(no, RESULT_REFUSED, "nft");
	batch_place(&c->posture, g->is.bank);
	batch_place(&c->epiderme, g->is.bank);
	return 0;
}

int generation_examine(const void *bytes, size_t len, struct err *why)
{
	own(generation) struct generation *g = generation_new();
	own(content) struct content c = { 0 };
	struct refusal no = { 0 };

	if (!g)
		return err_set(why, ENOMEM, "no memory for a generation");
	g->is.bank = 'a';
	if (content_read(&c, g, bytes, len, &no))
		*why = no.why;
	return no.why.code;
}
