/*
 * classbench - lists of rules as ClassBench draws them (Taylor and Turner, 2007), as blocks of a policy.
 *
 *     size_t n = classbench_read(&rules, a, "acl1_1000");          0 when the lists are not here
 *     struct ir *ir = classbench_ir(rules, n, 1, a);
 *     struct packet p = classbench_packet(&g, rules, n);
 *
 * classbench_posture() has them at layer 4.
 *
 * Files are looked for in ../shared/data/rulesets/classbench. A rule is a
 * reflex without a rate, "reflex.r0" and so on; several boxes may share one.
 */
#ifndef TEG_TEST_CLASSBENCH_H
#define TEG_TEST_CLASSBENCH_H

#include "compiler/ir/ir.h"
#include "compiler/ir/packet.h"
#include "tests/lib/gen.h"

struct classbench_rule {
	struct prefix src, dst;
	struct range sport, dport;
	uint16_t proto; /* or PROTO_ANY_NUMBER */
};

size_t classbench_read(struct classbench_rule **out, struct arena *a, const char *name);

/* Each rule `copies` times, moved to other networks of the same lengths: a longer list of the same kind. */
struct classbench_rule *classbench_spread(const struct classbench_rule *rules, size_t count, size_t copies,
					  struct arena *a);

/* The same rules for IPv6: what they ask of an address stands behind 2001:db8::/32. */
void classbench_ip6(struct classbench_rule *rules, size_t count);

/*
 * The list of a size, 10 to 100,000, and kind: "acl", "fw", "ipc", or the same with a 6 behind it for IPv6. The small ones are
 * every so many of a list of 1,000, the largest has each of 10,000 rules ten times. NULL when the lists are not here.
 *
 * Or a kind with a / in it is a list as ../shared/prototypes/packet-path/gen.c draws them, of its own size: KIND.rules has a line for
 * each rule, "10.0.0.0/8 192.0.2.0/24 0-65535 80-80 6", whose last number is the protocol, 0 for any; KIND.trace its packets.
 */
struct classbench_rule *classbench_sized(size_t *count, struct arena *a, const char *kind, size_t want);

/* What a bench sends through that list: packets drawn as below, or the first of its trace. False when that has too few. */
bool classbench_trace(struct packet *out, size_t packets, const char *kind, const struct classbench_rule *rules, size_t count);

struct ir *classbench_ir(const struct classbench_rule *rules, size_t count, size_t boxes_per_rule, struct arena *a);

/* As rules of the posture P, forward, of which each fourth drops: "P.r0" and so on; the default drops. */
struct ir *classbench_posture(const struct classbench_rule *rules, size_t count, struct arena *a);

bool classbench_has(const struct classbench_rule *r, const struct packet *p);

/* In one of the rules; one of five has its source elsewhere. */
struct packet classbench_packet(struct gen *g, const struct classbench_rule *rules, size_t count);

/* The packets that come with a list, with the first rule that has each, SIZE_MAX for none. */
struct classbench_truth {
	struct packet packet;
	size_t first;
};
size_t classbench_truths(struct classbench_truth **out, struct arena *a, const char *name);

#endif
