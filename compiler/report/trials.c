#include "compiler/report/trials.h"

#include <stdio.h>
#include <string.h>

#include "lang/syntax/source.h"

/* "packet 11 of 50 of `flood`", or the test alone when it is about one packet. */
static const char *which(struct arena *a, const struct trial *t, const struct trial_finding *f)
{
	if (f->asked->times <= 1)
		return arena_printf(a, "test \"%s\"", t->test->name);
	return arena_printf(a, "test \"%s\", packet %llu of %llu", t->test->name, (unsigned long long)f->packet,
			    (unsigned long long)f->asked->times);
}

static void point_at_rule(struct diag *d, const struct ir_rule *rule, const char *does)
{
	if (rule && span_is_somewhere(rule->span))
		diag_at(d, rule->span, "`%s` %s", rule->id, does);
}

static void report_verdict(struct diags *to, const struct trial *t, const struct trial_finding *f)
{
	struct diag *d = diag(to, DIAG_TEST_FAILED, f->asked->span, "%s: expected %s, got %s by `%s`",
			      which(to->arena, t, f), verdict_name(f->asked->verdict), verdict_name(f->got.verdict),
			      f->got.why);

	diag_label(d, "%s", verdict_name(f->got.verdict));
	point_at_rule(d, f->got.rule, "decides");
}

static void report_by(struct diags *to, const struct trial *t, const struct trial_finding *f)
{
	struct diag *d = diag(to, DIAG_TEST_FAILED, f->asked->by_span,
			      "%s: expected %s by `%s`, got it by `%s`", which(to->arena, t, f),
			      verdict_name(f->asked->verdict), f->asked->by, f->got.why);

	diag_label(d, "`%s` decides", f->got.why);
	point_at_rule(d, f->got.rule, "decides");
}

static void report_emits(struct diags *to, const struct trial *t, const struct trial_finding *f)
{
	struct diag *d;
	unsigned missing = f->asked->emits & ~(unsigned)f->got.emits, severity = 0;

	while (!(missing >> severity & 1))
		severity++;
	d = diag(to, DIAG_TEST_FAILED, f->asked->span, "%s: no event of severity %s is told", which(to->arena, t, f),
		 event_severity_name((enum event_severity)severity));
	diag_label(d, "%s by `%s`", verdict_name(f->got.verdict), f->got.why);
	point_at_rule(d, f->got.rule, "decides");
}

static const char *verdict_past(enum verdict v)
{
	switch (v) {
	case VERDICT_ALLOW:
		return "allowed";
	case VERDICT_DROP:
		return "dropped";
	case VERDICT_REJECT:
		return "rejected";
	case VERDICT_COUNT:
		break;
	}
	return "judged";
}

/* How a packet says what it left out. */
static const char *how_to_say(enum pkt_field_bits field)
{
	switch (field) {
	case GIVEN_SRC:
		return "write the source before `->`, as in `198.51.100.20:40000 -> self:443`";
	case GIVEN_SPORT:
		return "write it behind the source, as in `198.51.100.20:40000 -> self:443`";
	case GIVEN_DST:
		return "write the destination behind `->`, as in `-> 192.0.2.1:443`";
	case GIVEN_DPORT:
		return "write it behind the destination, as in `-> self:443`";
	case GIVEN_FLAGS:
		return "write the flags that are set, as in `syn` or `syn+ack`";
	case GIVEN_ICMP:
		return "write the type, as in `icmp echo`";
	case GIVEN_ZONE:
		return "write the zone, as in `on wan`";
	case GIVEN_STATE:
		return "write the state, as in `established`";
	case GIVEN_SIZE:
		return "write how many bytes it has from the IP header on, as in `1500B`";
	}
	return "write it";
}

static bool is_self(const struct trial_finding *f)
{
	const struct pol_packet *p = &f->asked->packet;

	return (f->field == GIVEN_SRC && p->src_self) || (f->field == GIVEN_DST && p->dst_self);
}

void report_open(struct diags *to, const char *which_packet, const struct trial_finding *f)
{
	const char *field = trial_field_name(f->field);
	struct diag *d;

	if (is_self(f)) {
		d = diag(to, DIAG_TEST_OPEN, f->asked->packet.span,
			 "%swhether `self` lies in the set that `%s` asks for decides, and is not known", which_packet,
			 f->asks_why);
		diag_label(d, "which address is `self`?");
		diag_help(d, "write an address instead of `self`");
	} else {
		d = diag(to, DIAG_TEST_OPEN, f->asked->packet.span,
			 "%sthe packet has no %s, and `%s` may decide by it", which_packet, field, f->asks_why);
		diag_label(d, "no %s", field);
		diag_help(d, "%s", how_to_say(f->field));
	}
	point_at_rule(d, f->asks, "asks for it");
}

/* What `forall` found. */
static void report_some(struct diags *to, const struct trial *t, const struct trial_finding *f)
{
	const struct pol_case *c = f->asked;
	struct diag *d = diag(to, DIAG_TEST_FAILED, c->span, "test \"%s\": expected every one of these packets to be %s%s%s%s, and some are not",
			      t->test->name, verdict_past(c->verdict), c->by ? " by `" : "", c->by ? c->by : "", c->by ? "`" : "");

	diag_note(d, "for example: %s: %s by `%s`", f->example, verdict_name(f->got.verdict), f->got.why);
	point_at_rule(d, f->got.rule, "decides");
}

static void report_unknown(struct diags *to, const struct trial *t, const struct trial_finding *f)
{
	diag(to, DIAG_PROVER_UNDECIDED, f->asked->span, "test \"%s\": this is too large to be proved or refuted", t->test->name);
}

static void report_accepted(struct diags *to, const struct trial *t, const struct trial_finding *f)
{
	struct diag *d;

	if (f->told)
		d = diag(to, DIAG_TEST_FAILED, f->asked->span, "test \"%s\": expected %s, got %s", t->test->name, f->asked->code,
			 f->told);
	else
		d = diag(to, DIAG_TEST_FAILED, f->asked->span, "test \"%s\": expected %s, but this is no mistake", t->test->name,
			 f->asked->code);
	diag_help(d, "`tegc explain %s` says what it is about", f->told ? f->told : f->asked->code);
}

static void report_finding(struct diags *to, const struct trial *t, const struct trial_finding *f)
{
	switch (f->fault) {
	case TRIAL_HELD:
	case TRIAL_FAULT_COUNT:
		return;
	case TRIAL_VERDICT:
		report_verdict(to, t, f);
		return;
	case TRIAL_BY:
		report_by(to, t, f);
		return;
	case TRIAL_EMITS:
		report_emits(to, t, f);
		return;
	case TRIAL_SOME:
		report_some(to, t, f);
		return;
	case TRIAL_UNKNOWN:
		report_unknown(to, t, f);
		return;
	case TRIAL_ACCEPTED:
		report_accepted(to, t, f);
		return;
	case TRIAL_OPEN:
		report_open(to, arena_printf(to->arena, "%s: ", which(to->arena, t, f)), f);
		return;
	}
}

static void report_todo(struct diags *to, const struct trial *t)
{
	if (!t->failed && !t->unknown)
		diag_help(diag(to, DIAG_TODO_HOLDS, t->test->span, "test \"%s\" is to come, and holds already", t->test->name),
			  "leave out its `todo`");
}

void report_trial(struct diags *to, const struct trial *t)
{
	if (t->test->todo) {
		report_todo(to, t);
		return;
	}
	for (size_t i = 0; i < t->count; i++)
		report_finding(to, t, &t->findings[i]);
}

static const char *emits_words(struct arena *a, uint8_t emits)
{
	const char *words = "nothing";

	for (unsigned s = 0; s < EVENT_SEVERITY_COUNT; s++)
		if (emits >> s & 1)
			words = arena_printf(a, "%s%s%s", strcmp(words, "nothing") ? words : "",
					     strcmp(words, "nothing") ? ", " : "", event_severity_name((enum event_severity)s));
	return words;
}

static void report_engine_emits(struct diags *to, const struct pol_test *test, const struct xdp_trial *x)
{
	own(arena) struct arena *a = arena_new();

	diag(to, DIAG_ENGINE_DIFFERS, x->differs->span, "test \"%s\": packet %llu emits %s in this kernel's XDP, and %s in the evaluator",
	     test->name, (unsigned long long)x->packet, emits_words(a, x->emits), emits_words(a, x->outcome.emits));
}

void report_engine(struct diags *to, const struct pol_test *test, const struct xdp_trial *x)
{
	struct diag *d;

	if (!x->differs)
		return;
	if (x->agrees) {
		report_engine_emits(to, test, x);
		return;
	}
	d = diag(to, DIAG_ENGINE_DIFFERS, x->differs->span,
		 "test \"%s\": packet %llu is %s by this kernel's XDP, and in the evaluator it is %s by `%s`", test->name,
		 (unsigned long long)x->packet, x->dropped ? "dropped" : "let by",
		 x->outcome.verdict == VERDICT_ALLOW ? "let by" : "dropped", x->outcome.why);
	point_at_rule(d, x->outcome.rule, "decides in the evaluator");
}
