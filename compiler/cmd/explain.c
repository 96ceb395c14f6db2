/*
 * tegc explain CODE - the page on a diagnostic: a wrong policy, why, the right one.
 *
 *     --list           every code, with what it is about
 *
 * tegc explain FILE --packet 'tcp 198.51.100.7:40000 -> self:22 syn on wan' - what each layer says
 * of the packet, what decides, and which rules came near. FILE is named as for tegc diff (input.h).
 *
 *     --posture NAME   in which posture; else the one that a fresh start takes
 *     --state NAME     the packet's connection state, as if it stood in the packet
 *     --all            every rule that came near
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "compiler/cmd/cmd.h"
#include "compiler/cmd/input.h"
#include "compiler/report/diags.h"
#include "compiler/report/explanation.h"
#include "compiler/report/pages.h"
#include "lang/base/near.h"

enum { LIST = CMD_OWN, PACKET, POSTURE, STATE, ALL };

struct asked {
	const char *packet, *posture, *state; /* or NULL */
	bool list, all;
};

/* --- a diagnostic ------------------------------------------------------------------------ */

static int list_codes(void)
{
	for (int i = 0; i < DIAG_COUNT; i++)
		printf("%s  %s\n", diag_kinds[i].code, diag_kinds[i].title);
	return EXIT_YES;
}

static int unknown_code(const char *text)
{
	struct near n = near_to(text);

	for (int i = 0; i < DIAG_COUNT; i++) {
		near_try(&n, diag_kinds[i].code);
		near_try(&n, diag_kinds[i].id);
	}
	fprintf(stderr, "tegc: no diagnostic is called `%s`", text);
	if (n.best)
		fprintf(stderr, "; did you mean `%s`?", n.best);
	fputs("\ntegc explain --list names them all; a policy is explained for a --packet\n", stderr);
	return EXIT_USAGE;
}

static int explain_code(const char *text)
{
	own(buf) struct buf page = { 0 };
	enum diag_code code = diag_code_find(text);

	if (code == DIAG_COUNT || !report_page(&page, code))
		return unknown_code(text);
	fputs(buf_text(&page), stdout);
	return EXIT_YES;
}

/* --- a packet ------------------------------------------------------------------------------ */

static bool posture_find(const struct policy *p, const char *name, unsigned *out)
{
	struct near n = near_to(name ? name : "");

	*out = p->initial;
	if (!name)
		return true;
	for (unsigned i = 0; i < p->posture_count; i++) {
		if (!strcmp(p->postures[i].name, name)) {
			*out = i;
			return true;
		}
		near_try(&n, p->postures[i].name);
	}
	fprintf(stderr, "tegc: the policy has no posture `%s`", name);
	if (n.best)
		fprintf(stderr, "; did you mean `%s`?", n.best);
	fputc('\n', stderr);
	return false;
}

static int tell(struct report *r, struct compilation *c, const struct policy *p, unsigned posture, const struct asked *asked)
{
	own(buf) struct buf out = { 0 };
	const struct ir *ir = ir_lower(p, c->arena);
	const char *text = asked->state ? arena_printf(c->arena, "%s %s", asked->packet, asked->state) : asked->packet;
	struct explanation x;
	struct pol_packet packet;

	if (!front_read_packet(c, "--packet", text, &packet)) {
		report_diags(stderr, c);
		return EXIT_USAGE;
	}
	if (!explain_packet(&x, ir, posture, &packet, c->arena)) {
		report_unexplained(&c->diags, &x);
		report_diags(stderr, c);
		return EXIT_UNKNOWN;
	}
	report_explanation(&out, c, ir, &x, text, asked->all);
	report_add_part(r, "explanation", report_explanation_json(c, ir, &x, text));
	fputs(buf_text(&out), report_text(r));
	return EXIT_YES;
}

static int explain_policy(struct report *r, struct report_file *f, const struct asked *asked)
{
	struct compilation *c = f->c;
	const struct policy *p = input_read(c, f->path);
	unsigned posture;

	if (!p) {
		report_diags(stderr, c);
		return front_exit(c);
	}
	return posture_find(p, asked->posture, &posture) ? tell(r, c, p, posture, asked) : EXIT_USAGE;
}

/* --- the command ------------------------------------------------------------------------------ */

static bool option_read(struct asked *out, struct compilation *c, struct report *r, int option)
{
	switch (option) {
	case LIST:
		out->list = true;
		return true;
	case ALL:
		out->all = true;
		return true;
	case PACKET:
		out->packet = optarg;
		return true;
	case POSTURE:
		out->posture = optarg;
		return true;
	case STATE:
		out->state = optarg;
		return true;
	}
	return cmd_policy_option(c, option, optarg) || cmd_report_option(r, option, optarg);
}

int cmd_explain(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_POLICY_OPTIONS,
		CMD_REPORT_OPTIONS,
		{ "list", 0, NULL, LIST },
		{ "packet", 1, NULL, PACKET },
		{ "posture", 1, NULL, POSTURE },
		{ "state", 1, NULL, STATE },
		{ "all", 0, NULL, ALL },
		{ 0 },
	};
	own(report) struct report *r = report_new("explain");
	struct report_file *f = report_add(r, NULL, cmd_compilation());
	struct asked asked = { 0 };

	for (int o; (o = getopt_long(argc, argv, CMD_POLICY_LETTERS, options, NULL)) != -1;)
		if (!option_read(&asked, f->c, r, o))
			return cmd_usage("explain");
	if (argc - optind != !asked.list)
		return cmd_usage("explain");
	f->path = argv[optind];
	if (asked.list)
		return list_codes();
	return asked.packet ? report_write(r, explain_policy(r, f, &asked)) : explain_code(argv[optind]);
}
