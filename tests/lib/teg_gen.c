#include "tests/lib/teg_gen.h"

#include <string.h>

enum { ZONES = 3, NETS = 6, SERVICES = 4, POSTURES = 3, REFLEXES = 2 };

#define PICK(g, table) ((table)[gen_below((g), sizeof(table) / sizeof *(table))])

/* Names that exist so far: a value speaks only of what stands before it, so nothing is made of itself. */
struct teg {
	struct gen *g;
	struct buf *out;
	unsigned nets, services, labels;
};

static void put(struct teg *t, const char *s)
{
	buf_puts(t->out, s);
}

static bool chance(struct teg *t, unsigned percent)
{
	return gen_chance(t->g, percent);
}

/* --- values -------------------------------------------------------------------------------- */

static void address(struct teg *t)
{
	static const char *const some[] = { "192.0.2.7", "192.0.2.0/24", "10.0.0.0/8", "198.51.100.128/25", "2001:DB8::1",
					    "2001:db8:0::/48", "::ffff:192.0.2.1", "fe80::/10", "0.0.0.0/0", "::/0" };
	put(t, PICK(t->g, some));
}

static void net(struct teg *t, unsigned depth);

static void net_list(struct teg *t, unsigned depth)
{
	unsigned n = 1 + gen_below(t->g, 6);

	put(t, "[");
	for (unsigned i = 0; i < n; i++) {
		put(t, i ? ", " : "");
		net(t, depth + 1);
	}
	put(t, chance(t, 20) ? ",]" : "]");
}

static void net(struct teg *t, unsigned depth)
{
	unsigned shape = gen_below(t->g, depth > 2 ? 4 : 9);

	switch (shape) {
	case 0:
		if (t->nets)
			buf_printf(t->out, "n%u", gen_below(t->g, t->nets));
		else
			address(t);
		return;
	case 1:
		put(t, "192.0.2.9..192.0.2.77");
		return;
	case 2:
	case 3:
		address(t);
		return;
	case 4:
	case 5:
		net_list(t, depth);
		return;
	case 6:
		put(t, "(");
		net(t, depth + 1);
		put(t, " + ");
		net(t, depth + 1);
		put(t, ")");
		return;
	case 7:
		net(t, depth + 1);
		put(t, " + ");
		net(t, depth + 1);
		return;
	default: /* a difference that leaves something, in whatever it stands */
		put(t, "(");
		net(t, depth + 1);
		put(t, " - 203.0.113.0/25 - 2001:db8:ffff::/64) + [192.0.2.1, 2001:db8::1] & any");
	}
}

static void port(struct teg *t)
{
	static const char *const some[] = { "80", "0443", "1..1023", "[22, 80..90]", "[53]", "[1024..2000] - 1500", "any - [22, 23]",
					    "80 + 81", "[1..100] & [50..200]" };
	put(t, PICK(t->g, some));
}

static void service(struct teg *t)
{
	static const char *const some[] = { "tcp/80", "udp/[53, 5353]", "tcp/8000..8010", "sctp/9", "icmp/echo", "icmpv6/1/4", "esp",
					    "protocol/99", "[tcp/1, tcp/2, udp/2]", "tcp/[1..100] - tcp/50", "icmpv4/[13, 3/4]" };
	if (t->services && chance(t, 40))
		buf_printf(t->out, "s%u", gen_below(t->g, t->services));
	else
		put(t, PICK(t->g, some));
}

/* --- selectors ------------------------------------------------------------------------------- */

/* Both families are always in it, so that no two ends miss each other. */
static void end(struct teg *t, const char *word, bool ports)
{
	buf_printf(t->out, " %s ", word);
	switch (gen_below(t->g, 4)) {
	case 0:
		put(t, "any");
		break;
	case 1:
		put(t, "self");
		break;
	case 2:
		put(t, "self + n0");
		break;
	default:
		put(t, "[");
		net(t, 1);
		put(t, ", 192.0.2.200, 2001:db8::200]");
	}
	if (ports && chance(t, 40)) {
		put(t, " port ");
		port(t);
	}
}

static void zones(struct teg *t)
{
	static const char *const some[] = { " on z0", " on [z0, z1]", " on [z2]", " on z0 + z2" };

	put(t, PICK(t->g, some));
}

static void selector(struct teg *t)
{
	static const char *const portless[] = { "ip", "icmp", "icmp echo", "icmp [echo, unreachable]", "esp", "protocol 89",
						"protocol [47, 200]", "[icmp/echo, gre]" };
	static const char *const flags[] = { " flags syn/syn+ack", " flags fin", " flags none/all", " flags ack+syn/all" };
	bool tcp = chance(t, 40), ports = tcp || chance(t, 30);

	if (tcp)
		put(t, "tcp");
	else if (ports)
		put(t, chance(t, 50) ? "udp" : "[tcp, udp]");
	else if (chance(t, 40))
		service(t);
	else
		put(t, PICK(t->g, portless));
	bool alone = ports && chance(t, 20);
	if (alone) {
		put(t, " port ");
		port(t);
	}
	if (chance(t, 30))
		zones(t);
	if (tcp && chance(t, 30))
		put(t, PICK(t->g, flags));
	bool to_first = chance(t, 30);
	if (to_first)
		end(t, "to", ports && !alone);
	if (chance(t, 60))
		end(t, "from", ports);
	if (!to_first && chance(t, 70))
		end(t, "to", ports && !alone);
}

/* --- declarations ------------------------------------------------------------------------------ */

static void names(struct teg *t)
{
	for (unsigned i = 0; i < ZONES; i++)
		buf_printf(t->out, chance(t, 50) ? "zone z%u = \"eth%u\"\n" : "zone z%u = [\"wan%u\", \"x%u-*\"]\n", i, i, i);
	for (; t->nets < NETS; t->nets++) {
		buf_printf(t->out, chance(t, 30) ? "param n%u: net = " : "net n%u = ", t->nets);
		net(t, 0);
		put(t, "\n");
	}
	for (; t->services < SERVICES; t->services++) {
		buf_printf(t->out, "service s%u = ", t->services);
		service(t);
		put(t, chance(t, 40) ? " + tcp/9999\n" : "\n");
	}
}

static void rule(struct teg *t)
{
	static const char *const verdicts[] = { "allow", "drop", "reject" }, *const directions[] = { "", " in", " out", " forward" };

	/* The label makes it one of its kind. */
	buf_printf(t->out, "    r%u: %s%s ", t->labels++, PICK(t->g, verdicts), PICK(t->g, directions));
	selector(t);
	put(t, "\n");
}

static void anonymous_rule(struct teg *t)
{
	buf_printf(t->out, "    allow tcp to self port %u\n", 10000 + t->labels++);
}

static void posture(struct teg *t, unsigned i)
{
	static const char *const established[] = { "keep", "recheck", "cut" };
	unsigned n = gen_below(t->g, 8);

	buf_printf(t->out, "posture P%u%s", i, chance(t, 50) ? " \"A \\\"title\\\" with \\\\ and # in it\"" : "");
	if (i && chance(t, 60))
		buf_printf(t->out, " extends P%u", gen_below(t->g, i));
	put(t, " {\n    default drop\n");
	if (chance(t, 40))
		put(t, "    default out allow\n");
	if (chance(t, 40))
		buf_printf(t->out, "    established %s\n", PICK(t->g, established));
	if (chance(t, 40))
		put(t, "    web: allow tcp to self port 80\n");
	while (n--)
		(chance(t, 30) ? anonymous_rule : rule)(t);
	put(t, "}\n\n");
}

static void reflex(struct teg *t, unsigned i)
{
	static const char *const whens[] = { "rate per source > 1000 per 100ms", "rate per source/24 > 2k per 1m",
					     "rate per source > 50/s" };
	buf_printf(t->out, "reflex f%u {\n    match ", i);
	selector(t);
	put(t, "\n");
	if (chance(t, 60))
		buf_printf(t->out, "    when %s\n", PICK(t->g, whens));
	put(t, chance(t, 50) ? "    do drop\n" : "    do drop source for 1.5h\n");
	if (chance(t, 40))
		put(t, "    except in P0, P1\n");
	put(t, "}\n\n");
}

static void tests(struct teg *t)
{
	static const char *const packets[] = {
		"tcp 192.0.2.1:40000 -> self:80 syn on z0",	"tcp [2001:db8::1]:1 -> self:443 syn+ack reply",
		"udp self:53 -> 192.0.2.7:53 out on z1",	"icmp echo 192.0.2.1 -> self",
		"icmpv6 1/4 2001:db8::1 -> any related",	"protocol 99 192.0.2.1 -> 198.51.100.1 forward",
		"tcp any:1 -> 192.0.2.1:2 none invalid on z2",
	};
	unsigned n = 1 + gen_below(t->g, 4);

	put(t, "test \"of several packets\" {\n    posture P0\n");
	while (n--) {
		const char *packet = PICK(t->g, packets);

		if (chance(t, 30))
			buf_printf(t->out, "    %u * (%s)%s => last drop\n", 2 + gen_below(t->g, 100), packet,
				   chance(t, 50) ? " in 90s" : "");
		else
			buf_printf(t->out, "    %s => %s\n", packet, chance(t, 50) ? "allow" : "drop by default");
	}
	put(t, "}\n");
}

void teg_gen(struct gen *g, struct buf *out)
{
	struct teg t = { .g = g, .out = out };

	put(&t, chance(&t, 50) ? "policy generated \"From a seed\" {\n    version \"1\"\n    owner \"nobody\"\n}\n\n" : "");
	names(&t);
	put(&t, "\nlifeline {\n    tcp from n0 to self port 22\n    second: udp from n1 + 192.0.2.1 to self\n}\n\n");
	put(&t, "block n0 on z0\nforeign: block n1 + [192.0.2.1]\n\n");
	for (unsigned i = 0; i < REFLEXES; i++)
		reflex(&t, i);
	for (unsigned i = 0; i < POSTURES; i++)
		posture(&t, i);
	put(&t, "initial posture P1\n\n");
	tests(&t);
}
