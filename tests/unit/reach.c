/* Objects with a function that is longer than a jump goes: the kernel takes them, and the enforcer does not. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf-templates/carried.h"
#include "enforcer/hook/anchor.h"
#include "enforcer/hook/reach.h"
#include "enforcer/hook/tables/parts.h"
#include "lang/base/buf.h"
#include "lang/base/file.h"
#include "lang/base/own.h"
#include "tests/lib/tap.h"

#define WRAPPED_LEN 65545u /* instructions of bpf-templates/wrapped.bpf.c */
#define OBJECT_MOST (8u << 20)

static void wrapped_object(struct buf *out, const char *self)
{
	const char *slash = strrchr(self, '/');
	struct err why = { 0 };
	char path[4096];

	snprintf(path, sizeof path, "%.*s/../../bpf/wrapped.bpf.o", slash ? (int)(slash - self) : 1, slash ? self : ".");
	if (!tap_ok(!file_read(out, path, OBJECT_MOST, &why), "there is an object whose jump was cut: %s", why.text))
		exit(tap_done());
}

/* What makes the refusal necessary. */
static void kernel_takes_it(const void *bytes, size_t len)
{
	unsigned char frame[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof frame);
	struct bpf_object *o = bpf_object__open_mem(bytes, len, NULL);

	if (tap_ok(o && !bpf_object__load(o), "the kernel takes it"))
		tap_ok(!bpf_prog_test_run_opts(bpf_program__fd(bpf_object__find_program_by_name(o, "wrapped")), &run) && run.retval == XDP_PASS,
		       "and lets on what the source drops");
	bpf_object__close(o);
}

static void is_refused(const void *bytes, size_t len)
{
	const struct tables_load load = { .hook = TEG_HOOK_XDP, .object = bytes, .object_len = len, .plan = &(struct plan){ 0 } };
	own(opened) struct opened o = { 0 };
	struct err why = { 0 };

	tap_ok(opened_open(&o, &load, &why) == -E2BIG && !o.object, "it is not opened");
	tap_ok(strstr(why.text, "function wrapped is 65545 ") && strstr(why.text, " 32767 "), "and the function and the limit are told: %s", why.text);
}

/* Says another length of the function, and of its section, where the object does. */
static unsigned lengthen(void *bytes, size_t len, uint64_t from, uint64_t to)
{
	uint64_t *words = bytes;
	unsigned said = 0;

	for (size_t i = 0; i < len / sizeof *words; i++)
		if (words[i] == from * sizeof(struct bpf_insn))
			words[i] = to * sizeof(struct bpf_insn), said++;
	return said;
}

static void at_the_edge(void *bytes, size_t len)
{
	struct err why = { 0 };

	tap_ok(lengthen(bytes, len, WRAPPED_LEN, REACH_MOST) && !reach_check(bytes, len, &why), "a function of %u instructions is taken", REACH_MOST);
	tap_ok(lengthen(bytes, len, REACH_MOST, REACH_MOST + 1) && reach_check(bytes, len, &why) == -E2BIG, "one of %u is not", REACH_MOST + 1);
}

static void ours_are_short(void)
{
	const struct {
		const char *what;
		const unsigned char *from, *to;
	} ours[] = {
		{ "policy", policy_object, policy_object_end },
		{ "policy of TC", policy_tc_object, policy_tc_object_end },
		{ "anchor", anchor_object, anchor_object_end },
		{ "anchor of TC", anchor_tc_object, anchor_tc_object_end },
	};

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
		struct err why = { 0 };

		tap_ok(!reach_check(ours[i].from, (size_t)(ours[i].to - ours[i].from), &why), "our %s has no function so long: %s", ours[i].what, why.text);
	}
}

static void no_objects(const void *bytes)
{
	struct err why = { 0 };

	tap_ok(reach_check("", 0, &why) == -EINVAL, "nothing is no object");
	tap_ok(reach_check("no object at all", 16, &why) == -EINVAL, "nor is a text");
	tap_ok(reach_check(bytes, 64, &why) == -EINVAL, "nor is its beginning");
}

int main(int argc, char **argv)
{
	(void)argc;
	own(buf) struct buf object = { 0 };

	wrapped_object(&object, argv[0]);
	kernel_takes_it(object.at, object.len);
	is_refused(object.at, object.len);
	no_objects(object.at);
	at_the_edge(object.at, object.len);
	ours_are_short();
	return tap_done();
}
