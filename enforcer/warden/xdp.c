#include "enforcer/warden/xdp.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>

#include "enforcer/warden/anchor.h"
#include "enforcer/warden/tables.h"

#ifndef BPF_F_XDP_HAS_FRAGS
#define BPF_F_XDP_HAS_FRAGS (1U << 5)
#endif

struct xdp {
	char pin_dir[256];
	int slots;	/* borrowed */
	int anchor, pass;
	uint32_t anchor_id;
};

static void path_of(const struct xdp *x, char out[static PATH_MAX], const char *name)
{
	snprintf(out, PATH_MAX, "%s/%s", x->pin_dir, name);
}

static void link_path(const struct xdp *x, char out[static PATH_MAX], uint32_t ifindex)
{
	snprintf(out, PATH_MAX, "%s/link_%u", x->pin_dir, ifindex);
}

/* ---- programs ------------------------------------------------------------------- */

int xdp_program_is(int program_fd, uint32_t *number, uint64_t *tag, struct err *why)
{
	struct bpf_prog_info is = { 0 };
	uint32_t len = sizeof is;

	if (bpf_obj_get_info_by_fd(program_fd, &is, &len))
		return err_sys(why, "cannot read what a program is");
	*number = is.id;
	*tag = 0;
	for (size_t i = 0; i < sizeof is.tag; i++)
		*tag = *tag << 8 | is.tag[i];
	return 0;
}

/* It may stand in for the anchor, so it must be what the anchor is. */
static int load_pass(int *out, bool frags, struct err *why)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = frags ? BPF_F_XDP_HAS_FRAGS : 0,
		    .expected_attach_type = BPF_XDP);

	*out = bpf_prog_load(BPF_PROG_TYPE_XDP, "teg_pass", "GPL", pass, 2, &opts);
	return *out < 0 ? err_sys(why, "cannot load a program for XDP") : 0;
}

static void object_own_(struct bpf_object **o)
{
	bpf_object__close(*o);
}

static int load_anchor(int *out, int slots, bool frags, const char *path, struct err *why)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "anchor");
	own(object) struct bpf_object *o =
		bpf_object__open_mem(anchor_object, (size_t)(anchor_object_end - anchor_object), &opts);

	if (!o)
		return err_sys(why, "cannot read the anchor");
	struct bpf_map *map = bpf_object__find_map_by_name(o, "teg_slots");
	struct bpf_program *program = bpf_object__find_program_by_name(o, "anchor");
	if (!map || !program || bpf_map__reuse_fd(map, slots))
		return err_sys(why, "cannot prepare the anchor");
	bpf_program__set_flags(program, frags ? BPF_F_XDP_HAS_FRAGS : 0);
	if (bpf_object__load(o))
		return err_sys(why, "the kernel does not take the anchor");
	if (bpf_program__pin(program, path))
		return err_sys(why, "cannot pin %s", path);
	*out = bpf_obj_get(path);
	return *out < 0 ? err_sys(why, "cannot open %s", path) : 0;
}

int xdp_open(struct xdp **out, const char *pin_dir, int slots, struct err *why)
{
	own(xdp) struct xdp *x = calloc(1, sizeof *x);
	const bool frags = tables_kernel_has_frags();
	char path[PATH_MAX];
	uint64_t tag;
	int rc;

	if (!x)
		return err_set(why, ENOMEM, "no memory for the anchor");
	libbpf_set_print(NULL); /* what it would tell stderr is in *why */
	snprintf(x->pin_dir, sizeof x->pin_dir, "%s", pin_dir);
	x->slots = slots;
	x->pass = -1;
	path_of(x, path, "anchor");
	x->anchor = bpf_obj_get(path);
	if (x->anchor < 0 && errno != ENOENT)
		return err_sys(why, "cannot open %s", path);
	if (x->anchor < 0 && (rc = load_anchor(&x->anchor, slots, frags, path, why)))
		return rc;
	rc = xdp_program_is(x->anchor, &x->anchor_id, &tag, why);
	if (!rc)
		rc = load_pass(&x->pass, frags, why);
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

/* ---- the slot ---------------------------------------------------------------------- */

int xdp_slot(struct xdp *x, uint32_t *program, struct err *why)
{
	const uint32_t zero = 0;

	*program = 0;
	if (bpf_map_lookup_elem(x->slots, &zero, program) && errno != ENOENT)
		return err_sys(why, "cannot read teg_slots");
	return 0;
}

int xdp_set_slot(struct xdp *x, int program_fd, struct err *why)
{
	const uint32_t zero = 0;

	if (bpf_map_update_elem(x->slots, &zero, &program_fd, BPF_ANY))
		return err_sys(why, "cannot put the program into teg_slots");
	return 0;
}

int xdp_clear_slot(struct xdp *x, struct err *why)
{
	const uint32_t zero = 0;

	if (bpf_map_delete_elem(x->slots, &zero) && errno != ENOENT)
		return err_sys(why, "cannot empty teg_slots");
	return 0;
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

/* The one program of an interface, and whether its driver runs it. */
static int attached(uint32_t ifindex, uint32_t *program, enum xdp_mode *mode, struct err *why)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);

	if (bpf_xdp_query((int)ifindex, 0, &q))
		return err_sys(why, "cannot read what XDP is on interface %u", ifindex);
	*program = q.drv_prog_id ? q.drv_prog_id : q.skb_prog_id ? q.skb_prog_id : q.prog_id;
	*mode = q.skb_prog_id && !q.drv_prog_id ? XDP_GENERIC : XDP_NATIVE;
	return 0;
}

int xdp_look(struct xdp *x, uint32_t ifindex, struct xdp_link *out, struct err *why)
{
	struct bpf_link_info is = { 0 };
	uint32_t len = sizeof is, program;
	own(fd) int link = -1;
	int rc = link_open(x, ifindex, &link, why);

	*out = (struct xdp_link){ 0 };
	if (rc || link < 0)
		return rc;
	if (bpf_obj_get_info_by_fd(link, &is, &len))
		return err_sys(why, "cannot read what link_%u is", ifindex);
	if (is.type != BPF_LINK_TYPE_XDP || is.xdp.ifindex != ifindex)
		return 0;
	rc = attached(ifindex, &program, &out->mode, why);
	if (!rc) {
		out->there = program == is.prog_id;
		out->armed = out->there && is.prog_id == x->anchor_id;
	}
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
	default:
		return err_sys(why, "%s XDP", which);
	}
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
		return err_set(why, EBUSY, "another XDP program is attached (number %u)", program);
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
	own(fd) int link = -1;
	int rc = link_open(x, ifindex, &link, why);

	if (rc)
		return rc;
	if (link < 0)
		return err_set(why, ENOENT, "link_%u is gone", ifindex);
	if (bpf_link_update(link, x->anchor, NULL))
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
	uint32_t number = 0;
	uint64_t tag;
	struct err ignored;

	path_of(x, path, "anchor");
	own(fd) int pinned = bpf_obj_get(path);
	if (pinned >= 0 && !xdp_program_is(pinned, &number, &tag, &ignored) && number == x->anchor_id)
		return true;
	if (!repair)
		return false;
	unlink(path);
	return !bpf_obj_pin(x->anchor, path);
}
