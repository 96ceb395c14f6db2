#include "enforcer/hook/slot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "enforcer/hook/anchor.h"
#include "enforcer/hook/tables/tables.h"
#include "lang/base/own.h"

#ifndef BPF_F_XDP_HAS_FRAGS
#define BPF_F_XDP_HAS_FRAGS (1U << 5)
#endif

#define PASS_NAME   "teg_pass"
#define ANCHOR_NAME "anchor" /* anchor.bpf.c */

/* What differs between the hooks. */
static const struct hook {
	const unsigned char *object, *object_end;
	const char *slots; /* as the anchor calls its map */
	enum bpf_prog_type type;
	int32_t pass;
} hooks[TEG_HOOKS] = {
	[TEG_HOOK_XDP] = { anchor_object, anchor_object_end, "teg_slots", BPF_PROG_TYPE_XDP, XDP_PASS },
	[TEG_HOOK_TC] = { anchor_tc_object, anchor_tc_object_end, "teg_tc_slots", BPF_PROG_TYPE_SCHED_CLS, TC_ACT_UNSPEC },
};

static uint32_t flags_of(enum teg_hook hook)
{
	return hook == TEG_HOOK_XDP && tables_kernel_has_frags() ? BPF_F_XDP_HAS_FRAGS : 0;
}

int slot_program_is(int program, uint32_t *number, uint64_t *tag, struct err *why)
{
	struct bpf_prog_info is = { 0 };
	uint32_t len = sizeof is;

	if (bpf_obj_get_info_by_fd(program, &is, &len))
		return err_sys(why, "cannot read what a program is");
	*number = is.id;
	*tag = 0;
	for (size_t i = 0; i < sizeof is.tag; i++)
		*tag = *tag << 8 | is.tag[i];
	return 0;
}

int slot_pass(int *out, enum teg_hook hook, struct err *why)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = hooks[hook].pass },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = flags_of(hook),
		    .expected_attach_type = hook == TEG_HOOK_XDP ? BPF_XDP : 0);

	*out = bpf_prog_load(hooks[hook].type, PASS_NAME, "GPL", pass, 2, &opts);
	return *out < 0 ? err_sys(why, "cannot load a program that lets all pass") : 0;
}

/* False when it is gone. */
static bool program_info(uint32_t program, struct bpf_prog_info *out)
{
	uint32_t len = sizeof *out;
	own(fd) int fd = bpf_prog_get_fd_by_id(program);

	*out = (struct bpf_prog_info){ 0 };
	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, out, &len);
}

void slot_program_name(uint32_t program, char out[static BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info is;

	snprintf(out, BPF_OBJ_NAME_LEN, "%s", program_info(program, &is) ? is.name : "");
}

enum slot_whose slot_whose(uint32_t program, uint32_t anchor)
{
	struct bpf_prog_info is;

	if (program == anchor)
		return SLOT_ANCHOR;
	if (!program_info(program, &is))
		return SLOT_NOBODY;
	return !strcmp(is.name, PASS_NAME) ? SLOT_PASS : !strcmp(is.name, ANCHOR_NAME) ? SLOT_OLDER : SLOT_NOBODY;
}

static void object_own_(struct bpf_object **o)
{
	bpf_object__close(*o);
}

static int anchor_load(int *out, enum teg_hook hook, int slots, const char *path, struct err *why)
{
	const struct hook *h = &hooks[hook];
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "anchor");
	own(object) struct bpf_object *o = bpf_object__open_mem(h->object, (size_t)(h->object_end - h->object), &opts);

	if (!o)
		return err_sys(why, "cannot read the anchor");
	struct bpf_map *map = bpf_object__find_map_by_name(o, h->slots);
	struct bpf_program *program = bpf_object__find_program_by_name(o, ANCHOR_NAME);
	if (!map || !program || bpf_map__reuse_fd(map, slots))
		return err_sys(why, "cannot prepare the anchor");
	bpf_program__set_flags(program, flags_of(hook));
	if (bpf_object__load(o))
		return err_sys(why, "the kernel does not take the anchor");
	if (bpf_program__pin(program, path))
		return err_sys(why, "cannot pin %s", path);
	*out = bpf_obj_get(path);
	return *out < 0 ? err_sys(why, "cannot open %s", path) : 0;
}

int slot_anchor(int *out, enum teg_hook hook, int slots, const char *path, struct err *why)
{
	libbpf_set_print(NULL); /* what it would tell stderr is in *why */
	*out = bpf_obj_get(path);
	if (*out >= 0)
		return 0;
	return errno == ENOENT ? anchor_load(out, hook, slots, path, why) : err_sys(why, "cannot open %s", path);
}

bool slot_anchor_is_pinned(int anchor, const char *path, bool repair)
{
	uint32_t number = 0, mine = 0;
	uint64_t tag;
	struct err ignored;
	own(fd) int pinned = bpf_obj_get(path);

	if (pinned >= 0 && !slot_program_is(pinned, &number, &tag, &ignored) &&
	    !slot_program_is(anchor, &mine, &tag, &ignored) && number == mine)
		return true;
	if (!repair)
		return false;
	unlink(path);
	return !bpf_obj_pin(anchor, path);
}

int slot_read(int slots, uint32_t *program, struct err *why)
{
	const uint32_t zero = 0;

	*program = 0;
	if (bpf_map_lookup_elem(slots, &zero, program) && errno != ENOENT)
		return err_sys(why, "cannot read what is in the slot");
	return 0;
}

int slot_put(int slots, int program, struct err *why)
{
	const uint32_t zero = 0;

	if (bpf_map_update_elem(slots, &zero, &program, BPF_ANY))
		return err_sys(why, "cannot put the program into its slot");
	return 0;
}

int slot_clear(int slots, struct err *why)
{
	const uint32_t zero = 0;

	if (bpf_map_delete_elem(slots, &zero) && errno != ENOENT)
		return err_sys(why, "cannot empty the slot");
	return 0;
}
