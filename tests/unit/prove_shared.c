/*
 * Reflexes that share a limit: what a proof says of them is asked of eval, with each number of tokens that
 * the limit may have left. Small policies are drawn, and edits of them.
 */
#include <stdlib.h>
#include <string.h>

#include "compiler/front/front.h"
#include "compiler/ir/moment.h"
#include "compiler/ir/proto.h"
#include "compiler/prove/diff/diff.h"
#include "compiler/prove/prove.h"
#include "tests/lib/gen.h"
#include "tests/lib/tap.h"

#define POLICIES 1000
#define REFLEXES 4

struct drawn {
	unsigned burst, len;
	struct {
		unsigned name, match, does;
		bool calm, except, finds;
	} reflexes[REFLEXES];
};

static unsigned draw(struct gen *g, unsigned below)
{
	g->state = g->state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(g->state >> 33) % below;
}

static const char *const matches[] = { "udp", "udp to self port 53", "udp to self port 50..60", "udp from 198.51.100.0/24", "tcp",
				       "tcp flags syn/syn", "udp to [self, 192.0.2.0/24]" };
static const char *const does[] = { "drop", "drop", "drop, emit low", "drop source for 60s", "emit low" };

static void draw_reflex(struct gen *g, struct drawn *d, unsigned i, unsigned name)
{
	d->reflexes[i].name = name;
	d->reflexes[i].match = draw(g, draw(g, 2) ? 3 : ARRAY_LEN(matches));
	d->reflexes[i].does = draw(g, ARRAY_LEN(does));
	d->reflexes[i].calm = draw(g, 5) > 0;
	d->reflexes[i].except = !draw(g, 6);
	d->reflexes[i].finds = !draw(g, 10);
}

static struct drawn draw_policy(struct gen *g)
{
	struct drawn d = { .burst = 1 + draw(g, 4), .len = 2 + draw(g, REFLEXES - 1) };

	for (unsigned i = 0; i < d.len; i++)
		draw_reflex(g, &d, i, i);
	return d;
}

/* One goes, moves, has another name, or does something else. */
static void edit(struct gen *g, struct drawn *d)
{
	const unsigned i = draw(g, d->len), k = draw(g, d->len);
	struct drawn was = *d;

	switch (draw(g, 5)) {
	case 0:
		memmove(&d->reflexes[i], &d->reflexes[i + 1], (--d->len - i) * sizeof *d->reflexes);
		break;
	case 1:
		d->reflexes[i] = was.reflexes[k];
		d->reflexes[k] = was.reflexes[i];
		break;
	case 2:
		d->reflexes[i].name += REFLEXES;
		break;
	case 3:
		d->reflexes[i].does = draw(g, ARRAY_LEN(does));
		break;
	default:
		draw_reflex(g, d, i, d->reflexes[i].name);
	}
}

static const struct ir *read_it(struct compilation *c, const struct drawn *d)
{
	own(buf) struct buf text = { 0 };
	struct policy *p;

	buf_printf(&text, "zone wan = \"eth0\"\nlimit calm = %u per 10s per source burst %u\n", d->burst, d->burst);
	for (unsigned i = 0; i < d->len; i++)
		buf_printf(&text, "reflex r%u {\n match %s on wan%s\n when %s\n do %s\n%s}\n", d->reflexes[i].name,
			   matches[d->reflexes[i].match], d->reflexes[i].finds ? " payload /evil/ within 9" : "",
			   d->reflexes[i].calm ? "exceeds calm" : "rate per source > 1 per 10s", does[d->reflexes[i].does],
			   d->reflexes[i].except ? " except in QUIET\n" : "");
	buf_puts(&text, "posture OPEN { default allow }\nposture QUIET { default allow }\ninitial posture OPEN\n");
	p = front_read_text(c, "drawn.teg", buf_text(&text), strlen(buf_text(&text)));
	if (!p)
		tap_note("%s", buf_text(&text));
	return p ? ir_lower(p, c->arena) : NULL;
}

/* --- packets ------------------------------------------------------------------------------------- */

static const struct {
	uint8_t proto, flags;
	uint16_t dport;
	bool evil, to_self;
	uint32_t src, dst;
} packets[] = {
	{ PROTO_UDP, 0, 53, false, true, 0xc6336407, 0xcb007101 },  { PROTO_UDP, 0, 54, false, true, 0xc6336407, 0xcb007101 },
	{ PROTO_UDP, 0, 99, false, true, 0xc6336407, 0xcb007101 },  { PROTO_UDP, 0, 53, false, true, 0x0a000001, 0xcb007101 },
	{ PROTO_UDP, 0, 53, true, true, 0xc6336407, 0xcb007101 },   { PROTO_TCP, 0x02, 80, false, true, 0xc6336407, 0xcb007101 },
	{ PROTO_TCP, 0x10, 80, false, true, 0x0a000001, 0xcb007101 }, { PROTO_UDP, 0, 53, false, false, 0xc6336407, 0xc000020a },
	{ PROTO_UDP, 0, 99, true, true, 0x0a000001, 0xcb007101 },   { PROTO_UDP, 0, 54, false, true, 0x0a000001, 0xcb007101 },
};

static struct packet packet(size_t i)
{
	static const uint8_t evil[] = "evil";
	struct packet p = {
		.family = FAMILY_IP4, .proto = packets[i].proto, .flags = packets[i].flags, .sport = 50000, .dport = packets[i].dport,
		.src = { FAMILY_IP4, packets[i].src }, .dst = { FAMILY_IP4, packets[i].dst }, .fragment = FRAGMENT_WHOLE, .hop_limit = 64,
		.len = 60, .state = CT_NEW, .direction = packets[i].to_self ? DIRECTION_IN : DIRECTION_FORWARD,
	};

	if (packets[i].evil) {
		p.payload = evil;
		p.payload_len = 4;
	}
	return p;
}

/* The tokens that are left: of the limit, and of reflexes that have a rate of their own a bit each. */
static struct outcome ask(const struct ir *ir, unsigned posture, size_t of, unsigned left, unsigned own)
{
	own(moment) struct moment *m = moment_new(ir);
	struct addr_range host = { 0xcb007101, 0xcb007101 }, *at[FAMILY_COUNT] = { &host };
	own(arena) struct arena *a = arena_new();
	const struct netset self = netset_of_ranges(a, at, (size_t[]){ 1, 0 });
	const struct packet p = packet(of);
	const struct ir_list *lists[] = { &ir->reflexes, &ir->watches };

	moment_set_posture(m, posture);
	moment_set_self(m, &self);
	for (size_t l = 0; l < 2; l++)
		for (size_t i = 0; i < lists[l]->count; i++) {
			const struct ir_rule *r = &lists[l]->rules[i];
			const bool calm = !strcmp(r->rate->bucket, "limit.calm");
			const unsigned name = (unsigned)(r->id[strlen("reflex.r")] - '0');

			if (calm || name < REFLEXES) /* a new name's bucket is full */
				moment_leave(m, r->rate, &p, calm ? left : own >> name & 1);
		}
	return eval_packet(m, &p);
}

struct asked {
	unsigned posture, left, own;
	size_t packet;
};

#define FOR_ALL_ASKED(q)                                                         \
	for ((q).posture = 0; (q).posture < 2; (q).posture++)                     \
		for ((q).left = 0; (q).left <= 4; (q).left++)                     \
			for ((q).own = 0; (q).own < 1u << REFLEXES; (q).own++)    \
				for ((q).packet = 0; (q).packet < ARRAY_LEN(packets); (q).packet++)

static struct outcome answer(const struct ir *ir, const struct asked *q)
{
	return ask(ir, q->posture, q->packet, q->left, q->own);
}

/* --- what is said -------------------------------------------------------------------------------- */

enum law { READ, DEAD_IS_DEAD, OPENED_IS_TOLD, REPLAYS, OPENED_IS, LAWS };

static const char *const laws[LAWS] = {
	[READ] = "what is drawn is a policy",
	[DEAD_IS_DEAD] = "what never decides decides no packet, however many tokens are left",
	[OPENED_IS_TOLD] = "where nothing is said to be opened, no packet passes that was dropped",
	[REPLAYS] = "every example replays",
	[OPENED_IS] = "what is said to be opened is, where no pattern is asked and no end is two",
};

static size_t checked[LAWS], broken[LAWS];

static void check(enum law l, bool held)
{
	checked[l]++;
	broken[l] += !held;
}

static bool fires(const struct ir *ir, const struct ir_rule *r)
{
	struct asked q;

	FOR_ALL_ASKED(q)
		if (answer(ir, &q).rule == r)
			return true;
	return false;
}

static void check_dead(struct prover *p, const struct ir *ir)
{
	const struct dead_list l = prove_dead(p, ir, 1);

	for (size_t i = 0; i < l.len; i++)
		if (l.at[i].rule->layer == LAYER_REFLEX)
			check(DEAD_IS_DEAD, !fires(ir, l.at[i].rule));
}

static bool opens(const struct ir *old, const struct ir *new)
{
	struct asked q;

	FOR_ALL_ASKED(q)
		if (answer(old, &q).verdict != VERDICT_ALLOW && answer(new, &q).verdict == VERDICT_ALLOW)
			return true;
	return false;
}

static bool is_plain(const struct drawn *d)
{
	for (unsigned i = 0; i < d->len; i++)
		if (d->reflexes[i].finds || strchr(matches[d->reflexes[i].match], '['))
			return false;
	return true;
}

static void check_edit(struct prover *p, const struct drawn *x, const struct drawn *y, const struct ir *old, const struct ir *new)
{
	const struct diff *all = prove_diff(p, old, new), *access = prove_new_access(p, old, new, NULL);
	const bool is = opens(old, new), told = access->change_count || access->fact_count;

	check(OPENED_IS_TOLD, told || !is);
	check(REPLAYS, diff_replays(all) && diff_replays(access));
	if (access->change_count && is_plain(x) && is_plain(y))
		check(OPENED_IS, is);
	if (!diff_replays(all) || (!told && is) || (access->change_count && !is && is_plain(x) && is_plain(y)))
		for (unsigned i = 0; i < x->len || i < y->len; i++)
			tap_note("(finds %d %d) " "%u: r%u %s, %s%s%s -> r%u %s, %s%s%s of %u", x->reflexes[i].finds, y->reflexes[i].finds, i, x->reflexes[i].name, matches[x->reflexes[i].match],
				 does[x->reflexes[i].does], x->reflexes[i].calm ? " calm" : "", x->reflexes[i].except ? " except" : "",
				 y->reflexes[i].name, matches[y->reflexes[i].match], does[y->reflexes[i].does],
				 y->reflexes[i].calm ? " calm" : "", y->reflexes[i].except ? " except" : "", x->burst);
}

static void check_drawn(struct gen *g)
{
	own(compilation) struct compilation *a = compilation_new(), *b = compilation_new();
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	struct drawn x = draw_policy(g), y = x;
	const struct ir *old, *new;

	edit(g, &y);
	old = read_it(a, &x);
	new = read_it(b, &y);
	check(READ, old && new);
	if (!old || !new)
		return;
	check_dead(p, old);
	check_edit(p, &x, &y, old, new);
}

int main(void)
{
	struct gen g = gen_new(71);

	for (int i = 0; i < POLICIES; i++)
		check_drawn(&g);
	for (int l = 0; l < LAWS; l++)
		tap_ok(checked[l] && !broken[l], "%s (%zu)", laws[l], checked[l]);
	return tap_done();
}
