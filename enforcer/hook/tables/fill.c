#include "enforcer/hook/tables/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <sys/mman.h>

/*
 * What is written to a table that is mapped is written once. An update would have the kernel copy it into memory that it
 * makes for that, and again into the table: of 7 MB, 20 ms more.
 */
static int fill_value(struct bpf_object *o, const char *name, const void *value, size_t bytes, struct err *why)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_object__find_map_fd_by_name(o, name), 0);

	if (at == MAP_FAILED)
		return err_sys(why, "cannot fill the table %s", name);
	memcpy(at, value, bytes);
	munmap(at, bytes);
	return 0;
}

static struct teg_cell cell_of(const struct teg_box *b)
{
	const uint8_t every_family = TEG_IP4 | TEG_IP6, every_part = TEG_WHOLE | TEG_FIRST | TEG_LATER;
	bool any = b->proto == TEG_PROTO_ANY;

	return (struct teg_cell){
		.want = TEG_HEAD(any ? 0 : b->proto, b->flags_want, 0, 0),
		.mask = TEG_HEAD(any ? 0 : UINT16_MAX, b->flags_mask, every_family & ~b->families,
				 every_part & ~b->fragments),
		.zones = b->zones,
		.src = b->src ? b->src : TEG_SET_ANY,
		.dst = b->dst ? b->dst : TEG_SET_ANY,
		.ports_lo = TEG_PORTS(b->sport_lo, b->dport_lo, b->icmp_lo),
		.ports_hi = TEG_PORTS(b->sport_hi, b->dport_hi, b->icmp_hi) | TEG_PORTS_SENTINELS,
		.rule = b->rule, .mark = b->mark,
	};
}

static int fill_automata(struct bpf_object *o, const struct plan *p, const struct steps_laid *laid, struct err *why)
{
	int rc = fill_value(o, "gen_automata", laid->automata, p->config.payload.automata * sizeof *laid->automata, why);

	return rc ? rc : fill_value(o, "gen_steps", laid->steps, laid->count * sizeof *laid->steps, why);
}

static int fill_payload(struct bpf_object *o, const struct plan *p, const struct steps_laid *laid, struct err *why)
{
	const struct teg_payload *t = &p->config.payload;
	struct teg_cell cells[TEG_PAYLOAD_BOXES_MAX];

	if (!t->automata)
		return 0;
	for (uint32_t i = 0; i < t->boxes; i++)
		cells[i] = cell_of(&p->payload.boxes[i]);
	const struct { const char *name; const void *value; size_t bytes; } parts[] = {
		{ "gen_payload_cells", cells, t->boxes * sizeof *cells },
		{ "gen_rows", p->payload.rows, t->rows * sizeof *p->payload.rows },
		{ "gen_lists", p->payload.lists, t->lists * sizeof *p->payload.lists },
	};
	int rc = fill_automata(o, p, laid, why);

	for (size_t i = 0; i < sizeof parts / sizeof *parts && !rc; i++)
		rc = parts[i].bytes ? fill_value(o, parts[i].name, parts[i].value, parts[i].bytes, why) : 0;
	return rc;
}

uint32_t tables_cells_room(const struct plan *p)
{
	return p->box_count + TEG_CELLS_A_PART - 1;
}

static int fill_cells(struct bpf_object *o, const struct plan *p, struct err *why)
{
	own(mem) struct teg_cell *cells = NULL;

	if (!p->box_count)
		return 0;
	cells = calloc(p->box_count, sizeof *cells);
	if (!cells)
		return err_set(why, ENOMEM, "no memory for %u boxes", p->box_count);
	for (uint32_t i = 0; i < p->box_count; i++)
		cells[i] = cell_of(&p->boxes[i]);
	return fill_value(o, "gen_cells", cells, p->box_count * sizeof *cells, why);
}

/*
 * The sketch, a slice for each bucket that rules name. How large a slice may be is a choice: all who have no
 * bucket of their own together get at most so many times the rate.
 */
static void share_sketch(struct teg_rule *rules, uint32_t count)
{
	uint32_t slices = 0, bits = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t same = 0;

		if (!rules[i].cost_ns)
			continue;
		while (same < i && !(rules[same].cost_ns && rules[same].bucket == rules[i].bucket))
			same++;
		rules[i].sketch = same < i ? rules[same].sketch : (uint16_t)slices++;
	}
	while (2u << bits <= TEG_SKETCH_SLICE_MOST && (2u << bits) * slices <= TEG_SKETCH_WORDS)
		bits++;
	for (uint32_t i = 0; i < count; i++)
		rules[i].sketch_bits = rules[i].cost_ns ? (uint8_t)bits : 0;
}

static int fill_rules(struct bpf_object *o, const struct tables_load *load, struct err *why)
{
	const struct plan *p = load->plan;
	own(mem) struct teg_rule *rules = NULL;

	if (!p->rule_count)
		return 0;
	rules = calloc(p->rule_count, sizeof *rules);
	if (!rules)
		return err_set(why, ENOMEM, "no memory for %u rules", p->rule_count);
	for (uint32_t i = 0; i < p->rule_count; i++) {
		rules[i] = p->rules[i];
		rules[i].counter_slot = load->slots[rules[i].counter_slot];
	}
	share_sketch(rules, p->rule_count);
	return fill_value(o, "gen_rules", rules, p->rule_count * sizeof *rules, why);
}

static int fill_sets(struct bpf_object *o, const struct made *made, struct err *why)
{
	const struct trie *sets = &made->sets;

	if (!sets->node_count)
		return fill_value(o, "gen_atlas", made->atlas.at, made->atlas.words * sizeof *made->atlas.at, why);
	int rc = fill_value(o, "gen_nodes", sets->nodes, sets->node_count * sizeof *sets->nodes, why);
	return rc ? rc : fill_value(o, "gen_masks", sets->masks, sets->mask_count * sizeof *sets->masks, why);
}

int tables_fill(struct bpf_object *o, const struct tables_load *load, const struct made *made, struct err *why)
{
	int rc = fill_cells(o, load->plan, why);

	if (!rc && made->bulk.len)
		rc = fill_value(o, "gen_bulk", made->bulk.at, made->bulk.len * sizeof *made->bulk.at, why);
	if (!rc)
		rc = fill_payload(o, load->plan, &made->steps, why);
	if (!rc)
		rc = fill_rules(o, load, why);
	return rc ? rc : fill_sets(o, made, why);
}
