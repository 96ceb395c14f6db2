#include "enforcer/hook/xdp.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "enforcer/hook/shared.h"
#include "enforcer/hook/slot.h"

struct xdp {
	char pin_dir[256];
	int anchor, pass;
	uint32_t anchor_id;
};

static void link_path(const struct xdp *x, char out[static PATH_MAX], uint32_t ifindex)
{
	snprintf(out, PATH_MAX, "%s/link_%u", x->pin_dir, ifindex);
}

int xdp_open(struct xdp **out, const char *pin_dir, int slots, struct err *why)
{
	own(xdp) struct xdp *x = calloc(1, sizeof *x);
	char path[PATH_MAX];
	uint64_t tag;

	if (!x)
		return err_set(why, ENOMEM, "no memory for the anchor");
	snprintf(x->pin_dir, sizeof x->pin_dir, "%s", pin_dir);
	x->pass = -1;
	int rc = shared_pin_anchor(path, x->pin_dir, TEG_HOOK_XDP, why);
	if (!rc)
		rc = slot_anchor(&x->anchor, TEG_HOOK_XDP, slots, path, why);
	if (!rc)
		rc = slot_program_is(x->anchor, &x->anchor_id, &tag, why);
	if (!rc)
		rc = slot_pass(&x->pass, TEG_HOOK_XDP, why);
	if (!rc)
		*out = take(x);
	return rc;
}

void xdp_free(struct xdp *x)
{
	if (!x)
		return;
	if (x->anchor >= 0)
		close(x->anchor);
	if (x->pass >= 0)
		close(x->pass);
	free(x);
}

/* ---- links ------------------------------------------------------------------------- */

/* -1 and no error when it is not pinned. */
static int link_open(const struct xdp *x, uint32_t ifindex, int *out, struct err *why)
{
	char path[PATH_MAX];

	link_path(x, path, ifindex);
	*out = bpf_obj_get(path);
	return *out < 0 && errno != ENOENT ? err_sys(why, "cannot open %s", path) : 0;
}

static void socket_own_(struct mnl_socket **s)
{
	if (*s)
		mnl_socket_close(*s);
}

struct attached {
	uint32_t program, by_driver, by_stack;
};

static int see_xdp(const struct nlattr *a, void *context)
{
	struct attached *out = context;
	uint32_t *to = mnl_attr_get_type(a) == IFLA_XDP_PROG_ID	    ? &out->program :
		       mnl_attr_get_type(a) == IFLA_XDP_DRV_PROG_ID ? &out->by_driver :
		       mnl_attr_get_type(a) == IFLA_XDP_SKB_PROG_ID ? &out->by_stack : NULL;

	if (to)
		*to = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

static int see_attribute(const struct nlattr *a, void *context)
{
	return mnl_attr_get_type(a) == IFLA_XDP ? mnl_attr_parse_nested(a, see_xdp, context) : MNL_CB_OK;
}

static int see_link(const struct nlmsghdr *h, void *context)
{
	return mnl_attr_parse(h, sizeof(struct ifinfomsg), see_attribute, context);
}

#define LINK_BYTES 16384 /* all that is told of an interface, but for counts and virtual functions */

/* The one program of an interface, and whether its driver runs it. (bpf_xdp_query() has all interfaces listed, each time.) */
static int attached(uint32_t ifindex, uint32_t *program, enum xdp_mode *mode, struct err *why)
{
	own(socket) struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	_Alignas(8) char room[LINK_BYTES];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct attached is = { 0 };

	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_sys(why, "cannot ask what XDP is on interface %u", ifindex);
	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST;
	h->nlmsg_seq = 1;
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
	m->ifi_index = (int)ifindex;
	mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	int got = (int)mnl_socket_sendto(s, h, h->nlmsg_len);
	if (got >= 0)
		got = (int)mnl_socket_recvfrom(s, room, sizeof room);
	if (got >= 0)
		got = mnl_cb_run(room, (size_t)got, 1, mnl_socket_get_portid(s), see_link, &is);
	if (got < 0 && errno != ENODEV) /* one that is gone has none */
		return err_sys(why, "cannot read what XDP is on interface %u", ifindex);
	*program = is.by_driver ? is.by_driver : is.by_stack ? is.by_stack : is.program;
	*mode = is.by_stack && !is.by_driver ? XDP_GENERIC : XDP_NATIVE;
	return 0;
}

int xdp_look_link(struct xdp *x, uint32_t ifindex, struct xdp_link *out, struct err *why)
{
	struct bpf_link_info is = { 0 };
	uint32_t len = sizeof is;
	own(fd) int link = -1;
	int rc = link_open(x, ifindex, &link, why);

	*out = (struct xdp_link){ 0 };
	if (rc || link < 0)
		return rc;
	if (bpf_obj_get_info_by_fd(link, &is, &len))
		return err_sys(why, "cannot read what link_%u is", ifindex);
	if (is.type != BPF_LINK_TYPE_XDP || is.xdp.ifindex != ifindex)
		return 0;
	const enum slot_whose whose = slot_whose(is.prog_id, x->anchor_id);
	*out = (struct xdp_link){ .there = true, .armed = whose == SLOT_ANCHOR, .judges = whose != SLOT_PASS, .program = is.prog_id };
	return 0;
}

int xdp_look(struct xdp *x, uint32_t ifindex, struct xdp_link *out, struct err *why)
{
	uint32_t program;
	int rc = xdp_look_link(x, ifindex, out, why);

	if (rc || !out->there)
		return rc;
	rc = attached(ifindex, &program, &out->mode, why);
	out->there = !rc && program == out->program;
	out->armed = out->armed && out->there;
	out->judges = out->judges && out->there;
	return rc;
}

static int explain_join(enum xdp_mode mode, struct err *why)
{
	const char *which = mode == XDP_NATIVE ? "native" : "generic";

	switch (errno) {
	case EOPNOTSUPP:
		return err_set(why, EOPNOTSUPP, "the driver has no %s XDP", which);
	case EBUSY:
	case EEXIST:
		return err_set(why, EBUSY, "another XDP program is attached");
	case EINVAL: /* the kernel's own sentence comes with netlink alone, which makes no links */
		return err_set(why, EINVAL, "the driver refuses %s XDP as the interface is set: its MTU, offloads or queues", which);
	case ENOSPC: /* of a veth */
		return err_set(why, ENOSPC, "the driver refuses %s XDP: it has fewer queues than what is sent through (ethtool -L)", which);
	case ERANGE:
		return err_set(why, ERANGE, "the driver refuses %s XDP: the MTU is too large", which);
	default:
		return err_sys(why, "%s XDP", which);
	}
}

/* libxdp's loaders leave a program xdp_dispatcher, which calls those that were attached. */
static int somebody_is_there(uint32_t program, struct err *why)
{
	char name[BPF_OBJ_NAME_LEN];

	slot_program_name(program, name);
	return err_set(why, EBUSY, "another XDP program is attached (%s%snumber %u)", name, *name ? ", " : "", program);
}

int xdp_join(struct xdp *x, uint32_t ifindex, enum xdp_mode mode, struct err *why)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = mode == XDP_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	char path[PATH_MAX];
	enum xdp_mode theirs;
	uint32_t program;
	int rc = attached(ifindex, &program, &theirs, why);

	if (rc)
		return rc;
	if (program)
		return somebody_is_there(program, why);
	own(fd) int link = bpf_link_create(x->pass, (int)ifindex, BPF_XDP, &opts);
	if (link < 0)
		return explain_join(mode, why);
	link_path(x, path, ifindex);
	unlink(path); /* of an interface that had this number and is gone */
	if (bpf_obj_pin(link, path))
		return err_sys(why, "cannot pin %s", path);
	return 0;
}

int xdp_arm(struct xdp *x, uint32_t ifindex, struct err *why)
{
	return xdp_put(x, ifindex, x->anchor, why);
}

int xdp_put(struct xdp *x, uint32_t ifindex, int program, struct err *why)
{
	own(fd) int link = -1;
	int rc = link_open(x, ifindex, &link, why);

	if (rc)
		return rc;
	if (link < 0)
		return err_set(why, ENOENT, "link_%u is gone", ifindex);
	if (bpf_link_update(link, program, NULL))
		return err_sys(why, "cannot put the anchor on interface %u", ifindex);
	return 0;
}

void xdp_leave(struct xdp *x, uint32_t ifindex)
{
	char path[PATH_MAX];

	link_path(x, path, ifindex);
	unlink(path);
}

void xdp_leave_others(struct xdp *x, bool (*keep)(uint32_t ifindex, void *context), void *context)
{
	static const char prefix[] = "link_";
	const struct dirent *e;
	DIR *d = opendir(x->pin_dir);

	if (!d)
		return;
	while ((e = readdir(d))) {
		if (strncmp(e->d_name, prefix, sizeof prefix - 1))
			continue;
		uint32_t ifindex = (uint32_t)strtoul(e->d_name + sizeof prefix - 1, NULL, 10);
		if (!keep(ifindex, context))
			unlinkat(dirfd(d), e->d_name, 0);
	}
	closedir(d);
}

bool xdp_is_pinned(struct xdp *x, bool repair)
{
	char path[PATH_MAX];

	struct err ignored;

	return !shared_pin_anchor(path, x->pin_dir, TEG_HOOK_XDP, &ignored) && slot_anchor_is_pinned(x->anchor, path, repair);
}
