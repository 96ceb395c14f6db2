#include "enforcer/hook/tables/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#define MAPS_MAX 64 /* of one program */

/* ---- one more hook ------------------------------------------------------------------ */

/* The maps of a program. */
struct held_maps {
	struct held_map {
		uint32_t id;
		int fd;
		char name[BPF_OBJ_NAME_LEN];
	} at[MAPS_MAX];
	size_t len;
};

static void held_maps_own_(struct held_maps *h)
{
	for (size_t i = 0; i < h->len; i++)
		close(h->at[i].fd);
}

static int maps_of(struct held_maps *out, int program, struct err *why)
{
	uint32_t ids[MAPS_MAX] = { 0 };
	struct bpf_prog_info is = { .nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids };
	uint32_t len = sizeof is;

	if (bpf_obj_get_info_by_fd(program, &is, &len))
		return err_sys(why, "cannot read what tables a program has");
	for (uint32_t i = 0; i < is.nr_map_ids && i < MAPS_MAX; i++) {
		struct held_map *m = &out->at[out->len];
		struct bpf_map_info info = { 0 };
		uint32_t info_len = sizeof info;

		m->fd = bpf_map_get_fd_by_id(ids[i]);
		if (m->fd < 0)
			return err_sys(why, "cannot hold a table of a program");
		out->len++;
		if (bpf_obj_get_info_by_fd(m->fd, &info, &info_len))
			return err_sys(why, "cannot read what a table is");
		m->id = ids[i];
		memcpy(m->name, info.name, sizeof m->name);
	}
	return 0;
}

/* The kernel keeps the beginning of a name. */
static const struct held_map *map_named(const struct held_maps *h, const char *name)
{
	for (size_t i = 0; i < h->len; i++)
		if (h->at[i].name[0] && !strncmp(h->at[i].name, name, sizeof h->at[i].name - 1))
			return &h->at[i];
	return NULL;
}

static int object_take_maps(struct bpf_object *o, const struct held_maps *from, struct err *why)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, o) {
		const struct held_map *held = map_named(from, bpf_map__name(m));

		if (held && bpf_map__reuse_fd(m, held->fd))
			return err_sys(why, "cannot use the table %s for two hooks", bpf_map__name(m));
	}
	return 0;
}

/* A table of the program's own would be an empty one. */
static int has_no_others(int program, const struct held_maps *known, struct err *why)
{
	own(held_maps) struct held_maps has = { 0 };
	int rc = maps_of(&has, program, why);

	for (size_t i = 0; !rc && i < has.len; i++) {
		const struct held_map *m = map_named(known, has.at[i].name);
		if (!m || m->id != has.at[i].id)
			return err_set(why, EPROTO, "the two programs do not have the table %s in common", has.at[i].name);
	}
	return rc;
}

int tables_join(struct tables *t, const struct tables_load *load, struct err *why)
{
	const int other = t->program[load->hook == TEG_HOOK_XDP ? TEG_HOOK_TC : TEG_HOOK_XDP];
	own(held_maps) struct held_maps known = { 0 };
	own(opened) struct opened o = { 0 };
	int rc = maps_of(&known, other, why);

	if (!rc)
		rc = opened_open(&o, load, why);
	if (!rc)
		rc = object_take_maps(o.object, &known, why);
	if (!rc)
		rc = opened_load(&o, why);
	if (!rc)
		rc = has_no_others(bpf_program__fd(o.program), &known, why);
	if (rc)
		return rc;
	if (t->program[load->hook] >= 0)
		close(t->program[load->hook]);
	return tables_duplicate(&t->program[load->hook], bpf_program__fd(o.program), why);
}

/* ---- adopt ---------------------------------------------------------------------------- */

static int adopt_one(int *out, const struct held_maps *h, const char *name, struct err *why)
{
	const struct held_map *m = map_named(h, name);

	return m ? tables_duplicate(out, m->fd, why) : 0;
}

/* Of the program's constants the first: by what version of abi.h it reads and writes. */
static int version_holds(const struct held_maps *h, struct err *why)
{
	const struct held_map *m = map_named(h, TEG_CONFIG_SECTION);
	struct bpf_map_info is = { 0 };
	uint32_t len = sizeof is, zero = 0, version;

	if (!m || bpf_obj_get_info_by_fd(m->fd, &is, &len) || is.value_size < sizeof version)
		return err_set(why, EPROTO, "the program in the slot does not say its version: it is not ours");
	own(mem) void *constants = calloc(1, is.value_size);
	if (!constants)
		return err_set(why, ENOMEM, "no memory for a program's constants");
	if (bpf_map_lookup_elem(m->fd, &zero, constants))
		return err_sys(why, "cannot read a program's constants");
	memcpy(&version, constants, sizeof version);
	return version == TEG_ABI_VERSION ? 0 : err_set(why, ESTALE, "the program in the slot is of version %u, and this is %u",
							version, TEG_ABI_VERSION);
}

int tables_adopt(struct tables **out, enum teg_hook hook, int program, struct err *why)
{
	own(held_maps) struct held_maps has = { 0 };
	own(tables) struct tables *t = tables_new();

	if (!t)
		return err_set(why, ENOMEM, "no memory for a generation's tables");
	int rc = tables_duplicate(&t->program[hook], program, why);
	if (!rc)
		rc = maps_of(&has, program, why);
	if (!rc)
		rc = adopt_one(&t->zones, &has, "gen_zones", why);
	if (!rc)
		rc = adopt_one(&t->zones_far, &has, "gen_zones_far", why);
	if (!rc)
		rc = adopt_one(&t->clock, &has, TEG_CLOCK_SECTION, why);
	if (!rc)
		rc = adopt_one(&t->feeds, &has, "gen_feeds", why);
	if (!rc)
		rc = adopt_one(&t->feeding, &has, TEG_FEEDING_SECTION, why);
	if (!rc)
		rc = tables_look_at_feeds(t, why);
	if (rc)
		return rc;
	if (t->zones < 0 || t->zones_far < 0)
		return err_set(why, EPROTO, "the program in the slot has no tables of zones: it is not ours");
	rc = version_holds(&has, why);
	if (!rc)
		*out = take(t);
	return rc;
}

int tables_adopt_more(struct tables *t, enum teg_hook hook, int program, struct err *why)
{
	return tables_duplicate(&t->program[hook], program, why);
}
