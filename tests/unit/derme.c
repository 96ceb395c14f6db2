/* Rules on sessions as code: what is read, what is refused, and that any bytes are one or the other. */
#include <string.h>

#include "compiler/front/front.h"
#include "lang/base/own.h"
#include "lang/derme/derme.h"
#include "tests/lib/tap.h"

static const char policy[] =
	"posture OPEN { default allow }\n"
	"derme {\n"
	" half: when session.syn_count > 10 and not session.established do drop, emit medium sample 1/5\n"
	" exfil: when (session.bytes_out > 10MB within 5s or session.idle >= 2m) and not to [192.0.2.0/24, 2001:db8::/32] do inspect\n"
	" beacon: when not (session.interval_jitter < 2.5% and session.count != 50) do throttle 20/s\n"
	" signatures \"a.rules\" do drop, capture 512B\n"
	" anomaly model \"m\" score > 0.95 do inspect, capture 1kB\n"
	"}\n";

static struct derme *read_it(struct compilation *c)
{
	struct policy *p = front_read_text(c, "derme.teg", policy, strlen(policy));

	return p ? &p->derme : NULL;
}

static void there_and_back(void)
{
	own(compilation) struct compilation *c = compilation_new();
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf code = { 0 }, again = { 0 }, words = { 0 };
	struct derme *d = read_it(c), back;
	struct err why = { 0 };

	if (!tap_ok(d && d->rule_count == 5 && d->set_count == 1, "five rules and a set of addresses"))
		return;
	tap_num(derme_verify(d, &why), 0, "the code holds");
	derme_encode(&code, d);
	tap_num(derme_decode(&back, a, code.at, code.len, &why), 0, "its bytes are read");
	derme_encode(&again, &back);
	tap_ok(again.len == code.len && !memcmp(again.at, code.at, code.len), "and are the same bytes again");
	derme_print(&words, &back);
	tap_text(buf_text(&words),
		 "    derme.half: session.syn_count > 10  session.established  NOT  AND => drop emit medium, one of 5\n"
		 "    derme.exfil: session.bytes_out > 10000000B within 5s  session.idle >= 120s  OR  "
		 "to [192.0.2.0/24, 2001:db8::/32]  NOT  AND => inspect\n"
		 "    derme.beacon: session.interval_jitter < 2.5%  session.count != 50  AND  NOT => throttle to 20 in 1s\n"
		 "    derme.signatures: signatures of \"a.rules\" => drop capture 512B\n"
		 "    derme.anomaly: score of \"m\" above 95% => inspect capture 1000B\n",
		 "in words");
}

static void spoil_stack(struct derme *d) { d->rules[0].op_count--; }
static void spoil_depth(struct derme *d) { d->rules[0].ops[0].kind = DERME_AND; }
static void spoil_field(struct derme *d) { d->rules[0].ops[0].field = SESSION_FIELDS; }
static void spoil_sort(struct derme *d) { d->rules[0].ops[0].field = SESSION_ESTABLISHED; }
static void spoil_window(struct derme *d) { d->rules[1].ops[1].within_ns = 1; }
static void spoil_set(struct derme *d) { d->rules[1].ops[3].set = 1; }
static void spoil_share(struct derme *d) { d->rules[2].ops[0].number = SHARE_WHOLE + 1; }
static void spoil_file(struct derme *d) { d->rules[3].file = ""; }
static void spoil_score(struct derme *d) { d->rules[4].score = SHARE_WHOLE + 1; }
static void spoil_effect(struct derme *d) { d->rules[1].inspects = false; }
static void spoil_sample(struct derme *d) { d->rules[0].one_in = 0; }
static void spoil_name(struct derme *d) { d->rules[1].id = d->rules[0].id; }
static void spoil_range(struct derme *d) { d->sets[0].at[0][0].hi = UINT32_MAX + (addr_num)1; }

static const struct {
	const char *claim;
	void (*spoil)(struct derme *d);
	const char *part;
} spoilt[] = {
	{ "two truths at the end", spoil_stack, "derme.half: its condition" },
	{ "an operation without operands", spoil_depth, "derme.half: its condition" },
	{ "a field that is none", spoil_field, "derme.half: its condition" },
	{ "a truth compared with a number", spoil_sort, "derme.half: its condition" },
	{ "a window over what does not add up", spoil_window, "derme.exfil: its condition" },
	{ "a set that is not there", spoil_set, "derme.exfil: its condition" },
	{ "more than a whole", spoil_share, "derme.beacon: its condition" },
	{ "no file", spoil_file, "derme.signatures: its condition" },
	{ "a score above one", spoil_score, "derme.anomaly: its condition" },
	{ "nothing to do", spoil_effect, "derme.exfil: what it does" },
	{ "one event of none", spoil_sample, "derme.half: what it does" },
	{ "one name twice", spoil_name, "derme.half is there twice" },
	{ "an address beyond its family", spoil_range, "set 0" },
};

static void spoilt_code_is_refused(void)
{
	for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
		own(compilation) struct compilation *c = compilation_new();
		own(arena) struct arena *a = arena_new();
		own(buf) struct buf code = { 0 };
		struct derme *d = read_it(c), back;
		struct err why = { 0 };

		spoilt[i].spoil(d);
		derme_encode(&code, d);
		tap_ok(derme_decode(&back, a, code.at, code.len, &why) && strstr(why.text, spoilt[i].part), "%s: %s",
		       spoilt[i].claim, why.text);
	}
}

static void any_bytes(void)
{
	own(compilation) struct compilation *c = compilation_new();
	own(buf) struct buf code = { 0 };
	unsigned taken = 0, wrong = 0;
	uint64_t seed = 3;

	derme_encode(&code, read_it(c));
	for (unsigned round = 0; round < 20000; round++) {
		own(arena) struct arena *a = arena_new();
		own(buf) struct buf again = { 0 };
		char mutant[2048];
		struct derme d;
		struct err why = { 0 };
		size_t len = code.len;

		memcpy(mutant, code.at, len);
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		mutant[(seed >> 33) % len] ^= (char)(1u << (seed >> 20) % 8);
		if (seed >> 60 == 0)
			len = (seed >> 40) % len;
		if (derme_decode(&d, a, mutant, len, &why))
			continue;
		taken++;
		derme_encode(&again, &d);
		wrong += again.len != len || memcmp(again.at, mutant, len) != 0;
	}
	tap_ok(taken > 100 && !wrong, "20000 mutants are refused, or read as they stand (%u)", taken);
}

int main(void)
{
	there_and_back();
	spoilt_code_is_refused();
	any_bytes();
	return tap_done();
}
