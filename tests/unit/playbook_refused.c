/*
 * An enforcer that runs no playbooks refuses a bundle that has any, and says which: nothing that
 * was written is silently not done. The warden's own examination is asked.
 */
#include <string.h>

#include "compiler/emit/emit.h"
#include "compiler/front/front.h"
#include "enforcer/warden/generation/generation.h"
#include "tests/lib/tap.h"

#define POLICY "zone wan = \"eth0\"\nposture CALM { default allow }\nposture STRICT { default drop }\ninitial posture CALM\n"

static const struct {
	const char *claim, *text, *says; /* NULL: staged */
} rows[] = {
	{ "a policy that only judges is staged", POLICY, NULL },
	{ "a decoy is not", POLICY "decoy ssh_001 { service ssh port 2222 }\n", "decoys" },
	{ "a playbook is not", POLICY "playbook calm() {\n    budget runtime 1m\n    notify audit\n}\n", "playbooks" },
	{ "homeostasis is not",
	  POLICY "homeostasis {\n    when qualia.pain > 0.6 for 30s posture STRICT until approved\n}\n", "self-regulation" },
};

int main(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		own(compilation) struct compilation *c = compilation_new();
		own(buf) struct buf bundle = { 0 };
		struct err why = { 0 };
		const struct policy *p = front_read_text(c, "policy", rows[i].text, strlen(rows[i].text));
		int rc;

		if (!tap_ok(p && !emit_bundle(&bundle, ir_lower(p, c->arena), front_print_resolved(p, c->arena), true, &why),
			    "%s: it is built", rows[i].claim))
			continue;
		rc = generation_examine(bundle.at, bundle.len, &why);
		if (!tap_ok(rows[i].says ? rc && strstr(why.text, rows[i].says) : !rc, "%s", rows[i].claim))
			tap_note("%s", rc ? why.text : "staged");
	}
	return tap_done();
}
