#include "enforcer/hook/tables/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "enforcer/hook/one_value.h"
#include "enforcer/hook/reach.h"
#include "lang/base/clock.h"

#ifndef BPF_F_XDP_HAS_FRAGS
#define BPF_F_XDP_HAS_FRAGS (1U << 5)
#endif

#define LOG_BYTES (1u << 20)

/* ---- one generation ----------------------------------------------------------- */

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

struct tables *tables_new(void)
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

static bool kernel_is_since(unsigned major, unsigned minor)
{
	unsigned is_major = 0, is_minor = 0;
	struct utsname is;

	return !uname(&is) && sscanf(is.release, "%u.%u", &is_major, &is_minor) == 2 &&
	       (is_major > major || (is_major == major && is_minor >= minor));
}

bool tables_may_run(enum teg_hook hook, struct err *why)
{
	if (hook != TEG_HOOK_XDP || kernel_is_since(6, 1))
		return true;
	err_set(why, ENOTSUP, "before Linux 6.1 each packet that is tried out rewrites the code through which the kernel calls every XDP program");
	return false;
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

bool tables_kernel_ends_loops(void)
{
	return kernel_is_since(6, 12);
}

/* libbpf would tell stderr; what it knows that we do not is the verifier's log, and we ask for that. */
static int say_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

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
	if (load->loops == TABLES_LOOPS_FREE)
		c.host |= TEG_HOST_LOOPS;
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
	c.payload.steps = made->steps.count;
	c.feed_words = made->feed_words;
	c.bulk.words = (uint32_t)made->bulk.len;
	c.bulk.mores = (uint32_t)made->bulk.mores;
	c.bulk.short6 = made->bulk.short6;
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

static int object_size(struct bpf_object *o, const struct plan *p, const struct made *made, struct err *why)
{
	const struct trie *sets = &made->sets;
	const struct { const char *name; uint32_t value, entries; } sizes[] = {
		{ "gen_cells", tables_cells_room(p) * (uint32_t)sizeof(struct teg_cell), 1 },
		{ "gen_rules", at_least_one(p->rule_count) * (uint32_t)sizeof(struct teg_rule), 1 },
		{ "gen_nodes", at_least_one(sets->node_count) * (uint32_t)sizeof(struct teg_node), 1 },
		{ "gen_masks", at_least_one(sets->mask_count) * (uint32_t)sizeof(uint64_t), 1 },
		{ "gen_bulk", at_least_one((uint32_t)made->bulk.len) * (uint32_t)sizeof(uint64_t), 1 },
		{ "gen_payload_cells", at_least_one(p->config.payload.boxes) * (uint32_t)sizeof(struct teg_cell), 1 },
		{ "gen_rows", at_least_one(p->config.payload.rows) * (uint32_t)sizeof(struct teg_row), 1 },
		{ "gen_automata", at_least_one(p->config.payload.automata) * (uint32_t)sizeof(struct teg_automaton), 1 },
		{ "gen_steps", (made->steps.count + TEG_STEPS_BEYOND) * (uint32_t)sizeof(uint32_t), 1 },
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
	return 0;
}

/* Sizes and constants: all that must be known before the verifier sees the program. */
static int object_prepare(struct bpf_object *o, const struct tables_load *load, const struct made *made, struct err *why)
{
	const struct teg_config config = staged_config(load, made);
	int rc = object_size(o, load->plan, made, why);

	if (rc || (rc = object_share(o, load->shared, why)))
		return rc;
	struct bpf_map *constants = object_map(o, TEG_CONFIG_SECTION, why);
	if (!constants)
		return why->code;
	if (bpf_map__set_initial_value(constants, &config, sizeof config))
		return err_sys(why, "cannot write the program's constants");
	return 0;
}

/* It has rates, and no list that is asked by parts, of lifelines neither. */
static bool has_few_rates(const struct teg_config *c)
{
	return c->asks & TEG_ASKS_CLOCK && c->lifeline_boxes <= TEG_CELLS_SHORT && c->box_count - c->lifeline_boxes <= TEG_CELLS_SHORT;
}

/* The program of this policy. A bundle of before there was one for rates has none; the usual one judges alike. */
static struct bpf_program *object_choose(const struct bpf_object *o, const struct teg_config *c)
{
	struct bpf_program *rates = has_few_rates(c) ? bpf_object__find_program_by_name(o, "policy_rates") : NULL;

	if (c->asks & TEG_ASKS_PAYLOAD)
		return bpf_object__find_program_by_name(o, "policy_payload");
	return rates ? rates : bpf_object__find_program_by_name(o, "policy");
}

/* The object's others are left out. */
static struct bpf_program *object_policy(struct bpf_object *o, const struct tables_load *load, struct err *why)
{
	struct bpf_program *p = object_choose(o, &load->plan->config), *other;

	if (!p) {
		err_set(why, EPROTO, "the object has no program for such a policy");
		return NULL;
	}
	bpf_object__for_each_program(other, o)
		bpf_program__set_autoload(other, other == p);
	bpf_program__set_flags(p, load->hook == TEG_HOOK_XDP && tables_kernel_has_frags() ? BPF_F_XDP_HAS_FRAGS : 0);
	return p;
}

/* The end of the verifier's log, where the reason stands. */
static const char *last_words(const char *log)
{
	size_t len = strlen(log);

	return len > 600 ? log + len - 600 : log;
}

/* ---- load ----------------------------------------------------------------------- */

int tables_duplicate(int *out, int fd, struct err *why)
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
		int rc = tables_duplicate(keep[i].out, keep[i].fd, why);
		if (rc)
			return rc;
	}
	int rc = tables_look_at_feeds(t, why);
	if (!rc && load->feeds)
		rc = tables_feed(t, load->feeds, why);
	if (!rc && load->feeds)
		rc = tables_fed(t, why);
	if (rc)
		return rc;
	*out = take(t);
	return 0;
}

void opened_own_(struct opened *o)
{
	bpf_object__close(o->object);
	free(o->log);
}

#define LOG_STATS 4 /* BPF_LOG_STATS of include/linux/bpf_verifier.h: nothing but what was looked at */

int opened_open(struct opened *out, const struct tables_load *load, struct err *why)
{
	const int rc = reach_check(load->object, load->object_len, why);

	if (rc)
		return rc;
	out->log = calloc(1, LOG_BYTES);
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "policy", .kernel_log_buf = out->log,
		    .kernel_log_size = out->log ? LOG_BYTES : 0);

	libbpf_set_print(say_nothing);
	one_value_know();
	out->object = bpf_object__open_mem(load->object, load->object_len, &opts);
	if (!out->object)
		return err_sys(why, "the program is not a BPF object that can be read");
	out->program = object_policy(out->object, load, why);
	if (out->program && load->spent && out->log)
		bpf_program__set_log_level(out->program, LOG_STATS); /* of the program alone: the kernel would write down all types as well */
	return out->program ? 0 : why->code;
}

#define VALUE_MOST (4u << 20) /* before Linux 6.0: KMALLOC_MAX_SIZE, array_map_alloc_check() of kernel/bpf/arraymap.c */

/* The table for which the kernel is too old, when no program came to be verified; or NULL. */
static const struct bpf_map *too_large(const struct opened *o)
{
	const struct bpf_map *m = bpf_object__next_map(o->object, NULL);

	while (m && bpf_map__value_size(m) <= VALUE_MOST)
		m = bpf_object__next_map(o->object, m);
	return o->log && strstr(o->log, "processed ") ? NULL : m; /* libbpf had the kernel tell of types as well */
}

/* The program holds all its tables, those too that what is left of it does not mention: they are found again by it. */
static int bind_tables(const struct opened *o, struct err *why)
{
	const struct bpf_map *m;

	bpf_object__for_each_map(m, o->object) {
		const int map = bpf_map__fd(m);

		if (map >= 0 && bpf_prog_bind_map(bpf_program__fd(o->program), map, NULL))
			return err_sys(why, "the program cannot hold the table %s", bpf_map__name(m));
	}
	return 0;
}

int opened_load(struct opened *o, struct err *why)
{
	const bool loaded = !bpf_object__load(o->object);
	const struct bpf_map *large = loaded || errno != E2BIG ? NULL : too_large(o);

	if (large)
		return err_set(why, E2BIG, "Linux before 6.0 makes no table of one value beyond 4 MB, and the policy's %s takes %.1f",
			       bpf_map__name(large), bpf_map__value_size(large) / 1048576.0);
	if (!loaded)
		return err_sys(why, "the kernel does not take the program: %s", last_words(o->log ? o->log : ""));
	return bind_tables(o, why);
}

static double cpu_ms(void)
{
	return (double)clock_ns(CLOCK_THREAD_CPUTIME_ID) / 1e6;
}

/* The processor's time since *since, which is now from here on. */
static double lap_ms(double *since)
{
	const double was = *since;

	*since = cpu_ms();
	return *since - was;
}

static int load_so(struct tables **out, const struct tables_load *load, struct err *why)
{
	struct tables_spent nobody, *spent = load->spent ? load->spent : &nobody;
	double lap = cpu_ms();
	own(arena) struct arena *a = arena_new();
	own(opened) struct opened o = { 0 };
	own(made) struct made made = { .sets = trie_build(a, load->plan->prefixes, load->plan->prefix_count), 
			     .bulk = bulk_pack(a, load->plan, load->slots), .steps = steps_lay(a, load->plan) };

	if (!bulk_fits(&made.bulk, why))
		return why->code;
	if (!made.sets.node_count && atlas_build(&made.atlas, load->plan->prefixes, load->plan->prefix_count, why))
		return why->code;
	made.feed_words = tables_feed_words(load);
	spent->make_ms = lap_ms(&lap);
	int rc = opened_open(&o, load, why);
	if (!rc)
		rc = object_prepare(o.object, load, &made, why);
	spent->open_ms = lap_ms(&lap);
	if (!rc)
		rc = opened_load(&o, why);
	spent->load_ms = lap_ms(&lap);
	if (!rc)
		rc = tables_fill(o.object, load, &made, why);
	spent->fill_ms = lap_ms(&lap);
	snprintf(spent->said, sizeof spent->said, "%s", last_words(o.log ? o.log : ""));
	return rc ? rc : tables_keep(out, o.object, load, o.program, why);
}

/* What check_mem_access() and its like, do_check() and its bounds say in kernel/bpf/verifier.c. What lacks memory, say, is no refusal. */
static bool verifier_refuses(int rc)
{
	return rc == -EINVAL || rc == -EACCES || rc == -E2BIG;
}

/* Whether a verifier finds the end of a loop that it need not walk is its own matter, and each does it otherwise: what it refuses so is tried counted. */
int tables_load(struct tables **out, const struct tables_load *load, struct err *why)
{
	struct tables_load as = *load;

	if (as.loops != TABLES_LOOPS_AS_TAKEN)
		return load_so(out, load, why);
	as.loops = TABLES_LOOPS_FREE;
	const int rc = tables_kernel_ends_loops() ? load_so(out, &as, why) : -EINVAL;
	if (!verifier_refuses(rc))
		return rc;
	as.loops = TABLES_LOOPS_COUNTED;
	return load_so(out, &as, why);
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
