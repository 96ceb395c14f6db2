#include "enforcer/hook/one_value.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "bpf-templates/abi.h"
#include "enforcer/hook/fold/fold.h"
#include "lang/base/own.h"

#define MAPS_ASKED 64 /* more than there are: each is asked once */

static bool has_one_value(int map)
{
	struct bpf_map_info is = { 0 };
	uint32_t len = sizeof is;

	return !bpf_obj_get_info_by_fd(map, &is, &len) && is.type == BPF_MAP_TYPE_ARRAY && is.max_entries == 1;
}

/* An address is two instructions long. */
static void mean_values(struct bpf_insn *code, size_t len)
{
	int asked[MAPS_ASKED];
	bool has[MAPS_ASKED];

	memset(asked, -1, sizeof asked);
	for (size_t i = 0; i + 1 < len; i++) {
		if (code[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		const int map = code[i].imm;
		const size_t at = (unsigned)map % MAPS_ASKED;

		if (code[i].src_reg == BPF_PSEUDO_MAP_FD && asked[at] != map) {
			asked[at] = map;
			has[at] = has_one_value(map);
		}
		if (code[i].src_reg == BPF_PSEUDO_MAP_FD && has[at])
			code[i].src_reg = BPF_PSEUDO_MAP_VALUE;
		i++;
	}
}

/* ---- folded ---------------------------------------------------------------------------------- */

struct constants {
	struct fold_table tables[FOLD_TABLES_MOST];
	uint8_t *bytes[FOLD_TABLES_MOST];
	size_t count;
};

static void constants_own_(struct constants *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->bytes[i]);
}

/* What is in a table that no program writes, and that libbpf has frozen. */
static int know_table(struct constants *c, int map)
{
	struct bpf_map_info is = { 0 };
	uint32_t len = sizeof is, zero = 0;

	for (size_t i = 0; i < c->count; i++)
		if (c->tables[i].map == map)
			return 0;
	if (c->count == FOLD_TABLES_MOST || bpf_obj_get_info_by_fd(map, &is, &len))
		return 0;
	if (is.type != BPF_MAP_TYPE_ARRAY || is.max_entries != 1 || !(is.map_flags & BPF_F_RDONLY_PROG))
		return 0;
	own(mem) uint8_t *bytes = calloc(1, (is.value_size + 7u) & ~7u);
	if (!bytes)
		return -ENOMEM;
	if (bpf_map_lookup_elem(map, &zero, bytes))
		return -errno;
	c->tables[c->count] = (struct fold_table){ .map = map, .bytes = bytes, .len = is.value_size };
	c->bytes[c->count++] = take(bytes);
	return 0;
}

static int know_tables(struct constants *c, const struct bpf_insn *code, size_t len)
{
	int rc = 0;

	for (size_t i = 0; i + 1 < len && !rc; i++) {
		if (code[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		if (code[i].src_reg == BPF_PSEUDO_MAP_VALUE)
			rc = know_table(c, code[i].imm);
		i++;
	}
	return rc;
}

/* What libbpf gives the kernel beside the code says places in it: records that begin with one, in their order. */
struct records {
	const void *all;
	uint32_t count, size;
};

static uint32_t place_of(const struct records *r, uint32_t i)
{
	uint32_t place;

	memcpy(&place, (const uint8_t *)r->all + (size_t)i * r->size, sizeof place);
	return place;
}

/* The last record that begins at `was` or before. */
static uint32_t record_at(const struct records *r, uint32_t was)
{
	uint32_t low = 0, high = r->count;

	while (high - low > 1) {
		const uint32_t middle = low + (high - low) / 2;

		if (place_of(r, middle) <= was)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static bool *function_begins(const struct fold_code *c)
{
	bool *begins = calloc(c->len, sizeof *begins);

	if (!begins)
		return NULL;
	begins[0] = true;
	for (size_t i = 0; i < c->len; i++)
		if (c->code[i].code == (BPF_JMP | BPF_CALL) && c->code[i].src_reg == BPF_PSEUDO_CALL)
			begins[i + 1 + (size_t)c->code[i].imm] = true;
	return begins;
}

/* Records of what is left, where it stands now: of functions one each, of lines one wherever another begins. */
static uint8_t *move_records(struct records *r, const struct fold_code *c, const bool *begins, bool lines)
{
	uint8_t *moved = r->count ? calloc(c->len, r->size) : NULL;
	uint32_t count = 0, last = UINT32_MAX;

	for (uint32_t i = 0; moved && i < c->len; i++) {
		const uint32_t is = record_at(r, c->was[i]);

		if (begins[i] || (lines && is != last && (!i || c->was[i] != c->was[i - 1]))) {
			memcpy(moved + (size_t)count * r->size, (const uint8_t *)r->all + (size_t)is * r->size, r->size);
			memcpy(moved + (size_t)count++ * r->size, &i, sizeof i);
			last = is;
		}
	}
	r->all = moved;
	r->count = moved ? count : 0;
	return moved;
}

/* libbpf reads these behind prepare(): they are kept until the next program. */
static _Thread_local uint8_t *functions_kept, *lines_kept;

static int move_all_records(struct bpf_prog_load_opts *opts, const struct fold_code *c)
{
	struct records functions = { opts->func_info, opts->func_info_cnt, opts->func_info_rec_size };
	struct records lines = { opts->line_info, opts->line_info_cnt, opts->line_info_rec_size };
	own(mem) bool *begins = function_begins(c);

	if (!begins)
		return -ENOMEM;
	free(functions_kept);
	free(lines_kept);
	functions_kept = move_records(&functions, c, begins, false);
	lines_kept = move_records(&lines, c, begins, true);
	if ((opts->func_info_cnt && !functions_kept) || (opts->line_info_cnt && !lines_kept))
		return -ENOMEM;
	opts->func_info = functions.all, opts->func_info_cnt = functions.count;
	opts->line_info = lines.all, opts->line_info_cnt = lines.count;
	return 0;
}

/* ---- loops ----------------------------------------------------------------------------------- */

#define MAY_GOTO (BPF_JMP | 0xe0) /* BPF_JCOND of newer headers; its source says may_goto, which is 0 */

/* A program that is for older kernels has none left. */
static void mean_loops(struct fold_code *c)
{
	for (size_t i = 0; i < c->len; i++)
		if (c->code[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && c->code[i].dst_reg == BPF_REG_10 && c->code[i].imm == TEG_MAY_END)
			c->code[i] = (struct bpf_insn){ .code = MAY_GOTO, .off = c->code[i].off };
}

static int fold_program(struct fold_code *c, struct bpf_prog_load_opts *opts)
{
	own(constants) struct constants known = { 0 };
	int rc = know_tables(&known, c->code, c->len);

	if (!rc)
		rc = fold(c, known.tables, known.count);
	if (rc)
		return rc == -EOPNOTSUPP ? 0 : rc;
	mean_loops(c);
	return move_all_records(opts, c);
}

int one_value_prepare(struct bpf_program *program, struct bpf_prog_load_opts *opts, long cookie)
{
	own(fold_code) struct fold_code c = { .len = bpf_program__insn_cnt(program) };

	(void)cookie;
	c.code = calloc(c.len, sizeof *c.code);
	if (!c.code)
		return -ENOMEM;
	memcpy(c.code, bpf_program__insns(program), c.len * sizeof *c.code);
	mean_values(c.code, c.len);
	int rc = fold_program(&c, opts);
	return rc ? rc : bpf_program__set_insns(program, c.code, c.len);
}

void one_value_know(void)
{
	static bool known;
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = one_value_prepare);

	if (known)
		return;
	known = libbpf_register_prog_handler("xdp", BPF_PROG_TYPE_XDP, BPF_XDP, &opts) >= 0 &&
		libbpf_register_prog_handler("tc", BPF_PROG_TYPE_SCHED_CLS, 0, &opts) >= 0;
}
