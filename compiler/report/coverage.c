#include "compiler/report/coverage.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "compiler/ir/mutate.h"
#include "compiler/report/fields.h"
#include "lang/base/strmap.h"

/* A rule as it was written; what it decided in each posture that has it. */
struct covered {
	const struct ir_rule *rule;
	uint64_t packets;
	uint64_t postures, without; /* bits: where it stands, and where it decided nothing */
};

struct coverage {
	const struct ir *ir;
	struct arena *arena;
	struct strmap by_id; /* packets: 1 + index into decided */
	VEC(struct trial_decided) decided;
};

struct coverage *coverage_new(const struct ir *ir, struct arena *a)
{
	struct coverage *c = arena_zero(a, sizeof *c);

	c->ir = ir;
	c->arena = a;
	strmap_init(&c->by_id, a);
	return c;
}

void coverage_add(struct coverage *c, const struct trial *t)
{
	for (size_t i = 0; i < t->decided_count; i++) {
		const struct trial_decided *d = &t->decided[i];
		size_t at = (size_t)(uintptr_t)strmap_find(&c->by_id, d->rule->id);

		if (at) {
			c->decided.at[at - 1].packets += d->packets;
			continue;
		}
		vec_push(c->arena, &c->decided, *d);
		strmap_put(&c->by_id, d->rule->id, (void *)(uintptr_t)c->decided.len);
	}
}

static uint64_t packets_of(const struct coverage *c, const struct ir_rule *r)
{
	size_t at = (size_t)(uintptr_t)strmap_find(&c->by_id, r->id);

	return at ? c->decided.at[at - 1].packets : 0;
}

/* --- rules as they were written ---------------------------------------------------------- */

struct rules {
	struct arena *arena;
	VEC(struct covered) list;
	struct strmap by_place; /* 1 + index */
};

static const char *key_of(struct arena *a, const struct ir_rule *r)
{
	return arena_printf(a, "%d %d %u %u %u %s", (int)r->layer, (int)r->direction, r->span.file, r->span.from,
			    r->span.to, r->label);
}

static struct covered *rule_at(struct rules *k, const struct ir_rule *r)
{
	const char *key = key_of(k->arena, r);
	size_t at = (size_t)(uintptr_t)strmap_find(&k->by_place, key);
	struct covered one = { .rule = r };

	if (at)
		return &k->list.at[at - 1];
	vec_push(k->arena, &k->list, one);
	strmap_put(&k->by_place, key, (void *)(uintptr_t)k->list.len);
	return &k->list.at[k->list.len - 1];
}

static void rules_read(struct rules *k, const struct coverage *cov)
{
	unsigned posture;

	strmap_init(&k->by_place, k->arena);
	for (size_t i = 0; i < ir_list_count(cov->ir); i++) {
		const struct ir_list *l = ir_list_at(cov->ir, i, &posture);

		if (l == &cov->ir->watches)
			continue; /* they decide nothing */
		for (size_t j = 0; j < l->count; j++) {
			struct covered *one = rule_at(k, &l->rules[j]);
			uint64_t packets = packets_of(cov, &l->rules[j]);

			one->packets += packets;
			one->postures |= 1ull << posture;
			if (!packets)
				one->without |= 1ull << posture;
		}
	}
}

/* --- lines ----------------------------------------------------------------------------------- */

/* Two columns, as wide as what stands in them. */
struct columns {
	struct compilation *c;
	int place, id;
};

static const char *place_of(struct compilation *c, const struct ir_rule *r)
{
	struct place at;

	if (!span_is_somewhere(r->span))
		return "";
	at = source_place(&c->sources, r->span.file, r->span.from);
	return arena_printf(c->arena, "%s:%u:%u", at.file, at.line, at.column);
}

static void columns_fit(struct columns *k, const struct ir_rule *r)
{
	int place = (int)strlen(place_of(k->c, r)), id = (int)strlen(r->id);

	k->place = place > k->place ? place : k->place;
	k->id = id > k->id ? id : k->id;
}

static void put_rule(struct buf *out, const struct columns *k, const struct ir_rule *r)
{
	buf_printf(out, "  %-*s  %-*s  ", k->place, place_of(k->c, r), k->id, r->id);
}

static void put_postures(struct buf *out, const struct ir *ir, uint64_t postures)
{
	const char *comma = "";

	for (size_t i = 0; i < ir->posture_count; i++)
		if (postures >> i & 1) {
			buf_printf(out, "%s%s", comma, ir->postures[i].name);
			comma = ", ";
		}
}

static void put_packets(struct buf *out, uint64_t packets)
{
	buf_printf(out, "%llu packet%s", (unsigned long long)packets, packets == 1 ? "" : "s");
}

static void put_covered(struct buf *out, const struct columns *k, const struct ir *ir, const struct covered *one)
{
	put_rule(out, k, one->rule);
	if (one->packets)
		put_packets(out, one->packets);
	else
		buf_puts(out, "never");
	if (one->packets && one->without) {
		buf_puts(out, ", never in ");
		put_postures(out, ir, one->without);
	}
	buf_putc(out, '\n');
}

void report_coverage(struct buf *out, struct compilation *c, const char *path, const struct coverage *cov, bool all)
{
	own(arena) struct arena *scratch = arena_new();
	struct rules k = { .arena = scratch };
	struct columns columns = { .c = c };
	size_t covered = 0;

	rules_read(&k, cov);
	for (size_t i = 0; i < k.list.len; i++) {
		covered += k.list.at[i].packets > 0;
		if (all || !k.list.at[i].packets)
			columns_fit(&columns, k.list.at[i].rule);
	}
	buf_printf(out, "%s: %zu of %zu rules decide packets of tests\n", path, covered, k.list.len);
	for (size_t i = 0; i < k.list.len; i++)
		if (all || !k.list.at[i].packets)
			put_covered(out, &columns, cov->ir, &k.list.at[i]);
}

/* --- mutants ----------------------------------------------------------------------------------- */

static void put_box(struct buf *out, const struct ir *ir, const struct ir_box *b)
{
	if (b->proto == PROTO_ANY_NUMBER)
		buf_puts(out, b->families == 1u << FAMILY_IP4 ? "IPv4" : "IPv6");
	else
		box_field_wants(out, ir, b, BOX_PROTO, NULL);
	if (ranges_are_all(&b->dport))
		return;
	buf_puts(out, " to port ");
	box_field_wants(out, ir, b, BOX_DPORT, &b->dport);
}

static void put_mutation(struct buf *out, const struct ir *ir, const struct mutation *m)
{
	bool allows = m->rule->verdict == VERDICT_ALLOW;

	switch (m->kind) {
	case MUTATE_DELETE:
		buf_puts(out, "deleted");
		return;
	case MUTATE_FLIP:
		buf_printf(out, "%s instead of %s", verdict_name(allows ? VERDICT_DROP : VERDICT_ALLOW),
			   verdict_name(m->rule->verdict));
		return;
	case MUTATE_WIDEN:
		buf_printf(out, "%s asked no more", box_field_name(m->field));
		return;
	case MUTATE_NARROW_PORT:
		buf_printf(out, m->port.lo == m->port.hi ? "without port %u" : "without port %u..%u", m->port.lo, m->port.hi);
		return;
	case MUTATE_NARROW_BOX:
		buf_puts(out, "without ");
		put_box(out, ir, &m->rule->boxes[m->box]);
		return;
	case MUTATE_RATE_NONE:
		buf_puts(out, "whatever the rate");
		return;
	case MUTATE_RATE_TWICE:
		buf_puts(out, "at twice its rate");
		return;
	case MUTATE_BLOCK_NONE:
		buf_puts(out, "does not block the source");
		return;
	case MUTATE_EXCEPT_NONE:
		buf_puts(out, "without its exceptions");
		return;
	case MUTATE_PATTERN_NONE:
		buf_puts(out, "whatever the payload");
		return;
	case MUTATE_SILENT:
		buf_puts(out, "emits nothing");
		return;
	}
}

static void put_survivor(struct buf *out, const struct ir *ir, const struct survivor *s)
{
	put_mutation(out, ir, &s->mutation);
	if (s->undecided)
		buf_puts(out, " (perhaps without effect)");
}

/* One line for each rule. */
void report_survey(struct buf *out, struct compilation *c, const struct ir *ir, const char *path, const struct survey *s)
{
	struct columns columns = { .c = c };
	const struct ir_rule *rule = NULL;

	buf_printf(out, "%s: %zu mutants: %zu noticed, %zu without effect, %zu not noticed\n", path, s->made, s->noticed,
		   s->equal, s->survivor_count);
	for (size_t i = 0; i < s->survivor_count; i++)
		columns_fit(&columns, s->survivors[i].mutation.rule);
	for (size_t i = 0; i < s->survivor_count; i++) {
		const struct survivor *one = &s->survivors[i];

		if (one->mutation.rule == rule) {
			buf_puts(out, ", ");
		} else {
			buf_puts(out, rule ? "\n" : "");
			rule = one->mutation.rule;
			put_rule(out, &columns, rule);
		}
		put_survivor(out, ir, one);
	}
	if (rule)
		buf_putc(out, '\n');
}

/* --- for programs -------------------------------------------------------------------------------- */

static cJSON *json_postures(const struct ir *ir, uint64_t postures)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < ir->posture_count; i++)
		if (postures >> i & 1)
			cJSON_AddItemToArray(list, cJSON_CreateString(ir->postures[i].name));
	return list;
}

void report_coverage_json(cJSON *list, struct compilation *c, const struct coverage *cov)
{
	own(arena) struct arena *scratch = arena_new();
	struct rules k = { .arena = scratch };

	rules_read(&k, cov);
	for (size_t i = 0; i < k.list.len; i++) {
		const struct covered *one = &k.list.at[i];
		cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "id", one->rule->id);
		cJSON_AddItemToObject(o, "never_in", json_postures(cov->ir, one->packets ? one->without : 0));
		cJSON_AddNumberToObject(o, "packets", (double)one->packets);
		cJSON_AddStringToObject(o, "place", place_of(c, one->rule));
		cJSON_AddItemToArray(list, o);
	}
}

void report_survey_json(cJSON *list, struct compilation *c, const struct ir *ir, const struct survey *s)
{
	for (size_t i = 0; i < s->survivor_count; i++) {
		const struct survivor *one = &s->survivors[i];
		own(buf) struct buf change = { 0 };
		cJSON *o = cJSON_CreateObject();

		put_mutation(&change, ir, &one->mutation);
		cJSON_AddStringToObject(o, "change", buf_text(&change));
		cJSON_AddStringToObject(o, "id", one->mutation.rule->id);
		cJSON_AddStringToObject(o, "place", place_of(c, one->mutation.rule));
		cJSON_AddBoolToObject(o, "undecided", one->undecided);
		cJSON_AddItemToArray(list, o);
	}
}
