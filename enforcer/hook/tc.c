#include "enforcer/hook/tc.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <libmnl/libmnl.h>
#include <linux/bpf.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "enforcer/hook/shared.h"
#include "enforcer/hook/slot.h"

/* Of kernel 6.6, whose headers may not be there. */
#define LINK_TYPE_TCX 11
#define ATTACH_TCX_INGRESS 46
#define ATTACH_BEFORE (1u << 3) /* all others, when none is named */

/* Of ours among the filters of a clsact qdisc. */
#define FILTER_PRIORITY 1u
#define FILTER_HANDLE 0x746567u

#define TCX_PIN "tcx_"
#define CLSACT_PIN "clsact_"
#define LIST_BYTES 32768 /* of one answer; the kernel fills less */
#define QUERY_MAX 64 /* programs of one hook: BPF_MPROG_MAX */

struct tc {
	char pin_dir[256];
	int anchor, pass;
	uint32_t anchor_id;
	enum tc_way way;
};

static void pin_path(const struct tc *t, char out[static PATH_MAX], const char *kind, uint32_t ifindex)
{
	snprintf(out, PATH_MAX, "%s/%s%u", t->pin_dir, kind, ifindex);
}

/* ---- life ---------------------------------------------------------------------- */

/* The loopback of any namespace may be asked; an older kernel does not know the question. */
static bool kernel_has_tcx(void)
{
	LIBBPF_OPTS(bpf_prog_query_opts, q);

	return !bpf_prog_query_opts(1, (enum bpf_attach_type)ATTACH_TCX_INGRESS, &q);
}

int tc_open(struct tc **out, const char *pin_dir, int slots, enum tc_way way, struct err *why)
{
	own(tc) struct tc *t = calloc(1, sizeof *t);
	char path[PATH_MAX];
	uint64_t tag;

	if (!t)
		return err_set(why, ENOMEM, "no memory for the anchor");
	snprintf(t->pin_dir, sizeof t->pin_dir, "%s", pin_dir);
	t->way = way == TC_TCX && kernel_has_tcx() ? TC_TCX : TC_CLSACT;
	t->pass = -1;
	int rc = shared_pin_anchor(path, t->pin_dir, TEG_HOOK_TC, why);
	if (!rc)
		rc = slot_anchor(&t->anchor, TEG_HOOK_TC, slots, path, why);
	if (!rc)
		rc = slot_program_is(t->anchor, &t->anchor_id, &tag, why);
	if (!rc)
		rc = slot_pass(&t->pass, TEG_HOOK_TC, why);
	if (!rc)
		*out = take(t);
	return rc;
}

void tc_free(struct tc *t)
{
	if (!t)
		return;
	if (t->anchor >= 0)
		close(t->anchor);
	if (t->pass >= 0)
		close(t->pass);
	free(t);
}

bool tc_is_pinned(struct tc *t, bool repair)
{
	char path[PATH_MAX];

	struct err ignored;

	return !shared_pin_anchor(path, t->pin_dir, TEG_HOOK_TC, &ignored) && slot_anchor_is_pinned(t->anchor, path, repair);
}

/* ---- what is there ---------------------------------------------------------------- */

static int program_number(struct bpf_tc_hook *hook, uint32_t *number)
{
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	int rc = bpf_tc_query(hook, &filter);

	*number = rc ? 0 : filter.prog_id;
	return rc;
}

/* A filter with our handle is ours when its program is an anchor, or what stands in for it. */
static bool is_ours(const struct tc *t, uint32_t number)
{
	return slot_whose(number, t->anchor_id) != SLOT_NOBODY;
}

static void look_whose(const struct tc *t, uint32_t number, struct tc_link *out)
{
	const enum slot_whose whose = slot_whose(number, t->anchor_id);

	out->armed = out->there && whose == SLOT_ANCHOR;
	out->judges = out->there && whose != SLOT_PASS;
	out->program = number;
}

/* The numbers of the programs that are attached by TCX, in the order in which they run. */
static unsigned tcx_programs(uint32_t ifindex, uint32_t numbers[static QUERY_MAX])
{
	LIBBPF_OPTS(bpf_prog_query_opts, q, .prog_ids = numbers, .prog_cnt = QUERY_MAX);

	if (bpf_prog_query_opts((int)ifindex, (enum bpf_attach_type)ATTACH_TCX_INGRESS, &q))
		return 0;
	return q.prog_cnt < QUERY_MAX ? q.prog_cnt : QUERY_MAX;
}

static unsigned programs_before(uint32_t ifindex, uint32_t ours)
{
	uint32_t numbers[QUERY_MAX];
	const unsigned count = tcx_programs(ifindex, numbers);
	unsigned before = 0;

	while (before < count && numbers[before] != ours)
		before++;
	return before < count ? before : 0;
}

static int look_tcx(struct tc *t, int link, uint32_t ifindex, struct tc_link *out, struct err *why)
{
	struct bpf_link_info is = { 0 };
	uint32_t len = sizeof is;

	if (bpf_obj_get_info_by_fd(link, &is, &len))
		return err_sys(why, "cannot read what " TCX_PIN "%u is", ifindex);
	out->way = TC_TCX;
	out->there = is.type == LINK_TYPE_TCX && is.xdp.ifindex == ifindex; /* tcx.ifindex stands in the same place */
	look_whose(t, is.prog_id, out);
	out->before = out->there ? programs_before(ifindex, is.prog_id) : 0;
	return 0;
}

static void look_clsact(struct tc *t, uint32_t ifindex, struct tc_link *out)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	uint32_t number;

	out->way = TC_CLSACT;
	out->there = !program_number(&hook, &number) && is_ours(t, number);
	look_whose(t, number, out);
}

int tc_look(struct tc *t, uint32_t ifindex, struct tc_link *out, struct err *why)
{
	char path[PATH_MAX];

	*out = (struct tc_link){ 0 };
	pin_path(t, path, TCX_PIN, ifindex);
	own(fd) int link = bpf_obj_get(path);
	if (link >= 0)
		return look_tcx(t, link, ifindex, out, why);
	if (errno != ENOENT)
		return err_sys(why, "cannot open %s", path);
	pin_path(t, path, CLSACT_PIN, ifindex);
	if (!access(path, F_OK))
		look_clsact(t, ifindex, out);
	return 0;
}

/* ---- the filters of others ---------------------------------------------------------- */

struct filters {
	unsigned others;
	bool first_is_taken;
};

static int see_filter(const struct nlmsghdr *h, void *context)
{
	const struct tcmsg *m = mnl_nlmsg_get_payload(h);
	struct filters *f = context;
	const uint32_t priority = TC_H_MAJ(m->tcm_info) >> 16;

	if (h->nlmsg_type != RTM_NEWTFILTER || !m->tcm_handle)
		return MNL_CB_OK; /* a priority is listed once by itself, without a handle */
	if (priority == FILTER_PRIORITY && m->tcm_handle == FILTER_HANDLE)
		return MNL_CB_OK;
	f->others++;
	f->first_is_taken = f->first_is_taken || priority <= FILTER_PRIORITY;
	return MNL_CB_OK;
}

static void socket_own_(struct mnl_socket **s)
{
	if (*s)
		mnl_socket_close(*s);
}

static int list_filters(uint32_t ifindex, struct filters *out, struct err *why)
{
	own(socket) struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	_Alignas(8) char room[LIST_BYTES];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	int got;

	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_sys(why, "cannot ask for filters");
	h->nlmsg_type = RTM_GETTFILTER;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = 1;
	struct tcmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
	m->tcm_family = AF_UNSPEC;
	m->tcm_ifindex = (int)ifindex;
	m->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	*out = (struct filters){ 0 };
	if (mnl_socket_sendto(s, h, h->nlmsg_len) < 0)
		return err_sys(why, "cannot ask for filters");
	do {
		got = (int)mnl_socket_recvfrom(s, room, sizeof room);
		if (got >= 0)
			got = mnl_cb_run(room, (size_t)got, 1, mnl_socket_get_portid(s), see_filter, out);
	} while (got == MNL_CB_OK);
	return got < 0 ? err_sys(why, "cannot read filters") : 0;
}

unsigned tc_others(struct tc *t, uint32_t ifindex)
{
	struct filters f = { 0 };
	struct err ignored;
	uint32_t numbers[QUERY_MAX];
	const unsigned programs = tcx_programs(ifindex, numbers);

	list_filters(ifindex, &f, &ignored);
	for (unsigned i = 0; i < programs; i++)
		f.others += !is_ours(t, numbers[i]);
	return f.others;
}

/* ---- attaching ------------------------------------------------------------------------- */

static int link_first(struct tc *t, uint32_t ifindex, int *out, struct err *why)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = ATTACH_BEFORE);

	*out = bpf_link_create(t->pass, (int)ifindex, (enum bpf_attach_type)ATTACH_TCX_INGRESS, &opts);
	return *out < 0 ? err_sys(why, "TC") : 0;
}

static int pin_link(struct tc *t, uint32_t ifindex, int link, struct err *why)
{
	char path[PATH_MAX];

	pin_path(t, path, TCX_PIN, ifindex);
	unlink(path); /* of the link before, or of an interface that had this number and is gone */
	return bpf_obj_pin(link, path) ? err_sys(why, "cannot pin %s", path) : 0;
}

static int join_tcx(struct tc *t, uint32_t ifindex, struct err *why)
{
	own(fd) int link = -1;
	int rc = link_first(t, ifindex, &link, why);

	return rc ? rc : pin_link(t, ifindex, link, why);
}

static int put_filter(struct bpf_tc_hook *hook, int program, bool replaces)
{
	LIBBPF_OPTS(bpf_tc_opts, filter, .prog_fd = program, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY,
		    .flags = replaces ? BPF_TC_F_REPLACE : 0);

	return bpf_tc_attach(hook, &filter);
}

static bool is_filtered(const struct tc *t, struct bpf_tc_hook *hook)
{
	uint32_t number;

	return !program_number(hook, &number) && is_ours(t, number);
}

/*
 * The mark comes first: a filter without one would never be taken away. One of ours that has lost its mark judges on until
 * the anchor takes its place.
 */
static int join_clsact(struct tc *t, uint32_t ifindex, struct err *why)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	struct filters f;
	char path[PATH_MAX];
	int rc = bpf_tc_hook_create(&hook);

	if (rc && rc != -EEXIST) {
		errno = -rc;
		return err_sys(why, "TC");
	}
	rc = list_filters(ifindex, &f, why);
	if (rc)
		return rc;
	if (f.first_is_taken)
		return err_set(why, EBUSY, "another TC filter has the first priority");
	pin_path(t, path, CLSACT_PIN, ifindex);
	unlink(path);
	if (bpf_obj_pin(t->anchor, path))
		return err_sys(why, "cannot pin %s", path);
	rc = is_filtered(t, &hook) ? 0 : put_filter(&hook, t->pass, false);
	if (!rc)
		return 0;
	unlink(path);
	errno = -rc;
	return err_sys(why, "TC");
}

int tc_join(struct tc *t, uint32_t ifindex, struct err *why)
{
	return t->way == TC_TCX ? join_tcx(t, ifindex, why) : join_clsact(t, ifindex, why);
}

int tc_arm(struct tc *t, uint32_t ifindex, struct err *why)
{
	return tc_put(t, ifindex, t->anchor, why);
}

int tc_put(struct tc *t, uint32_t ifindex, int program, struct err *why)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	char path[PATH_MAX];

	pin_path(t, path, TCX_PIN, ifindex);
	own(fd) int link = bpf_obj_get(path);
	const int rc = link >= 0 ? bpf_link_update(link, program, NULL) : put_filter(&hook, program, true);
	if (!rc)
		return 0;
	errno = -rc;
	return err_sys(why, "cannot put the anchor on interface %u", ifindex);
}

void tc_leave(struct tc *t, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	char path[PATH_MAX];

	pin_path(t, path, TCX_PIN, ifindex);
	unlink(path);
	pin_path(t, path, CLSACT_PIN, ifindex);
	if (access(path, F_OK))
		return;
	if (is_filtered(t, &hook))
		bpf_tc_detach(&hook, &filter);
	unlink(path);
}

/* A hook has a program once, so the old link gets another that lets all pass before the new one gets the anchor. */
static int hand_lead(struct tc *t, int old, int new, struct err *why)
{
	own(fd) int other = -1;
	int rc = slot_pass(&other, TEG_HOOK_TC, why);

	if (rc)
		return rc;
	if (bpf_link_update(old, other, NULL))
		return err_sys(why, "TC");
	if (!bpf_link_update(new, t->anchor, NULL))
		return 0;
	rc = err_sys(why, "TC");
	bpf_link_update(old, t->anchor, NULL);
	return rc;
}

int tc_lead(struct tc *t, uint32_t ifindex, struct err *why)
{
	char path[PATH_MAX];

	pin_path(t, path, TCX_PIN, ifindex);
	own(fd) int old = bpf_obj_get(path);
	if (old < 0)
		return err_sys(why, "cannot open %s", path);
	own(fd) int new = -1;
	int rc = link_first(t, ifindex, &new, why);
	if (!rc)
		rc = hand_lead(t, old, new, why);
	return rc ? rc : pin_link(t, ifindex, new, why);
}

/* The interface of a pin; 0 when the name is another's. */
static uint32_t pinned_ifindex(const char *name)
{
	static const char *const kinds[] = { TCX_PIN, CLSACT_PIN };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strncmp(name, kinds[i], strlen(kinds[i])))
			return (uint32_t)strtoul(name + strlen(kinds[i]), NULL, 10);
	return 0;
}

void tc_leave_others(struct tc *t, bool (*keep)(uint32_t ifindex, void *context), void *context)
{
	const struct dirent *e;
	DIR *d = opendir(t->pin_dir);

	if (!d)
		return;
	while ((e = readdir(d))) {
		const uint32_t ifindex = pinned_ifindex(e->d_name);
		if (ifindex && !keep(ifindex, context))
			tc_leave(t, ifindex);
	}
	closedir(d);
}
