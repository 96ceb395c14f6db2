/*
 * What a verifier does not take with loops that it need not walk to their end is loaded with loops of a known end; what fails for
 * another reason is not tried again.
 *
 *     tables_load ──► bpf(BPF_PROG_LOAD) ──► seccomp ──► a thread that sees the program ──┬── has such a loop: the row's errno
 *                                                                                        └── else: the kernel decides
 *
 * So this kernel is one that knows no such loop. It must be one that may have them; else there is no first try.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "compiler/emit/emit.h"
#include "enforcer/hook/tables/tables.h"
#include "tests/lib/tap.h"
#include "tests/lib/text_plan.h"

#define MAY_GOTO (BPF_JMP | 0xe0) /* BPF_JCOND of newer headers */

static const char text[] = "posture P { default allow }\ninitial posture P\n"
			   "reflex look { match tcp to self payload /attack/ within 512\n do drop }\n";

#define COUNTERS_MOST 64 /* more than that policy has */

/* What the kernel says of a program with such a loop, and whether that is a verifier's no. */
static const struct row {
	int says;
	bool again;
} rows[] = {
	{ EINVAL, true }, { EACCES, true }, { E2BIG, true }, { ENOMEM, false }, { EPERM, false },
};

static atomic_int says;
static atomic_uint with_loops, without;

static bool has_loop(const union bpf_attr *asked)
{
	const struct bpf_insn *code = (const struct bpf_insn *)(uintptr_t)asked->insns;

	for (uint32_t i = 0; i < asked->insn_cnt; i++)
		if (code[i].code == MAY_GOTO)
			return true;
	return false;
}

/* Programs of some length alone: libbpf asks the kernel by short ones what it can. */
#define LONG 100

static int32_t answer(const struct seccomp_notif *n)
{
	const union bpf_attr *asked = (const union bpf_attr *)(uintptr_t)n->data.args[1];

	if (asked->insn_cnt < LONG)
		return 0;
	if (!has_loop(asked)) {
		without++;
		return 0;
	}
	with_loops++;
	return -says;
}

/* Of the same process: it reads what the loader gives the kernel. */
static void *decide(void *listener)
{
	const int fd = *(const int *)listener;
	struct seccomp_notif n = { 0 };

	while (!ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n)) {
		const int32_t error = answer(&n);
		struct seccomp_notif_resp r = { .id = n.id, .error = error, .flags = error ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE };

		ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
		memset(&n, 0, sizeof n);
	}
	return NULL;
}

/* From here on loads of programs by this thread are decided by the listener. Its number is what any architecture has here. */
static int listen_to_loads(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BPF_PROG_LOAD, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = ARRAY_LEN(code), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static int load_once(const struct shared *shared, const struct plan *plan, enum teg_hook hook, struct err *why)
{
	own(tables) struct tables *t = NULL;
	uint32_t slots[COUNTERS_MOST];
	struct tables_load load = { .shared = shared, .hook = hook, .plan = plan, .slots = slots, .number = 1 };

	for (uint32_t i = 0; i < COUNTERS_MOST; i++)
		slots[i] = i;
	load.object = emit_program(hook, &load.object_len);
	with_loops = without = 0;
	return tables_load(&t, &load, why);
}

static void row(const struct row *r, const struct shared *shared, const struct plan *plan, enum teg_hook hook)
{
	const char *in = hook == TEG_HOOK_XDP ? "XDP" : "TC", *said = strerror(r->says);
	struct err why = { 0 };

	says = r->says;
	const int rc = load_once(shared, plan, hook, &why);
	tap_ok(with_loops > 0, "%s, \"%s\": the first try has loops that the kernel ends", in, said);
	if (!r->again) {
		tap_num(rc, -r->says, "it is told as it is");
		tap_num(without, 0, "and is not tried again");
		return;
	}
	tap_ok(!rc, "%s, \"%s\": it is loaded all the same%s", in, said, rc ? why.text : "");
	tap_num(without, 1, "by one more try, whose loops have a known end");
}

static void taken_at_once(const struct shared *shared, const struct plan *plan, enum teg_hook hook)
{
	struct err why = { 0 };

	says = 0;
	tap_ok(!load_once(shared, plan, hook, &why), "%s: what the kernel takes is loaded %s", hook == TEG_HOOK_XDP ? "XDP" : "TC", why.text);
	tap_ok(with_loops == 1 && !without, "by the first try");
}

static void try_in(enum teg_hook hook, const struct shared *shared, const struct plan *plan)
{
	taken_at_once(shared, plan, hook);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		row(&rows[i], shared, plan, hook);
}

int main(void)
{
	own(compilation) struct compilation *c = compilation_new();
	struct shared shared = SHARED_NONE;
	struct plan plan = { 0 };
	struct err why = { 0 };
	pthread_t decides;

	if (!tables_kernel_ends_loops() || shared_open(&shared, NULL, &why) == -EPERM) {
		tap_skip(why.code ? "BPF is not allowed here" : "this kernel is not given loops that it ends, so nothing is tried twice",
			 "what the verifier refuses is loaded with loops of a known end");
		return tap_done();
	}
	if (!tap_ok(!why.code && !text_plan(&plan, c, text, &why), "there is a policy that looks into payloads %s", why.text))
		return tap_done();
	const int listener = listen_to_loads();
	if (!tap_ok(listener >= 0 && !pthread_create(&decides, NULL, decide, (void *)&listener), "loads are seen before the kernel has them"))
		return tap_done();
	for (enum teg_hook hook = 0; hook < TEG_HOOKS; hook++)
		try_in(hook, &shared, &plan);
	shared_release(&shared);
	return tap_done();
}
