/*
 * declare.c - zones, lifelines, blocks and reflexes.
 */
#include <stdio.h>
#include <string.h>

#include "compiler/front/reading.h"
#include "compiler/ir/proto.h"
#include "lang/base/digest.h"
#include "lang/spell/print.h"
#include "lang/base/near.h"
#include "lang/syntax/packed.h"

/* --- the header -------------------------------------------------------------------------- */

static void setting_unknown(struct reading *r, const struct node *s, const char *const *known, size_t count)
{
	struct diag *d = diag(r->diags, DIAG_SETTING_UNKNOWN, s->span, "there is no setting `%s` here", s->text);
	struct near n = near_to(s->text);

	for (size_t i = 0; i < count; i++)
		near_try(&n, known[i]);
	tell_near(r, d, &n, s->span);
}

const char *title_read(struct reading *r, const struct node *title)
{
	const char *at = title ? title->text : "";

	while ((unsigned char)*at >= ' ' && *at != 0x7f)
		at++;
	if (*at)
		diag(r->diags, DIAG_TITLE, title->span, "this is not one line of text: a control character is in it");
	return title ? title->text : NULL;
}

static void header_setting(struct reading *r, const struct node *s)
{
	static const char *const known[] = { "version", "owner" };
	const char **slots[] = { &r->policy->version, &r->policy->owner };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (strcmp(s->text, known[i]))
			continue;
		if (*slots[i])
			diag(r->diags, DIAG_SETTING_TWICE, s->span, "`%s` is set twice", s->text);
		else if (s->first->kind != NODE_STRING)
			value_mistyped(r, s->first, "a string");
		else
			*slots[i] = title_read(r, s->first);
		return;
	}
	setting_unknown(r, s, known, sizeof known / sizeof *known);
}

void declare_policy(struct reading *r)
{
	const struct node *header = NULL;

	for (size_t i = 0; i < r->decls.len && !header; i++)
		if (r->decls.at[i]->kind == NODE_POLICY)
			header = r->decls.at[i];
	if (!header)
		return;
	r->policy->name = node_find(header, NODE_NAME)->text;
	r->policy->title = title_read(r, node_find(header, NODE_TITLE));
	r->policy->span = header->span;
	for (const struct node *s = header->first; s; s = s->next)
		if (s->kind == NODE_SETTING)
			header_setting(r, s);
}

/* --- zones -------------------------------------------------------------------------------- */

#define INTERFACE_BYTES 15 /* IFNAMSIZ - 1 */
#define PATTERNS_MAX	1024

static bool is_printable(const char *s)
{
	while (*s > ' ' && *s <= '~')
		s++;
	return !*s;
}

static bool pattern_is_sound(struct reading *r, const struct node *at, const char *p)
{
	size_t len = strlen(p);
	const char *star = strchr(p, '*'), *what = NULL;

	if (!len)
		what = "it is empty";
	else if (len > INTERFACE_BYTES + (star != NULL))
		what = "it is longer than 15 bytes";
	else if (strpbrk(p, "/: \t\n\r"))
		what = "it has a space, `/` or `:` in it";
	else if (!is_printable(p))
		what = "it has a byte that is not printable ASCII";
	else if (!strcmp(p, "lo"))
		what = "`lo` is the loopback, which always passes";
	else if (star && star[1])
		what = "`*` can only be its last character";
	else if (!strcmp(p, ".") || !strcmp(p, ".."))
		what = "it is a directory's name";
	if (what)
		diag_note(diag(r->diags, DIAG_ZONE_PATTERN, at->span, "no interface can be called \"%s\"", p), "%s", what);
	return !what;
}

static bool patterns_overlap(const char *x, const char *y)
{
	size_t i = 0;

	while (x[i] && x[i] == y[i] && x[i] != '*')
		i++;
	return x[i] == y[i] || x[i] == '*' || y[i] == '*';
}

static void zones_are_apart(struct reading *r)
{
	struct policy *p = r->policy;

	for (size_t i = 0; i < p->zone_count; i++)
		for (size_t j = 0; j < i; j++)
			for (size_t x = 0; x < p->zones[i].pattern_count; x++)
				for (size_t y = 0; y < p->zones[j].pattern_count; y++) {
					const char *a = p->zones[i].patterns[x], *b = p->zones[j].patterns[y];

					if (!patterns_overlap(a, b))
						continue;
					struct diag *d = diag(r->diags, DIAG_ZONE_OVERLAP, p->zones[i].span,
							      "an interface can be in one zone only");
					diag_label(d, "\"%s\" in `%s`", a, p->zones[i].name);
					diag_at(d, p->zones[j].span, "\"%s\" in `%s`", b, p->zones[j].name);
					return;
				}
}

static void zone_add(struct reading *r, struct symbol *s, size_t *patterns)
{
	struct policy *p = r->policy;
	struct pol_zone *z = &p->zones[p->zone_count];
	bool sound = true;

	s->state = SYMBOL_WRONG;
	if (p->zone_count == POLICY_ZONES_MAX) {
		diag(r->diags, DIAG_ZONES_MANY, s->span, "a policy has at most %d zones", POLICY_ZONES_MAX);
		return;
	}
	s->zone = (unsigned)p->zone_count++;
	*z = (struct pol_zone){ .name = s->name, .span = s->span };
	if (!value_strings(r, s->value, s))
		return;
	for (size_t i = 0; i < s->strings.len; i++)
		sound &= pattern_is_sound(r, s->value, s->strings.at[i]);
	*patterns += s->strings.len;
	if (!sound)
		return;
	if (*patterns > PATTERNS_MAX) {
		diag(r->diags, DIAG_ZONES_MANY, s->span, "zones name at most %d interfaces in all", PATTERNS_MAX);
		return;
	}
	s->state = SYMBOL_KNOWN;
	z->patterns = s->strings.at;
	z->pattern_count = s->strings.len;
}

void declare_zones(struct reading *r)
{
	size_t patterns = 0;

	r->policy->zones = arena_zero(r->arena, POLICY_ZONES_MAX * sizeof *r->policy->zones);
	for (size_t i = 0; i < r->symbols.entries.len; i++) {
		struct symbol *s = r->symbols.entries.at[i].value;

		if (s->kind == SYMBOL_ZONE)
			zone_add(r, s, &patterns);
	}
	zones_are_apart(r);
}

/* --- ids ------------------------------------------------------------------------------------ */

/* What `by` and reports call something that is no rule. */
bool label_is_free(struct reading *r, const struct node *label)
{
	static const char *const taken[] = { "default", "lifeline", "established", "related", "invalid", "neighbour",
					     "blocked", "malformed" };

	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		if (!strcmp(label->text, taken[i])) {
			diag(r->diags, DIAG_LABEL_TAKEN, label->span, "`%s` already says what no rule decides", label->text);
			return false;
		}
	return true;
}

/*
 * Two texts with one digest are rare but possible among many rules; the later
 * one is then named by the digest of its digest.
 */
const char *rule_anonym(struct reading *r, const struct node *rule, struct strmap *texts)
{
	own(buf) struct buf text = { 0 };
	struct digest d;

	print_rule_normal(&text, rule);
	d = digest_of(text.at, text.len);
	for (;;) {
		const char *id = arena_printf(r->arena, "~%.8s", d.hex), *other = strmap_find(texts, id);

		if (!other)
			strmap_put(texts, id, arena_strdup(r->trees, buf_text(&text)));
		if (!other || !strcmp(other, buf_text(&text)))
			return id;
		d = digest_of(d.hex, DIGEST_HEX);
	}
}

/* --- lifelines ------------------------------------------------------------------------------- */

static void lifeline_direction(struct reading *r, const struct node *rule)
{
	const struct node *d = node_find(rule, NODE_DIRECTION);

	if (d && d->word != DIRECTION_IN)
		diag_help(diag(r->diags, DIAG_LIFELINE_DIRECTION, d->span, "a lifeline admits what comes in"),
			  "answers to it go out by themselves; other traffic is for a posture");
}

struct lifelines {
	VEC(struct pol_rule) rules;
	struct strmap ids; /* to the rule's node */
	struct strmap texts; /* of rules without label */
};

static void lifeline_add(struct reading *r, struct lifelines *all, const struct node *rule)
{
	const struct node *label = node_find(rule, NODE_LABEL), *selector = node_find(rule, NODE_SELECTOR), *first;
	struct pol_rule out = { .verdict = VERDICT_ALLOW, .direction = DIRECTION_IN, .span = rule->span };

	lifeline_direction(r, rule);
	out.label = label ? label->text : rule_anonym(r, rule, &all->texts);
	out.labelled = label != NULL && label->text[0] != '~';
	out.id = arena_printf(r->arena, "lifeline.%s", out.label);
	if (label)
		label_is_free(r, label);
	if ((first = strmap_find(&all->ids, out.label))) {
		struct diag *d = diag(r->diags, label ? DIAG_LABEL_TWICE : DIAG_RULE_TWICE, label ? label->span : rule->span,
				      label ? "label `%s` is used twice" : "this lifeline stands twice", out.label);
		diag_at(d, first->span, "here first");
		if (!label)
			fix_leave_out(r, d, rule->span);
		return;
	}
	strmap_put(&all->ids, out.label, (void *)(label ? label : rule));
	if (out.labelled)
		use_note(r, USE_LIFELINE, out.label, label->span, label->span);
	select_read(r, selector, DIRECTION_IN, &out.match);
	payload_is_absent(r, selector);
	vec_push(r->said, &all->rules, out);
}

void declare_lifelines(struct reading *r)
{
	struct lifelines all = { 0 };

	strmap_init(&all.ids, r->trees);
	strmap_init(&all.texts, r->trees);
	for (size_t i = 0; i < r->decls.len; i++) {
		const struct node *decl = r->decls.at[i];

		if (decl->kind != NODE_LIFELINE)
			continue;
		for (const struct node *n = decl->first; n; n = n->next)
			if (n->kind == NODE_RULE)
				lifeline_add(r, &all, n);
	}
	r->policy->lifelines = all.rules.at;
	r->policy->lifeline_count = all.rules.len;
}

/* --- blocks ------------------------------------------------------------------------------------ */

static bool block_label(struct reading *r, const struct node *decl, const struct node *value, struct pol_block *out)
{
	const struct node *label = node_find(decl, NODE_LABEL);

	if (label) {
		out->label = label->text;
		label_is_free(r, label);
		return true;
	}
	if (value->kind == NODE_NAME) {
		out->label = value->text;
		return true;
	}
	diag_help(diag(r->diags, DIAG_BLOCK_UNNAMED, value->span, "this block has no name to be counted under"),
		  "give it one: NAME: block ...");
	return false;
}

static const struct node *first_value(const struct node *n)
{
	for (const struct node *c = n->first; c; c = c->next)
		if (node_is_value(c))
			return c;
	return NULL;
}

static void blocked_twice(struct reading *r, const struct node *decl, const struct node *first, const char *label)
{
	struct diag *d = diag(r->diags, DIAG_LABEL_TWICE, decl->span, "`%s` is blocked twice", label);

	diag_at(d, first->span, "here first");
	diag_help(d, "several zones go into a list: on [ , ]; or give one of them a label");
	if (sources_agree(&r->c->sources, decl->span, first->span))
		fix_leave_out(r, d, decl->span);
}

/* False when there is none to be kept. */
static bool block_read(struct reading *r, struct strmap *labels, const struct node *decl, struct pol_block *out)
{
	const struct node *value = first_value(decl), *on = node_find(decl, NODE_ON), *first;

	*out = (struct pol_block){ .span = decl->span, .zones = on ? 0 : ZONES_ANY };
	if (!block_label(r, decl, value, out))
		return false;
	if ((first = strmap_find(labels, out->label))) {
		blocked_twice(r, decl, first, out->label);
		return false;
	}
	strmap_put(labels, out->label, (void *)decl);
	if (node_find(decl, NODE_LABEL))
		use_note(r, USE_BLOCK, out->label, decl->first->span, decl->first->span);
	if (value_net(r, value, &out->set) && netset_is_empty(&out->set))
		diag(r->diags, DIAG_SET_EMPTY, value->span, "nothing is in this set");
	if (on)
		value_zones(r, on->first, &out->zones);
	out->id = arena_printf(r->arena, "block.%s", out->label);
	return true;
}

void declare_blocks(struct reading *r)
{
	VEC(struct pol_block) all = { 0 };
	struct strmap labels;
	struct pol_block b;

	strmap_init(&labels, r->trees);
	for (size_t i = 0; i < r->decls.len; i++)
		if (r->decls.at[i]->kind == NODE_BLOCK && block_read(r, &labels, r->decls.at[i], &b))
			vec_push(r->arena, &all, b);
	r->policy->blocks = all.at;
	r->policy->block_count = all.len;
}

/* --- reflexes ------------------------------------------------------------------------------------ */

static bool is_first_verdict(struct reading *r, const struct node *action, struct pol_reflex *out)
{
	if (!out->only_tells) {
		diag(r->diags, DIAG_CLAUSE_TWICE, action->span, "a packet is dropped once");
		return false;
	}
	out->only_tells = false;
	return true;
}

/* As a person may block for; the first hook keeps an end as 61 bits of nanoseconds, nft as milliseconds. */
#define BLOCK_NS_MAX (365 * 86400000000000ull)

static bool drop_read(struct reading *r, const struct node *action, struct pol_reflex *out)
{
	const struct node *who = action->first;

	if (action->word != VERDICT_DROP) {
		diag_help(diag(r->diags, DIAG_REFLEX_DO, action->span, "a reflex can only take away"),
			  "write: do drop, or do drop source for 60s");
		return false;
	}
	if (!is_first_verdict(r, action, out))
		return false;
	if (!who)
		return true;
	if (who->kind != NODE_NAME || strcmp(who->text, "source")) {
		diag_help(diag(r->diags, DIAG_REFLEX_DO, who->span, "a reflex drops the source for a time, nothing else"),
			  "write: do drop source for 60s");
		return false;
	}
	if (!value_duration(r, who->next, &out->block_ns))
		return false;
	if (out->block_ns > BLOCK_NS_MAX)
		diag(r->diags, DIAG_NUMBER_RANGE, who->next->span, "a source is blocked for at most 365d");
	return out->block_ns <= BLOCK_NS_MAX;
}

static bool cookies_read(struct reading *r, const struct node *n, struct pol_reflex *out)
{
	if (n->first) {
		diag_help(diag(r->diags, DIAG_REFLEX_DO, n->first->span, "cookies have no settings"), "write: do cookies");
		return false;
	}
	out->cookies = true;
	return is_first_verdict(r, n, out);
}

/* `do drop source for 60s, emit high`: nodes that follow each other. */
static bool actions_read(struct reading *r, const struct node *first, struct pol_reflex *out)
{
	bool sound = true;

	out->only_tells = true;
	for (const struct node *n = first; n; n = n->next) {
		switch ((unsigned)n->kind) {
		case NODE_ACTION:
			sound &= drop_read(r, n, out);
			break;
		case NODE_EMIT:
			sound &= emit_read(r, n, &out->effects);
			break;
		case NODE_PHRASE:
			if (!strcmp(n->text, "cookies")) {
				sound &= cookies_read(r, n, out);
				break;
			}
			diag_help(diag(r->diags, DIAG_REFLEX_DO, n->span, "a reflex cannot do `%s`", n->text),
				  "it can drop, drop the source for a time, answer with cookies, and emit an event");
			sound = false;
			break;
		}
	}
	return sound;
}

struct reflex_parts {
	const struct node *match, *when, *act, *except; /* `when` may be an EXCEEDS */
	bool hole;
};

#define FLAG_SYN 0x02
#define FLAG_ACK 0x10

static bool asks_first_syn(const struct pol_proto *p)
{
	const uint8_t both = FLAG_SYN | FLAG_ACK;

	return p->number == PROTO_TCP && (p->flags_mask & both) == both && (p->flags_want & both) == FLAG_SYN;
}

/*
 * A listener of this host is answered for, when more come than it may have to answer itself; or servers behind it, by
 * layer 4, which knows of no posture.
 */
static void cookies_hold(struct reading *r, const struct reflex_parts *p, const struct pol_reflex *out)
{
	const struct pol_selector *m = &out->match;
	bool syn = true;

	for (size_t i = 0; i < m->proto_count; i++)
		syn &= asks_first_syn(&m->protos[i]);
	if (!syn || m->payload)
		diag_help(diag(r->diags, DIAG_REFLEX_DO, p->act->span, "cookies answer the first packet of a TCP connection, "
			  "nothing else"), "write: match tcp flags syn/syn+ack to self port 443");
	else if (m->to.self ? !netset_is_empty(&m->to.set) : netset_is_empty(&m->to.set))
		diag_help(diag(r->diags, DIAG_REFLEX_DO, p->act->span, "cookies answer for this host, or for servers that are named"),
			  "write: match tcp flags syn/syn+ack to self port 443, or to a net");
	else if (!m->to.self && out->except)
		diag_help(diag(r->diags, DIAG_REFLEX_DO, p->act->span, "cookies for servers behind this host are for every posture"),
			  "leave `except in` out");
	if (!out->has_rate)
		diag_help(diag(r->diags, DIAG_REFLEX_DO, p->act->span, "cookies answer what is over a rate"),
			  "write: when rate > 10k/s");
}

static void except_read(struct reading *r, const struct node *except, struct pol_reflex *out)
{
	for (const struct node *n = except->first; n; n = n->next) {
		struct posture_symbol *p = scope_posture(r, n);

		if (p)
			out->except |= 1ull << p->index;
	}
}

static void part_set(struct reading *r, const struct node **slot, const struct node *n)
{
	if (!*slot) {
		*slot = n;
		return;
	}
	diag_at(diag(r->diags, DIAG_REFLEX_PART, n->span, "a reflex has this once"), (*slot)->span, "here first");
}

static void parts_read(struct reading *r, const struct node *decl, struct reflex_parts *out)
{
	bool is_action = false;

	for (const struct node *n = decl->first; n; n = n->next) {
		bool follows_action = is_action;

		is_action = false;
		switch ((unsigned)n->kind) {
		case NODE_MATCH:
			part_set(r, &out->match, n);
			break;
		case NODE_WHEN:
		case NODE_EXCEEDS:
			part_set(r, &out->when, n);
			break;
		case NODE_ACTION: case NODE_EMIT: case NODE_PHRASE:
			if (!follows_action)
				part_set(r, &out->act, n);
			is_action = true;
			break;
		case NODE_EXCEPT:
			part_set(r, &out->except, n);
			break;
		case NODE_HOLE:
			out->hole = true;
			break;
		}
	}
}

/* `decl` may be packed; what is kept of it is kept of that one. */
static void reflex_read(struct reading *r, const struct node *decl, struct pol_reflex *out)
{
	own(arena) struct arena *scratch = arena_new();
	const struct node *name = node_find(decl, NODE_NAME);
	struct reflex_parts p = { 0 };

	parts_read(r, packed_open(scratch, &r->c->sources, decl), &p);
	*out = (struct pol_reflex){ .label = name->text, .span = name->span,
				    .id = arena_printf(r->arena, "reflex.%s", name->text) };
	label_is_free(r, name);
	if ((!p.match || !p.act) && !p.hole)
		diag(r->diags, DIAG_REFLEX_PART, name->span, "reflex `%s` has no `%s`", name->text, p.match ? "do" : "match");
	if (p.match)
		select_read(r, p.match->first, DIRECTION_IN, &out->match);
	if (p.when && p.when->kind == NODE_WHEN)
		when_read(r, p.when, out);
	else if (p.when)
		exceeds_read(r, p.when, out);
	if (p.act && actions_read(r, p.act, out) && out->cookies && p.match && !p.hole)
		cookies_hold(r, &p, out);
	if (p.except)
		except_read(r, p.except, out);
}

void declare_reflexes(struct reading *r)
{
	VEC(struct pol_reflex) all = { 0 };
	struct strmap names;

	strmap_init(&names, r->trees);
	for (size_t i = 0; i < r->decls.len; i++) {
		const struct node *decl = r->decls.at[i], *first;
		struct pol_reflex out;

		if (decl->kind != NODE_REFLEX)
			continue;
		const struct node *name = node_find(decl, NODE_NAME);
		if (!strmap_add(&names, name->text, (void *)name)) {
			first = strmap_find(&names, name->text);
			diag_at(diag(r->diags, DIAG_NAME_TWICE, name->span, "`%s` is declared twice", name->text), first->span,
				"declared here first");
			continue;
		}
		use_note(r, USE_REFLEX, name->text, name->span, name->span);
		reflex_read(r, decl, &out);
		vec_push(r->said, &all, out);
	}
	r->policy->reflexes = all.at;
	r->policy->reflex_count = all.len;
}
