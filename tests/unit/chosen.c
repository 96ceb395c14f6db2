/*
 * Which program of an object judges a policy, and that no other is loaded beside it: of this version's object, and of one of before there was a
 * program for rates, which bundles of the same layout may carry.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit/emit.h"
#include "enforcer/hook/tables/parts.h"
#include "lang/base/buf.h"
#include "tests/lib/tap.h"
#include "tests/lib/text_plan.h"

#define BEGINS "posture P { default allow }\ninitial posture P\n"
#define FLOOD "reflex flood { match tcp flags syn/syn+ack to self\n when rate per source > 100 per 1s\n do drop }\n"
#define PORTS(first) "reflex p" #first " { match tcp to self port " #first "\n when rate per source > 100 per 1s\n do drop }\n"

static const struct row {
	const char *what, *text, *program, *before;
} rows[] = {
	{ "no rate", BEGINS "net bad = [192.0.2.0/24]\nblock bad on any\n", "policy", "policy" },
	{ "a rate", BEGINS FLOOD, "policy_rates", "policy" },
	{ "eight lifelines and eight rates",
	  BEGINS "lifeline { tcp from 192.0.2.1 to self port [1, 3, 5, 7, 9, 11, 13, 15] }\n" PORTS(21) PORTS(23) PORTS(25) PORTS(27) PORTS(29)
	  PORTS(31) PORTS(33) PORTS(35), "policy_rates", "policy" },
	{ "nine rates", BEGINS PORTS(21) PORTS(23) PORTS(25) PORTS(27) PORTS(29) PORTS(31) PORTS(33) PORTS(35) PORTS(37), "policy", "policy" },
	{ "nine lifelines", BEGINS FLOOD "lifeline { tcp from 192.0.2.1 to self port [1, 3, 5, 7, 9, 11, 13, 15, 17] }\n", "policy", "policy" },
	{ "a rate, and cookies", BEGINS FLOOD "reflex full { match tcp flags syn/syn+ack to self\n when rate > 1000 per 1s\n do cookies }\n",
	  "policy_rates", "policy" },
	{ "a rate, and a feed", BEGINS FLOOD "feed bad {\n url \"https://www.example.org/bad\"\n format netset\n refresh 1h\n max 1k\n stale after 6h keep\n action block\n }\n",
	  "policy_rates", "policy" },
	{ "a rate, and payloads", BEGINS FLOOD "reflex look { match tcp to self payload /attack/ within 512\n do drop }\n", "policy_payload",
	  "policy_payload" },
};

/* The object as it was, but for the name of one program: nobody finds it. */
static void *forgotten(const void *object, size_t len, const char *name)
{
	char *copy = malloc(len);

	if (!copy)
		abort();
	memcpy(copy, object, len);
	for (char *at = copy; (at = memmem(at, len - (size_t)(at - copy), name, strlen(name)));)
		*at++ = 'x';
	return copy;
}

static void chosen(const struct row *r, const struct tables_load *load, const char *want, const char *of)
{
	own(opened) struct opened o = { 0 };
	struct bpf_program *p;
	struct err why = { 0 };
	unsigned loaded = 0;

	if (!tap_ok(!opened_open(&o, load, &why), "%s, %s: there is a program: %s", r->what, of, why.text))
		return;
	tap_text(bpf_program__name(o.program), want, r->what);
	bpf_object__for_each_program(p, o.object)
		loaded += bpf_program__autoload(p);
	tap_ok(bpf_program__autoload(o.program) && loaded == 1, "%s, %s: and it alone is loaded", r->what, of);
}

static void row(const struct row *r, enum teg_hook hook)
{
	own(compilation) struct compilation *c = compilation_new();
	struct tables_load load = { .hook = hook };
	struct plan plan = { 0 };
	struct err why = { 0 };

	if (!tap_ok(!text_plan(&plan, c, r->text, &why), "%s: a policy %s", r->what, why.text))
		return;
	load.plan = &plan;
	load.object = emit_program(hook, &load.object_len);
	chosen(r, &load, r->program, "of this version's object");
	own(mem) void *older = forgotten(load.object, load.object_len, "policy_rates");
	load.object = older;
	chosen(r, &load, r->before, "of one without a program for rates");
}

/* Who does not know the program for rates leaves out those that it knows, and libbpf that one. */
static void left_out(enum teg_hook hook)
{
	size_t len;
	const void *bytes = emit_program(hook, &len);
	struct bpf_object *o = bpf_object__open_mem(bytes, len, NULL);
	const struct bpf_program *p = o ? bpf_object__find_program_by_name(o, "policy_rates") : NULL;

	tap_ok(p && !bpf_program__autoload(p), "nobody loads the program for rates who does not ask for it");
	bpf_object__close(o);
}

int main(void)
{
	for (enum teg_hook hook = 0; hook < TEG_HOOKS; hook++) {
		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			row(&rows[i], hook);
		left_out(hook);
	}
	return tap_done();
}
