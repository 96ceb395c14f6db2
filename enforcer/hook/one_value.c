#include "enforcer/hook/one_value.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "lang/base/own.h"

static bool has_one_value(int map)
{
	struct bpf_map_info is = { 0 };
	uint32_t len = sizeof is;

	return !bpf_obj_get_info_by_fd(map, &is, &len) && is.type == BPF_MAP_TYPE_ARRAY && is.max_entries == 1;
}

/* An address is two instructions long. */
static void mean_values(struct bpf_insn *code, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++) {
		if (code[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		if (code[i].src_reg == BPF_PSEUDO_MAP_FD && has_one_value(code[i].imm))
			code[i].src_reg = BPF_PSEUDO_MAP_VALUE;
		i++;
	}
}

static int prepare(struct bpf_program *program, struct bpf_prog_load_opts *opts, long cookie)
{
	const size_t len = bpf_program__insn_cnt(program);
	own(mem) struct bpf_insn *code = calloc(len, sizeof *code);

	(void)opts, (void)cookie;
	if (!code)
		return -ENOMEM;
	memcpy(code, bpf_program__insns(program), len * sizeof *code);
	mean_values(code, len);
	return bpf_program__set_insns(program, code, len);
}

void one_value_know(void)
{
	static bool known;
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = prepare);

	if (known)
		return;
	known = libbpf_register_prog_handler("xdp", BPF_PROG_TYPE_XDP, BPF_XDP, &opts) >= 0 &&
		libbpf_register_prog_handler("tc", BPF_PROG_TYPE_SCHED_CLS, 0, &opts) >= 0;
}
