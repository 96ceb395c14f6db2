/*
 * tegc build FILE -o BUNDLE - check, then compile.
 *
 *     --sign KEY    sign it with the key that `tegc keygen` made
 *     --serial N    the signer's count; hosts that took N go back to no lower one by themselves
 *     --no-proofs   prove nothing, and say so in the bundle, which tegd then refuses unless it was told not to
 *
 * The bundle is written whole or not at all, and only when nothing is wrong: what the policy claims and its
 * tests hold, and what was made for XDP and for nftables is read back and proved to be what it says.
 */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/audit/audit.h"
#include "compiler/cmd/cmd.h"
#include "compiler/cmd/key.h"
#include "compiler/emit/emit.h"
#include "compiler/ir/trial.h"
#include "compiler/ir/without.h"
#include "compiler/report/diags.h"
#include "compiler/report/findings/promises.h"
#include "compiler/report/findings/responses.h"
#include "lang/base/digest.h"
#include "lang/base/file.h"

/* `tegc build -o *.teg`: a policy that is there would be lost. */
static bool is_policy(const char *path)
{
	const size_t len = strlen(path);

	return len > 4 && !strcmp(path + len - 4, ".teg") && !access(path, F_OK);
}

/* The policy under another name of the same file. */
static bool same_file(const char *x, const char *y)
{
	struct stat a, b;

	return stat(x, &a) == 0 && stat(y, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

struct asked {
	const char *from, *to, *key; /* key is NULL when nobody signs */
	uint64_t serial;
	bool no_proofs;
};

/* Its bundle goes from where its members lie to its file. */
static bool read_by_none(const struct asked *asked)
{
	return asked->no_proofs && !asked->key;
}

/* In place of the bundle, the same signed. */
static int sign(struct buf *bundle, const struct asked *asked, struct err *why)
{
	own(seal_secret) struct seal_secret s = { 0 };
	own(buf) struct buf plain = *bundle;
	int rc = key_read(&s, asked->key, why);

	*bundle = (struct buf){ 0 };
	return rc ? rc : key_sign(bundle, &plain, &s, asked->serial, why);
}

/* What a policy claims of itself is proved, or there is no bundle, which holds what the orders say: docs/decisions/0011-claims-gate-bundles.md. */
static int prove_claims(struct compilation *c, struct ir *ir)
{
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	struct promise_list all = prove_promises(p, ir);
	int worst = EXIT_YES;
	size_t errors = c->diags.errors;

	report_breaches(&c->diags, p, ir);
	if (c->diags.errors > errors)
		worst = EXIT_NO;
	for (size_t i = 0; i < all.len; i++) {
		report_promise(&c->diags, &all.at[i]);
		if (promise_is_broken(&all.at[i]))
			worst = EXIT_NO;
		else if (all.at[i].answer == ANSWER_UNDECIDED && !worst)
			worst = EXIT_UNKNOWN;
	}
	promise_orders(ir, &all);
	return worst;
}

/*
 * What is compiled: rules that are proved never to decide are asked of no packet. That the rest does what
 * the policy says is proved of the bundle, against the whole.
 */
static const struct ir *without_idle(const struct ir *ir, struct arena *a)
{
	own(prover) struct prover *p = prover_new(&PROVE_BUDGET);
	struct idle_list idle = prove_idle(p, ir);

	return idle.len ? ir_without(ir, idle.at, idle.len, a) : ir;
}

/* The host tries them too, and would refuse the bundle: docs/policy-tests.md. */
static int tests_hold(const struct policy *p, const struct ir *ir, const char *path)
{
	int rc = EXIT_YES;

	for (size_t i = 0; i < p->test_count; i++) {
		own(arena) struct arena *a = arena_new();
		struct trial t;

		if (p->tests[i].todo)
			continue;
		trial_run(&t, ir, &p->tests[i], a);
		if (!t.failed)
			continue;
		fprintf(stderr, "tegc build: test \"%s\" does not hold; tegc test %s says how\n", p->tests[i].name, path);
		rc = EXIT_NO;
	}
	return rc;
}

/* The digest is for programs alone. */
static int tell_bundle(struct report *r, const struct asked *asked, const struct pieces *b, struct err *why)
{
	struct digest d = { "" };

	if (r->sinks.len && digest_of_pieces(&d, b, why))
		return why->code;
	r->bundle = (struct report_bundle){ asked->to, arena_strdup(r->arena, d.hex), pieces_len(b), !asked->no_proofs };
	return 0;
}

/* What is made, and, where somebody is to read or sign all of it, the bundle. */
struct made {
	struct emitted members;
	struct buf whole;
};

static void made_own_(struct made *m)
{
	emitted_release(&m->members);
	buf_release(&m->whole);
}

static int make(struct made *out, const struct spool *resolved, const struct ir *ir, const struct asked *asked, struct arena *a,
		struct err *why)
{
	const struct ir *made = asked->no_proofs ? ir : without_idle(ir, a);
	int rc = emit_members(&out->members, made, resolved, !asked->no_proofs, read_by_none(asked) ? asked->to : NULL, why);

	if (rc || read_by_none(asked))
		return rc;
	bundle_write(&out->whole, out->members.members, out->members.count);
	emitted_release(&out->members);
	return asked->no_proofs ? 0 : audit_bundle(ir, out->whole.at, out->whole.len, why);
}

/* A bundle that nobody has read goes to its file from where its members lie. */
static int save(struct report *r, const struct made *m, const struct asked *asked, struct err *why)
{
	struct piece whole = { .at = m->whole.at, .len = m->whole.len };
	struct pieces p = { &whole, 1 };

	if (!m->whole.len && bundle_pieces(&p, r->arena, m->members.members, m->members.count, why))
		return why->code;
	if (file_save_pieces(asked->to, &p, 0644, why))
		return why->code;
	return tell_bundle(r, asked, &p, why);
}

/* A policy that asks for more than there is room for is told where it does; all else is our mistake. */
static int tell_unmade(struct compilation *c, const struct asked *asked, const struct err *why)
{
	if (why->code != -E2BIG && why->code != -EFBIG) {
		fprintf(stderr, "tegc build: %s: %s\n", asked->from, why->text);
		return EXIT_OURS;
	}
	report_one_diag(stderr, c, diag(&c->diags, DIAG_ROOM, why->at, "%s", why->text));
	return EXIT_WRONG;
}

/* What is made is made of the ir: the policy as it was resolved, and texts that only reports look at, go where there is room. */
static void lay_aside(struct spool *resolved, struct compilation *c, struct policy *p, const struct asked *asked)
{
	if (read_by_none(asked))
		spool_beside(resolved, asked->to);
	front_spool_resolved(resolved, p, c->arena);
	spool_end(resolved);
	compilation_drop_rules(c, p);
	if (read_by_none(asked))
		compilation_lay_texts_aside(c, asked->to);
}

/* The trees of so much text, some thousand rules, are held as they are: packing and opening them again would take longer than it is worth. */
#define PACKED_BYTES ((size_t)256 << 10)

static int build(struct report *r, struct compilation *c, const struct asked *asked)
{
	own(spool) struct spool resolved = { 0 };
	own(made) struct made made = { 0 };
	struct err why = { 0 };

	c->sources.packs_from = PACKED_BYTES;
	struct policy *p = front_read(c, asked->from);

	compilation_drop_trees(c);

	struct ir *ir = p ? ir_lower(p, c->arena) : NULL;
	int rc = !p ? front_exit(c) : asked->no_proofs ? EXIT_YES : prove_claims(c, ir);

	report_diags(stderr, c);
	if (!rc)
		rc = tests_hold(p, ir, asked->from);
	if (rc)
		return rc;
	lay_aside(&resolved, c, p, asked);
	if (make(&made, &resolved, ir, asked, c->arena, &why))
		return tell_unmade(c, asked, &why);
	if (asked->key && sign(&made.whole, asked, &why)) {
		fprintf(stderr, "tegc build: %s\n", why.text);
		return EXIT_INPUT;
	}
	if (save(r, &made, asked, &why)) {
		fprintf(stderr, "tegc build: %s\n", why.text);
		return EXIT_IO;
	}
	if (asked->no_proofs)
		fprintf(stderr, "tegc build: nothing was proved of %s; tegd takes it only where require-proofs is no\n", asked->to);
	return EXIT_YES;
}

enum { SIGN = CMD_OWN, SERIAL, NO_PROOFS };

/* Of options that go together, or EXIT_YES. */
static int complain(const struct asked *asked)
{
	if (!asked->to) {
		fputs("tegc build: -o says where the bundle goes\n", stderr);
		return EXIT_USAGE;
	}
	if (asked->serial && !asked->key) {
		fputs("tegc build: --serial counts signatures, and goes with --sign\n", stderr);
		return EXIT_USAGE;
	}
	return EXIT_YES;
}

static int option_read(struct asked *asked, struct compilation *c, struct report *r, int option)
{
	struct err why;

	switch (option) {
	case 'o':
		asked->to = cmd_out(optarg);
		return EXIT_YES;
	case NO_PROOFS:
		asked->no_proofs = true;
		return EXIT_YES;
	case SIGN:
		asked->key = optarg;
		return EXIT_YES;
	case SERIAL:
		if (!key_serial(&asked->serial, optarg, &why))
			return EXIT_YES;
		fprintf(stderr, "tegc build: %s\n", why.text);
		return EXIT_USAGE;
	}
	return cmd_policy_option(c, option, optarg) || cmd_report_option(r, option, optarg) ? EXIT_YES : cmd_usage("build");
}

static int options_read(struct asked *asked, struct compilation *c, struct report *r, int argc, char **argv)
{
	static const struct option options[] = {
		CMD_POLICY_OPTIONS, CMD_REPORT_OPTIONS, { "out", 1, NULL, 'o' }, { "sign", 1, NULL, SIGN },
		{ "serial", 1, NULL, SERIAL }, { "no-proofs", 0, NULL, NO_PROOFS }, { 0 },
	};

	for (int o; (o = getopt_long(argc, argv, CMD_POLICY_LETTERS "o:", options, NULL)) != -1;) {
		int rc = option_read(asked, c, r, o);

		if (rc)
			return rc;
	}
	if (argc - optind != 1)
		return cmd_usage("build");
	asked->from = argv[optind];
	return complain(asked);
}

/*
 * What is large is given back when it is freed. glibc would else keep pieces of up to 32 MB once one such was freed, and put
 * the next ones where they cannot grow without being copied: mallopt(3), "dynamic mmap threshold".
 */
#define LARGE_BYTES (256 << 10)

/* The heap grows by so much more than is asked for, and gives its end back when so much of it is free: each is a system call. */
#define SPARE_BYTES (256 << 10)
#define FREE_BYTES  (2 << 20)

int cmd_build(int argc, char **argv)
{
	own(report) struct report *r = report_new("build");
	struct compilation *c = report_add(r, NULL, cmd_compilation())->c;
	struct asked asked = { 0 };
	int rc = options_read(&asked, c, r, argc, argv);

	if (rc)
		return rc;
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	mallopt(M_TOP_PAD, SPARE_BYTES);
	mallopt(M_TRIM_THRESHOLD, FREE_BYTES);
	if (same_file(asked.from, asked.to) || is_policy(asked.to)) {
		fprintf(stderr, "tegc build: %s is a policy, which a bundle would replace; name another file with -o\n", asked.to);
		return EXIT_USAGE;
	}
	r->files.at[0]->path = asked.from;
	return report_write(r, build(r, c, &asked));
}
