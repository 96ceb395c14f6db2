#include "compiler/front/front.h"

#include <ctype.h>
#include <string.h>
#include <sys/mman.h>

#include "compiler/front/reading.h"
#include "lang/syntax/parse.h"
#include "lang/vocab/exit.h"

#define PACKET_TEXT_MAX ((size_t)4096)
#define CLAIM_TEXT_MAX 65536

struct compilation *compilation_new(void)
{
	struct arena *a = arena_new();
	struct compilation *c = arena_zero(a, sizeof *c);

	c->arena = c->sources.arena = c->diags.arena = a;
	c->sources.trees = arena_new();
	c->said = arena_new();
	c->texts = arena_new();
	return c;
}

void compilation_free(struct compilation *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->sources.list.len; i++)
		if (c->sources.list.at[i].mapped)
			munmap((void *)c->sources.list.at[i].text, c->sources.list.at[i].len + 1);
	arena_free(c->texts);
	arena_free(c->sources.trees);
	arena_free(c->said);
	arena_free(c->arena);
}

/* What of a policy lies in the arena of what is said: nobody is to find it. */
static void drop_rules(struct policy *p)
{
	p->lifelines = NULL;
	p->reflexes = NULL;
	p->lifeline_count = p->reflex_count = 0;
	for (size_t i = 0; i < p->posture_count; i++) {
		p->postures[i].rules = NULL;
		p->postures[i].rule_count = 0;
	}
}

void compilation_drop_trees(struct compilation *c)
{
	arena_free(take(c->sources.trees));
	c->reading = NULL;
}

void compilation_drop_rules(struct compilation *c, struct policy *p)
{
	drop_rules(p);
	arena_free(take(c->said));
}

/* Shorter texts are left where they are. */
#define TEXTS_LONG ((size_t)1 << 20)

static bool text_lay_aside(struct source *s, const char *path)
{
	own(spool) struct spool to = { 0 };

	spool_beside(&to, path);
	if (!to.beside)
		return false;
	for (size_t at = 0; at <= s->len; at += TEXTS_LONG) {
		buf_add(&to.held, s->text + at, s->len + 1 - at < TEXTS_LONG ? s->len + 1 - at : TEXTS_LONG);
		spool_settle(&to);
	}
	spool_drain(&to);
	const char *there = spool_map(&to);
	if (!there)
		return false;
	s->text = there;
	s->mapped = true;
	return true;
}

void compilation_lay_texts_aside(struct compilation *c, const char *path)
{
	bool all = true;
	size_t len = 0;

	for (size_t i = 0; i < c->sources.list.len; i++)
		len += c->sources.list.at[i].read ? c->sources.list.at[i].len : 0;
	if (len < TEXTS_LONG)
		return;
	for (size_t i = 0; i < c->sources.list.len && all; i++)
		if (c->sources.list.at[i].read)
			all = text_lay_aside(&c->sources.list.at[i], path);
	if (all)
		arena_free(take(c->texts));
}

/* "policies/edge-1.teg" → "edge_1": what a policy without a `policy` line is called. */
static const char *name_of_path(struct arena *a, const char *path)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t len = strcspn(base, ".");
	char *name = arena_strndup(a, base, len);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]))
			name[i] = '_';
	if (!len || !strcmp(base, "-"))
		return "unnamed";
	return isdigit((unsigned char)*name) || word_is_reserved(name) ? arena_printf(a, "p_%s", name) : name;
}

/* The sets that have a name, so that reports can use the policy's own words. */
static void keep_nets(struct reading *r)
{
	for (size_t i = 0; i < r->symbols.entries.len; i++) {
		struct symbol *s = r->symbols.entries.at[i].value;

		if (s->kind != SYMBOL_HOLE && s->state == SYMBOL_FRESH)
			symbol_settle(r, s, s->span);
		if (symbol_is_net(s) && s->state == SYMBOL_KNOWN) {
			struct pol_net n = { s->name, s->span, s->net };

			vec_push(r->arena, &r->nets, n);
		}
	}
	r->policy->nets = r->nets.at;
	r->policy->net_count = r->nets.len;
}

void reading_mean(struct reading *r, const char *path)
{
	r->policy = arena_zero(r->arena, sizeof *r->policy);
	r->policy->arena = r->arena;
	r->policy->name = name_of_path(r->arena, path);
	r->policy->span = SPAN_NOWHERE;
	scope_declare_params(r);
	conditions_decide(r);
	scope_declare(r);
	params_check(r);
	declare_policy(r);
	declare_zones(r);
	declare_limits(r);
	declare_lifelines(r);
	declare_blocks(r);
	declare_postures(r);
	declare_reflexes(r);
	limits_check(r);
	declare_initial(r);
	declare_playbooks(r);
	declare_derme(r);
	declare_feeds(r);
	declare_responses(r);
	keep_nets(r);
	declare_claims(r);
	declare_tests(r);
}

static struct policy *read_policy(struct compilation *c, const char *path, const char *text, size_t len)
{
	struct reading *r = arena_zero(c->arena, sizeof *r);

	*r = (struct reading){ .c = c, .arena = c->arena, .said = c->said, .trees = c->sources.trees, .diags = &c->diags };
	c->reading = r;
	if (!load_main(r, path, text, len))
		return NULL;
	reading_mean(r, path);
	return c->diags.errors || !r->policy->posture_count ? NULL : r->policy;
}

struct policy *front_read(struct compilation *c, const char *path)
{
	return read_policy(c, path, NULL, 0);
}

struct policy *front_read_text(struct compilation *c, const char *name, const char *text, size_t len)
{
	return read_policy(c, name, text, len);
}

bool front_read_packet(struct compilation *c, const char *name, const char *text, struct pol_packet *out)
{
	size_t len = strlen(text);
	uint32_t file = source_add(&c->sources, name, text, len);
	struct ast ast;

	if (utf8_sound(text, len) < len || len > PACKET_TEXT_MAX) {
		diag(&c->diags, DIAG_INPUT_UTF8, SPAN_NOWHERE, "%s is not a line of UTF-8 text", name);
		return false;
	}
	parse_packet(&ast, c->arena, &c->sources, file, &c->diags);
	return ast.sound && packet_read(c->reading, ast.root, out);
}

bool front_read_claim(struct compilation *c, const char *name, const char *text, struct pol_claim *claim,
		      struct pol_order *order)
{
	size_t len = strlen(text);
	uint32_t file = source_add(&c->sources, name, text, len);
	struct ast ast;

	claim->span = order->span = SPAN_NOWHERE;
	if (utf8_sound(text, len) < len || len > CLAIM_TEXT_MAX) {
		diag(&c->diags, DIAG_INPUT_UTF8, SPAN_NOWHERE, "%s is not a line of UTF-8 text", name);
		return false;
	}
	if (!strncmp(text, "order ", 6))
		parse_file(&ast, c->arena, &c->sources, file, &c->diags);
	else
		parse_claim(&ast, c->arena, &c->sources, file, &c->diags);
	return claim_text_read(c->reading, &ast, claim, order);
}

int front_exit(const struct compilation *c)
{
	if (c->input_fault)
		return c->input_fault;
	return c->diags.errors ? EXIT_WRONG : EXIT_YES;
}
