/*
 * Any bytes as a policy: they are read, told what is wrong with them, printed,
 * and what can be read means the same in its one spelling and when resolved. It
 * is decided on, its tests run, and so they do against its mutants.
 *
 *     make fuzz FUZZERS=policy SECONDS=600
 */
#include <stdlib.h>
#include <string.h>

#include "compiler/front/front.h"
#include "compiler/ir/mutate.h"
#include "compiler/ir/trial.h"
#include "compiler/ir/response.h"
#include "compiler/report/diags.h"
#include "lang/spell/print.h"
#include "lang/syntax/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static char *spelled(struct compilation *c, const char *text, size_t len)
{
	uint32_t file = source_add(&c->sources, "spelled", text, len);
	own(buf) struct buf out = { 0 };
	struct ast ast;

	parse_file(&ast, c->arena, &c->sources, file, &c->diags);
	if (!ast.sound || c->diags.errors)
		return NULL;
	print_file(&out, &ast, &c->sources, file);
	return arena_strdup(c->arena, buf_text(&out));
}

static void must(bool held)
{
	if (!held)
		abort();
}

/* Playbooks that the front end takes are code that the verifier takes, worst case and all. */
static void responses_hold(const struct policy *p)
{
	own(arena) struct arena *a = arena_new();
	struct ir_responses responses;
	struct err why;

	ir_lower_responses(&responses, p, a);
	must(!playbooks_verify(&responses.code, &why));
}

static char *resolved(struct compilation *c, const char *text, size_t len)
{
	struct policy *p = front_read_text(c, "policy", text, len);

	if (p)
		responses_hold(p);
	return p ? front_print_resolved(p, c->arena) : NULL;
}

static void forms_agree(struct compilation *c, const char *text, size_t len)
{
	char *pretty = spelled(c, text, len), *again, *meant;

	if (!pretty)
		return;
	again = spelled(c, pretty, strlen(pretty));
	must(again && !strcmp(pretty, again));
	meant = resolved(c, text, len);
	if (!meant)
		return;
	again = resolved(c, pretty, strlen(pretty));
	must(again && !strcmp(meant, again));
	again = resolved(c, meant, strlen(meant));
	must(again && !strcmp(meant, again));
}

/* More packets, or mutants, than this take longer than they find. */
#define PACKETS_MOST 200
#define MUTANTS_MOST 20

static void run_tests(const struct ir *ir, const struct policy *p, struct arena *a)
{
	for (size_t i = 0; i < p->test_count; i++) {
		uint64_t packets = 0;
		struct trial t;

		for (size_t j = 0; j < p->tests[i].case_count; j++)
			packets += p->tests[i].cases[j].times;
		if (packets > PACKETS_MOST)
			continue;
		trial_run(&t, ir, &p->tests[i], a);
		must(t.count == p->tests[i].case_count && t.failed <= t.count);
	}
}

static void decide(struct compilation *c, const char *text, size_t len)
{
	struct policy *p = front_read_text(c, "policy", text, len);
	struct mutation *all;

	if (!p)
		return;
	struct ir *ir = ir_lower(p, c->arena);
	run_tests(ir, p, c->arena);
	size_t count = mutations_of(ir, &all, c->arena);
	for (size_t i = 0; i < count && i < MUTANTS_MOST; i++)
		run_tests(mutate(ir, &all[i], c->arena), p, c->arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	own(compilation) struct compilation *c = compilation_new(), *d = compilation_new();
	own(compilation) struct compilation *e = compilation_new();
	char *text = arena_strndup(c->arena, (const char *)bytes, len);
	own(buf) struct buf said = { 0 };

	resolved(c, text, len);
	diags_sort(&c->diags);
	for (size_t i = 0; i < c->diags.list.len && i < 8; i++)
		report_diag(&said, c, c->diags.list.at[i], true);
	if (utf8_sound(text, len) == len)
		forms_agree(d, text, len);
	decide(e, text, len);
	return 0;
}
