#include "tests/lib/craft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/ir/ir.h"

static void must(bool held, const char *text)
{
	if (held)
		return;
	fprintf(stderr, "craft: cannot read %s\n", text);
	exit(1);
}

struct addr craft_addr(const char *text)
{
	struct addr a;

	must(addr_parse(text, &a), text);
	return a;
}

struct netset craft_set(struct arena *a, const char *prefixes)
{
	char *text = arena_strdup(a, prefixes), *rest = text;
	struct netset s = { 0 };

	for (char *one; (one = strsep(&rest, " "));) {
		struct prefix p;
		if (!*one)
			continue;
		must(prefix_parse(one, &p) == PREFIX_OK, one);
		struct netset more = netset_of_range(a, p.addr.family, prefix_range(p));
		s = netset_join(a, &s, &more);
	}
	return s;
}

struct pol_end craft_end(struct arena *a, const char *text)
{
	if (!strcmp(text, "any"))
		return (struct pol_end){ .any = true };
	if (!strcmp(text, "self"))
		return (struct pol_end){ .self = true };
	return (struct pol_end){ .set = craft_set(a, text) };
}

struct pol_selector craft_select(struct arena *a, uint16_t proto)
{
	struct ranges all = ranges_of(a, 0, UINT16_MAX);
	struct pol_proto one = { .number = proto, .dport = all, .icmp = all };

	return (struct pol_selector){
		.protos = arena_copy(a, &one, sizeof one),
		.proto_count = 1,
		.from = { .any = true },
		.to = { .any = true },
		.sport = all,
		.zones = ZONES_ANY,
		.families = FAMILIES_ANY,
	};
}

struct pol_posture craft_posture(const char *name, enum verdict defaults)
{
	return (struct pol_posture){
		.name = name,
		.established = ESTABLISHED_KEEP,
		.defaults = { defaults, defaults, defaults },
	};
}

/* One more at the end of an array in an arena. */
static void *append(struct arena *a, void **at, size_t *len, const void *one, size_t each)
{
	char *grown = arena_zero(a, (*len + 1) * each);

	if (*len)
		memcpy(grown, *at, *len * each);
	memcpy(grown + *len * each, one, each);
	*at = grown;
	return grown + (*len)++ * each;
}

#define APPEND(a, list, len, one) append((a), (void **)&(list), &(len), &(one), sizeof(one))

void craft_rule(struct arena *a, struct pol_posture *p, const char *label, enum direction d,
		enum verdict v, struct pol_selector match)
{
	struct pol_rule r = {
		.id = arena_printf(a, "%s.%s", p->name, label),
		.label = label,
		.labelled = label[0] != '~',
		.direction = d,
		.verdict = v,
		.match = match,
	};

	APPEND(a, p->rules, p->rule_count, r);
}

void craft_lifeline(struct policy *p, const char *label, struct pol_selector match)
{
	struct pol_rule r = {
		.id = arena_printf(p->arena, "lifeline.%s", label),
		.label = label,
		.labelled = true,
		.direction = DIRECTION_IN,
		.verdict = VERDICT_ALLOW,
		.match = match,
	};

	APPEND(p->arena, p->lifelines, p->lifeline_count, r);
}

void craft_block(struct policy *p, const char *label, const char *prefixes, uint64_t zones)
{
	struct pol_block b = {
		.id = arena_printf(p->arena, "block.%s", label),
		.label = label,
		.set = craft_set(p->arena, prefixes),
		.zones = zones,
	};

	APPEND(p->arena, p->blocks, p->block_count, b);
}

struct pol_reflex *craft_reflex(struct policy *p, const char *label, struct pol_selector match)
{
	struct pol_reflex r = {
		.id = arena_printf(p->arena, "reflex.%s", label),
		.label = label,
		.match = match,
	};

	return APPEND(p->arena, p->reflexes, p->reflex_count, r);
}

void craft_add_posture(struct policy *p, struct pol_posture posture)
{
	APPEND(p->arena, p->postures, p->posture_count, posture);
}

struct policy *craft_policy(struct arena *a, const char *name)
{
	const char *wan[] = { "eth0" }, *lan[] = { "eth1", "br-*" };
	const struct pol_zone zones[] = {
		{ .name = "wan", .patterns = arena_copy(a, wan, sizeof wan), .pattern_count = 1 },
		{ .name = "lan", .patterns = arena_copy(a, lan, sizeof lan), .pattern_count = 2 },
	};
	struct policy *p = arena_zero(a, sizeof *p);

	p->arena = a;
	p->name = name;
	p->title = "";
	p->version = "1.0.0";
	p->owner = "";
	p->zones = arena_copy(a, zones, sizeof zones);
	p->zone_count = 2;
	return p;
}

struct packet craft_packet(uint8_t proto, const char *src, unsigned sport, const char *dst,
			   unsigned dport)
{
	return (struct packet){
		.family = craft_addr(src).family,
		.src = craft_addr(src),
		.dst = craft_addr(dst),
		.proto = proto,
		.fragment = FRAGMENT_WHOLE,
		.hop_limit = 64,
		.sport = (uint16_t)sport,
		.dport = (uint16_t)dport,
	};
}
