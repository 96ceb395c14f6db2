#include "enforcer/proc/allow.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/membarrier.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "lang/base/own.h"

enum who { WARDEN = 1, STARTING = 2, API = 4 };

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* The kernel reads ints: the upper half of a register is nobody's. */
#define BITS(n, mask, value) { n, SCMP_CMP_MASKED_EQ, (uint32_t)(mask), (uint32_t)(value) }
#define IS(n, value)	     BITS(n, UINT32_MAX, value)
#define NONE(n, mask)	     BITS(n, mask, 0)

static const struct row {
	int call;
	unsigned who;
	struct scmp_arg_cmp with[2];
	unsigned withs;
} rows[] = {
#define CALL(name, who, why) { SCMP_SYS(name), who, { { 0 } }, 0 },
#define WITH(name, who, why, ...)                                                                 \
	{ SCMP_SYS(name), who, { __VA_ARGS__ },                                                   \
	  sizeof((struct scmp_arg_cmp[]){ __VA_ARGS__ }) / sizeof(struct scmp_arg_cmp) },
#include "enforcer/proc/allow.def"
#undef CALL
#undef WITH
};

#define ROWS (sizeof rows / sizeof *rows)

static unsigned list_of(enum role me)
{
	switch (me) {
	case ROLE_WARDEN:
		return WARDEN | STARTING | API;
	case ROLE_API:
		return API;
	case ROLE_COUNT:
		break;
	}
	return 0;
}

static void filter_ctx_own_(scmp_filter_ctx *f)
{
	seccomp_release(*f);
}

/* With any arguments at all, by this row or another? */
static bool is_free(const struct row *r, unsigned list)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].call == r->call && rows[i].who & list && !rows[i].withs)
			return true;
	return false;
}

static int add_rows(scmp_filter_ctx f, unsigned list, bool arguments)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *r = &rows[i];

		if (!(r->who & list))
			continue;
		const unsigned withs = arguments && !is_free(r, list) ? r->withs : 0;
		int rc = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, r->call, withs, r->with);
		if (rc && rc != -EEXIST) /* another row has said so */
			return rc;
	}
	return 0;
}

static int begin(scmp_filter_ctx f)
{
	int rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a row of comparisons */

	return rc ? rc : seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, 0); /* it is set: a prctl() less */
}

/*
 * One filter for arguments and one for names, since a filter has one answer for all that it does not allow. What both
 * refuse gets the later one's: so the names come last, and for that the first lets seccomp() by.
 */
static int load(unsigned list, bool arguments)
{
	own(filter_ctx) scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(arguments ? EPERM : ENOSYS));
	int rc = f ? begin(f) : -ENOMEM;

	if (!rc && arguments)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(seccomp), 0);
	if (!rc)
		rc = add_rows(f, list, arguments);
	return rc ? rc : seccomp_load(f);
}

/* valgrind makes calls of its own in the process that it looks at. */
#ifdef TEG_VALGRIND
#ifdef _FORTIFY_SOURCE
#error "TEG_VALGRIND is of the tegd that is built for valgrind alone: what is released has its list"
#endif
#define ANY_CALL true
#else
#define ANY_CALL false
#endif

int allow_only(enum role me, struct err *why)
{
	if (ANY_CALL)
		return 0;
	int rc = load(list_of(me), true);

	if (!rc)
		rc = load(list_of(me), false);
	return rc ? err_set(why, -rc, "cannot give system calls up") : 0;
}
