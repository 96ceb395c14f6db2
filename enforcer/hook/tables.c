#include "enforcer/hook/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <sys/mman.h>

#include "enforcer/hook/atlas.h"
#include "enforcer/hook/one_value.h"
#include "enforcer/hook/trie.h"
#include "lang/bundle/bulk_pack.h"

#ifndef BPF_F_XDP_HAS_FRAGS
#define BPF_F_XDP_HAS_FRAGS (1U << 5)
#endif

#define MAPS_MAX 64 /* of one program */
#define LOG_BYTES (1u << 20)

/* ---- one generation ----------------------------------------------------------- */

struct tables {
	int program[TEG_HOOKS];
	int zones, zones_far, clock;
	int feeds, feeding;
	uint32_t feed_words; /* of each bank of feeds */
	uint32_t fed, to_feed; /* what gen_feeding says, and is to say: see tables_feed() */
};

void tables_free(struct tables *t)
{
	if (!t)
		return;
	int fds[] = { t->program[TEG_HOOK_XDP], t->program[TEG_HOOK_TC], t->zones, t->zones_far, t->clock,
		      t->feeds, t->feeding };

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(t);
}

static struct tables *tables_new(void)
{
	struct tables *t = calloc(1, sizeof *t);

	if (t)
		*t = (struct tables){ { -1, -1 }, -1, -1, -1, -1, -1, 0, 0, 0 };
	return t;
}

int tables_program(const struct tables *t, enum teg_hook hook)
{
	return t->program[hook];
}

enum tables_verdict tables_verdict(enum teg_hook hook, uint32_t answer)
{
	static const struct { uint32_t pass, drop; } said[TEG_HOOKS] = {
		[TEG_HOOK_XDP] = { XDP_PASS, XDP_DROP },
		[TEG_HOOK_TC] = { (uint32_t)TC_ACT_UNSPEC, TC_ACT_SHOT },
	};

	return answer == said[hook].pass ? TABLES_PASS : answer == said[hook].drop ? TABLES_DROP : TABLES_NEITHER;
}

bool tables_kernel_has_frags(void)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_XDP_HAS_FRAGS);
	own(fd) int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "teg_probe", "GPL", pass, 2, &opts);

	return fd >= 0;
}

/* libbpf would tell stderr; what it knows that we do not is the verifier's log, and we ask for that. */
static int say_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

/* What is made of a plan before its tables are: in the form that the program reads. */
struct made {
	struct trie sets;
	struct atlas atlas; /* of the sets, when they are too many for the trie */
	struct bulk_words bulk;
	uint32_t feed_words;
};

static void made_own_(struct made *m)
{
	atlas_release(&m->atlas);
}

/* By which jiffies go (kernel/time/posix-timers.c: KTIME_LOW_RES). */
static uint32_t tick_ns(void)
{
	struct timespec tick = { 0 };

	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	return (uint32_t)tick.tv_nsec;
}

static struct teg_config staged_config(const struct tables_load *load, const struct made *made)
{
	struct teg_config c = load->plan->config;

	c.abi = TEG_ABI_VERSION;
	c.neighbour_slot = load->slots[c.neighbour_slot];
	c.blocked_slot = load->slots[c.blocked_slot];
	for (uint32_t i = 0; i < load->plan->posture_count; i++)
		if (c.closed >> i & 1)
			c.closed_slot[i] = load->slots[c.closed_slot[i]];
	c.host = (load->given_clock ? TEG_HOST_GIVEN_CLOCK : 0) | (load->bank ? TEG_HOST_BANK_B : 0);
	if (load->tell_all)
		c.host |= TEG_HOST_TELL_ALL;
	if (tables_kernel_has_frags())
		c.host |= TEG_HOST_FRAGS;
	if (load->shared->more >= 0)
		c.host |= TEG_HOST_MORE;
	for (uint32_t i = 0; i < load->plan->rule_count; i++)
		if (load->plan->rules[i].one_in > 1)
			c.host |= TEG_HOST_DRAWS;
	c.generation = (uint32_t)load->number;
	c.tick_ns = tick_ns();
	c.nodes = made->sets.node_count;
	c.masks = made->sets.mask_count;
	c.atlas = made->atlas.words;
	if (made->atlas.at)
		memcpy(&c.sets, made->atlas.at, sizeof c.sets);
	c.feed_words = made->feed_words;
	c.bulk.words = (uint32_t)made->bulk.len;
	c.bulk.mores = (uint32_t)made->bulk.mores;
	memcpy(c.bulk.vectors, made->bulk.vectors, sizeof c.bulk.vectors);
	for (int f = 0; f < FAMILY_COUNT; f++)
		for (uint32_t g = 0; g < c.bulk.groups[f]; g++)
			c.bulk.roots[f][g].first += made->bulk.nodes_at;
	return c;
}

static struct bpf_map *object_map(struct bpf_object *o, const char *name, struct err *why)
{
	struct bpf_map *m = bpf_object__find_map_by_name(o, name);

	if (!m)
		err_set(why, EPROTO, "the program has no table %s", name);
	return m;
}

static uint32_t at_least_one(uint32_t n)
{
	return n ? n : 1;
}

static uint32_t cells_room(const struct plan *p)
{
	return p->box_count + TEG_CELLS_A_PART - 1;
}

static int object_share(struct bpf_object *o, const struct shared *shared, struct err *why)
{
	for (size_t i = 0; i < SHARED_MAPS; i++) {
		struct bpf_map *m = bpf_object__find_map_by_name(o, shared_maps[i].name);
		int fd = shared_map_fd(shared, &shared_maps[i]);

		if (m && (fd < 0 ? bpf_map__set_max_entries(m, 2) : bpf_map__reuse_fd(m, fd)))
			return err_sys(why, "cannot share the map %s", shared_maps[i].name);
	}
	return 0;
}

/* Sizes and constants: all that must be known before the verifier sees the program. */
static int object_prepare(struct bpf_object *o, const struct tables_load *load, const struct made *made,
			  struct err *why)
{
	const struct plan *p = load->plan;
	const struct trie *sets = &made->sets;
	const struct teg_config config = staged_config(load, made);
	const struct { const char *name; uint32_t value, entries; } sizes[] = {
		{ "gen_cells", cells_room(p) * (uint32_t)sizeof(struct teg_cell), 1 },
		{ "gen_rules", at_least_one(p->rule_count) * (uint32_t)sizeof(struct teg_rule), 1 },
		{ "gen_nodes", at_least_one(sets->node_count) * (uint32_t)sizeof(struct teg_node), 1 },
		{ "gen_masks", at_least_one(sets->mask_count) * (uint32_t)sizeof(uint64_t), 1 },
		{ "gen_bulk", at_least_one((uint32_t)made->bulk.len) * (uint32_t)sizeof(uint64_t), 1 },
		{ "gen_payload_cells", at_least_one(p->config.payload.boxes) * (uint32_t)sizeof(struct teg_cell), 1 },
		{ "gen_rows", at_least_one(p->config.payload.rows) * (uint32_t)sizeof(struct teg_row), 1 },
		{ "gen_automata", at_least_one(p->config.payload.automata) * (uint32_t)sizeof(struct teg_automaton), 1 },
		{ "gen_steps", at_least_one(p->config.payload.steps) * (uint32_t)sizeof(uint32_t), 1 },
		{ "gen_lists", at_least_one(p->config.payload.lists) * (uint32_t)sizeof(uint32_t), 1 },
		{ "gen_atlas", at_least_one(made->atlas.words) * (uint32_t)sizeof(uint64_t), 1 },
		{ "gen_feeds", at_least_one(made->feed_words) * (uint32_t)sizeof(uint64_t), TEG_BANKS },
	};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct bpf_map *m = object_map(o, sizes[i].name, why);

		if (!m)
			return why->code;
		if (bpf_map__set_value_size(m, sizes[i].value) || bpf_map__set_max_entries(m, sizes[i].entries))
			return err_sys(why, "cannot size the table %s", sizes[i].name);
	}
	int rc = object_share(o, load->shared, why);
	if (rc)
		return rc;
	struct bpf_map *constants = object_map(o, TEG_CONFIG_SECTION, why);
	if (!constants)
		return why->code;
	if (bpf_map__set_initial_value(constants, &config, sizeof config))
		return err_sys(why, "cannot write the program's constants");
	return 0;
}

/* The program of this policy; the object's other one is left out. */
static struct bpf_program *object_policy(struct bpf_object *o, const struct tables_load *load, struct err *why)
{
	const bool payloads = load->plan->config.asks & TEG_ASKS_PAYLOAD;
	static const char *const names[] = { "policy", "policy_payload" };
	struct bpf_program *p = bpf_object__find_program_by_name(o, names[payloads]);
	struct bpf_program *other = bpf_object__find_program_by_name(o, names[!payloads]);

	if (!p || !other) {
		err_set(why, EPROTO, "the object has no program named %s", p ? names[!payloads] : names[payloads]);
		return NULL;
	}
	bpf_program__set_autoload(other, false);
	bpf_program__set_flags(p, load->hook == TEG_HOOK_XDP && tables_kernel_has_frags() ? BPF_F_XDP_HAS_FRAGS : 0);
	return p;
}

/* The end of the verifier's log, where the reason stands. */
static const char *last_words(const char *log)
{
	size_t len = strlen(log);

	return len > 600 ? log + len - 600 : log;
}

/* ---- filling ------------------------------------------------------------------ */

static int fill_value(struct bpf_object *o, const char *name, const void *value, struct err *why)
{
	const uint32_t zero = 0;

	if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(o, name), &zero, value, BPF_ANY))
		return err_sys(why, "cannot fill the table %s", name);
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
		.sport_lo = b->sport_lo, .sport_hi = b->sport_hi,
		.dport_lo = b->dport_lo, .dport_hi = b->dport_hi,
		.icmp_lo = b->icmp_lo, .icmp_hi = b->icmp_hi,
		.rule = b->rule, .mark = b->mark,
	};
}

static int fill_payload(struct bpf_object *o, const struct plan *p, struct err *why)
{
	const struct teg_payload *t = &p->config.payload;
	struct teg_cell cells[TEG_PAYLOAD_BOXES_MAX];

	if (!t->automata)
		return 0;
	for (uint32_t i = 0; i < t->boxes; i++)
		cells[i] = cell_of(&p->payload.boxes[i]);
	const struct { const char *name; const void *value; uint32_t count; } parts[] = {
		{ "gen_payload_cells", cells, t->boxes },	 { "gen_rows", p->payload.rows, t->rows },
		{ "gen_automata", p->payload.automata, t->automata }, { "gen_steps", p->payload.steps, t->steps },
		{ "gen_lists", p->payload.lists, t->lists },
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof parts / sizeof *parts && !rc; i++)
		rc = parts[i].count ? fill_value(o, parts[i].name, parts[i].value, why) : 0;
	return rc;
}

static int fill_cells(struct bpf_object *o, const struct plan *p, struct err *why)
{
	own(mem) struct teg_cell *cells = NULL;

	if (!p->box_count)
		return 0;
	cells = calloc(cells_room(p), sizeof *cells);
	if (!cells)
		return err_set(why, ENOMEM, "no memory for %u boxes", p->box_count);
	for (uint32_t i = 0; i < p->box_count; i++)
		cells[i] = cell_of(&p->boxes[i]);
	return fill_value(o, "gen_cells", cells, why);
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
	return fill_value(o, "gen_rules", rules, why);
}

static int fill_sets(struct bpf_object *o, const struct made *made, struct err *why)
{
	const struct trie *sets = &made->sets;

	if (!sets->node_count)
		return fill_value(o, "gen_atlas", made->atlas.at, why);
	int rc = fill_value(o, "gen_nodes", sets->nodes, why);
	return rc ? rc : fill_value(o, "gen_masks", sets->masks, why);
}

static int fill(struct bpf_object *o, const struct tables_load *load, const struct made *made, struct err *why)
{
	int rc = fill_cells(o, load->plan, why);

	if (!rc && made->bulk.len)
		rc = fill_value(o, "gen_bulk", made->bulk.at, why);
	if (!rc)
		rc = fill_payload(o, load->plan, why);
	if (!rc)
		rc = fill_rules(o, load, why);
	return rc ? rc : fill_sets(o, made, why);
}

/* ---- feeds ------------------------------------------------------------------------ */

/*
 * What one entry may take is not known before it comes: a host takes one word or two, one in a /32 of IPv6 of its own ten, a network that
 * fills half of a /16 a hundred and more. So much is set aside, and what does not fit is refused.
 */
#define FEED_WORDS_LEAST (1u << 18)
#define FEED_WORDS_EACH 6u

static uint32_t feed_words(const struct tables_load *load)
{
	const struct plan *p = load->plan;
	uint64_t entries = 0, words;

	for (uint32_t i = 0; i < p->feed_count; i++)
		entries += p->feeds[i].most;
	words = FEED_WORDS_LEAST + FEED_WORDS_EACH * entries;
	if (load->feeds && words < load->feeds->words + (uint64_t)load->feeds->words / 4)
		words = load->feeds->words + (uint64_t)load->feeds->words / 4;
	words = (words + TEG_ATLAS_LINE - 1) / TEG_ATLAS_LINE * TEG_ATLAS_LINE;
	return p->feed_count ? (uint32_t)(words < TEG_ATLAS_WORDS_MAX ? words : TEG_ATLAS_WORDS_MAX) : 0;
}

/* Values lie one behind the other in an array that is mapped, each from a cache line's beginning on. */
static uint64_t *feeds_map(const struct tables *t, struct err *why)
{
	void *at = mmap(NULL, TEG_BANKS * sizeof(uint64_t) * (size_t)t->feed_words, PROT_READ | PROT_WRITE, MAP_SHARED, t->feeds, 0);

	if (at == MAP_FAILED)
		err_sys(why, "cannot map the tables of feeds");
	return at == MAP_FAILED ? NULL : at;
}

static int look_at_feeds(struct tables *t, struct err *why)
{
	const uint32_t zero = 0;
	struct bpf_map_info is = { 0 };
	uint32_t len = sizeof is;

	if (t->feeds < 0 || t->feeding < 0)
		return err_set(why, EPROTO, "the program in the slot has no tables of feeds: it is not ours");
	if (bpf_obj_get_info_by_fd(t->feeds, &is, &len) || bpf_map_lookup_elem(t->feeding, &zero, &t->fed))
		return err_sys(why, "cannot read the tables of feeds");
	t->feed_words = is.value_size / (uint32_t)sizeof(uint64_t);
	return 0;
}

int tables_feed(struct tables *t, const struct atlas *a, struct err *why)
{
	const uint32_t next = t->fed == TEG_FEEDING_FIRST ? TEG_FEEDING_SECOND : TEG_FEEDING_FIRST;

	if (!a) {
		t->to_feed = TEG_FEEDING_NOTHING;
		return 0;
	}
	if (a->words > t->feed_words)
		return err_set(why, ENOSPC, "what is on the feeds takes %llu kB in the first hook, and there is room for %llu",
			       (unsigned long long)a->words / 128, (unsigned long long)t->feed_words / 128);
	uint64_t *banks = feeds_map(t, why);
	if (!banks)
		return why->code;
	memcpy(banks + (next == TEG_FEEDING_SECOND ? t->feed_words : 0), a->at, (size_t)a->words * sizeof *a->at);
	munmap(banks, TEG_BANKS * sizeof(uint64_t) * (size_t)t->feed_words);
	t->to_feed = next;
	return 0;
}

int tables_fed(struct tables *t, struct err *why)
{
	const uint32_t zero = 0;

	if (bpf_map_update_elem(t->feeding, &zero, &t->to_feed, BPF_ANY))
		return err_sys(why, "cannot switch to what is on the feeds now");
	t->fed = t->to_feed;
	return 0;
}

/* ---- load, adopt ----------------------------------------------------------------- */

static int duplicate(int *out, int fd, struct err *why)
{
	*out = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return *out < 0 ? err_sys(why, "cannot keep a descriptor") : 0;
}

/* What is needed of the object once it is loaded. */
static int tables_keep(struct tables **out, struct bpf_object *o, const struct tables_load *load,
		       struct bpf_program *program, struct err *why)
{
	own(tables) struct tables *t = tables_new();

	if (!t)
		return err_set(why, ENOMEM, "no memory for a generation's tables");
	const struct { int *out; int fd; } keep[] = {
		{ &t->program[load->hook], bpf_program__fd(program) },
		{ &t->zones, bpf_object__find_map_fd_by_name(o, "gen_zones") },
		{ &t->zones_far, bpf_object__find_map_fd_by_name(o, "gen_zones_far") },
		{ &t->clock, bpf_object__find_map_fd_by_name(o, TEG_CLOCK_SECTION) },
		{ &t->feeds, bpf_object__find_map_fd_by_name(o, "gen_feeds") },
		{ &t->feeding, bpf_object__find_map_fd_by_name(o, TEG_FEEDING_SECTION) },
	};
	for (size_t i = 0; i < sizeof keep / sizeof *keep; i++) {
		int rc = duplicate(keep[i].out, keep[i].fd, why);
		if (rc)
			return rc;
	}
	int rc = look_at_feeds(t, why);
	if (!rc && load->feeds)
		rc = tables_feed(t, load->feeds, why);
	if (!rc && load->feeds)
		rc = tables_fed(t, why);
	if (rc)
		return rc;
	*out = take(t);
	return 0;
}

/* An object, and its program of this policy, before the kernel has seen them and after. */
struct opened {
	struct bpf_object *object;
	struct bpf_program *program;
	char *log; /* the verifier's; NULL where there was no memory for it */
};

static void opened_own_(struct opened *o)
{
	bpf_object__close(o->object);
	free(o->log);
}

#define LOG_STATS 4 /* BPF_LOG_STATS of include/linux/bpf_verifier.h: nothing but what was looked at */

static int opened_open(struct opened *out, const struct tables_load *load, struct err *why)
{
	out->log = calloc(1, LOG_BYTES);
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "policy", .kernel_log_buf = out->log,
		    .kernel_log_size = out->log ? LOG_BYTES : 0, .kernel_log_level = load->spent && out->log ? LOG_STATS : 0);

	libbpf_set_print(say_nothing);
	one_value_know();
	out->object = bpf_object__open_mem(load->object, load->object_len, &opts);
	if (!out->object)
		return err_sys(why, "the program is not a BPF object that can be read");
	out->program = object_policy(out->object, load, why);
	return out->program ? 0 : why->code;
}

static int opened_load(struct opened *o, struct err *why)
{
	if (bpf_object__load(o->object))
		return err_sys(why, "the kernel does not take the program: %s", last_words(o->log ? o->log : ""));
	return 0;
}

static double cpu_ms(void)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The processor's time since *since, which is now from here on. */
static double lap_ms(double *since)
{
	const double was = *since;

	*since = cpu_ms();
	return *since - was;
}

int tables_load(struct tables **out, const struct tables_load *load, struct err *why)
{
	struct tables_spent nobody, *spent = load->spent ? load->spent : &nobody;
	double lap = cpu_ms();
	own(arena) struct arena *a = arena_new();
	own(opened) struct opened o = { 0 };
	own(made) struct made made = { .sets = trie_build(a, load->plan->prefixes, load->plan->prefix_count), 
			     .bulk = bulk_pack(a, load->plan, load->slots) };

	if (!bulk_fits(&made.bulk, why))
		return why->code;
	if (!made.sets.node_count && atlas_build(&made.atlas, load->plan->prefixes, load->plan->prefix_count, why))
		return why->code;
	made.feed_words = feed_words(load);
	spent->make_ms = lap_ms(&lap);
	int rc = opened_open(&o, load, why);
	if (!rc)
		rc = object_prepare(o.object, load, &made, why);
	spent->open_ms = lap_ms(&lap);
	if (!rc)
		rc = opened_load(&o, why);
	spent->load_ms = lap_ms(&lap);
	if (!rc)
		rc = fill(o.object, load, &made, why);
	spent->fill_ms = lap_ms(&lap);
	snprintf(spent->said, sizeof spent->said, "%s", last_words(o.log ? o.log : ""));
	return rc ? rc : tables_keep(out, o.object, load, o.program, why);
}

/* ---- one more hook ------------------------------------------------------------------ */

/* The maps of a program. */
struct held_maps {
	struct held_map {
		uint32_t id;
		int fd;
		char name[BPF_OBJ_NAME_LEN];
	} at[MAPS_MAX];
	size_t len;
};

static void held_maps_own_(struct held_maps *h)
{
	for (size_t i = 0; i < h->len; i++)
		close(h->at[i].fd);
}

static int maps_of(struct held_maps *out, int program, struct err *why)
{
	uint32_t ids[MAPS_MAX];
	struct bpf_prog_info is = { .nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids };
	uint32_t len = sizeof is;

	if (bpf_obj_get_info_by_fd(program, &is, &len))
		return err_sys(why, "cannot read what tables a program has");
	for (uint32_t i = 0; i < is.nr_map_ids && i < MAPS_MAX; i++) {
		struct held_map *m = &out->at[out->len];
		struct bpf_map_info info = { 0 };
		uint32_t info_len = sizeof info;

		m->fd = bpf_map_get_fd_by_id(ids[i]);
		if (m->fd < 0)
			return err_sys(why, "cannot hold a table of a program");
		out->len++;
		if (bpf_obj_get_info_by_fd(m->fd, &info, &info_len))
			return err_sys(why, "cannot read what a table is");
		m->id = ids[i];
		memcpy(m->name, info.name, sizeof m->name);
	}
	return 0;
}

/* The kernel keeps the beginning of a name. */
static const struct held_map *map_named(const struct held_maps *h, const char *name)
{
	for (size_t i = 0; i < h->len; i++)
		if (h->at[i].name[0] && !strncmp(h->at[i].name, name, sizeof h->at[i].name - 1))
			return &h->at[i];
	return NULL;
}

static int object_take_maps(struct bpf_object *o, const struct held_maps *from, struct err *why)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, o) {
		const struct held_map *held = map_named(from, bpf_map__name(m));

		if (held && bpf_map__reuse_fd(m, held->fd))
			return err_sys(why, "cannot use the table %s for two hooks", bpf_map__name(m));
	}
	return 0;
}

/* A table of the program's own would be an empty one. */
static int has_no_others(int program, const struct held_maps *known, struct err *why)
{
	own(held_maps) struct held_maps has = { 0 };
	int rc = maps_of(&has, program, why);

	for (size_t i = 0; !rc && i < has.len; i++) {
		const struct held_map *m = map_named(known, has.at[i].name);
		if (!m || m->id != has.at[i].id)
			return err_set(why, EPROTO, "the two programs do not have the table %s in common", has.at[i].name);
	}
	return rc;
}

int tables_join(struct tables *t, const struct tables_load *load, struct err *why)
{
	const int other = t->program[load->hook == TEG_HOOK_XDP ? TEG_HOOK_TC : TEG_HOOK_XDP];
	own(held_maps) struct held_maps known = { 0 };
	own(opened) struct opened o = { 0 };
	int rc = maps_of(&known, other, why);

	if (!rc)
		rc = opened_open(&o, load, why);
	if (!rc)
		rc = object_take_maps(o.object, &known, why);
	if (!rc)
		rc = opened_load(&o, why);
	if (!rc)
		rc = has_no_others(bpf_program__fd(o.program), &known, why);
	if (rc)
		return rc;
	if (t->program[load->hook] >= 0)
		close(t->program[load->hook]);
	return duplicate(&t->program[load->hook], bpf_program__fd(o.program), why);
}

/* ---- adopt ---------------------------------------------------------------------------- */

static int adopt_one(int *out, const struct held_maps *h, const char *name, struct err *why)
{
	const struct held_map *m = map_named(h, name);

	return m ? duplicate(out, m->fd, why) : 0;
}

/* Of the program's constants the first: by what version of abi.h it reads and writes. */
static int version_holds(const struct held_maps *h, struct err *why)
{
	const struct held_map *m = map_named(h, TEG_CONFIG_SECTION);
	struct bpf_map_info is = { 0 };
	uint32_t len = sizeof is, zero = 0, version;

	if (!m || bpf_obj_get_info_by_fd(m->fd, &is, &len) || is.value_size < sizeof version)
		return err_set(why, EPROTO, "the program in the slot does not say its version: it is not ours");
	own(mem) void *constants = calloc(1, is.value_size);
	if (!constants)
		return err_set(why, ENOMEM, "no memory for a program's constants");
	if (bpf_map_lookup_elem(m->fd, &zero, constants))
		return err_sys(why, "cannot read a program's constants");
	memcpy(&version, constants, sizeof version);
	return version == TEG_ABI_VERSION ? 0 : err_set(why, ESTALE, "the program in the slot is of version %u, and this is %u",
							version, TEG_ABI_VERSION);
}

int tables_adopt(struct tables **out, enum teg_hook hook, int program, struct err *why)
{
	own(held_maps) struct held_maps has = { 0 };
	own(tables) struct tables *t = tables_new();

	if (!t)
		return err_set(why, ENOMEM, "no memory for a generation's tables");
	int rc = duplicate(&t->program[hook], program, why);
	if (!rc)
		rc = maps_of(&has, program, why);
	if (!rc)
		rc = adopt_one(&t->zones, &has, "gen_zones", why);
	if (!rc)
		rc = adopt_one(&t->zones_far, &has, "gen_zones_far", why);
	if (!rc)
		rc = adopt_one(&t->clock, &has, TEG_CLOCK_SECTION, why);
	if (!rc)
		rc = adopt_one(&t->feeds, &has, "gen_feeds", why);
	if (!rc)
		rc = adopt_one(&t->feeding, &has, TEG_FEEDING_SECTION, why);
	if (!rc)
		rc = look_at_feeds(t, why);
	if (rc)
		return rc;
	if (t->zones < 0 || t->zones_far < 0)
		return err_set(why, EPROTO, "the program in the slot has no tables of zones: it is not ours");
	rc = version_holds(&has, why);
	if (!rc)
		*out = take(t);
	return rc;
}

int tables_adopt_more(struct tables *t, enum teg_hook hook, int program, struct err *why)
{
	return duplicate(&t->program[hook], program, why);
}

int tables_set_zone(struct tables *t, uint32_t ifindex, uint64_t bits, struct err *why)
{
	int map = ifindex < TEG_ZONES_NEAR ? t->zones : t->zones_far;

	if (bpf_map_update_elem(map, &ifindex, &bits, BPF_ANY))
		return err_sys(why, "cannot note the zone of interface %u", ifindex);
	return 0;
}

int tables_set_clock(struct tables *t, uint64_t ns, struct err *why)
{
	const uint32_t zero = 0;

	if (bpf_map_update_elem(t->clock, &zero, &ns, BPF_ANY))
		return err_sys(why, "cannot set the given clock");
	return 0;
}
