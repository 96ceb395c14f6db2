#include "enforcer/api/compare.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "enforcer/api/json.h"
#include "enforcer/api/lines.h"
#include "lang/base/strmap.h"

#define TEXT_MOST ((size_t)256 << 10) /* of the difference, in the answer */

void view_own_(struct view *v)
{
	if (v->at)
		munmap(v->at, v->len);
}

bool view_file(struct view *out, int fd)
{
	const off_t len = lseek(fd, 0, SEEK_END);
	void *at = len > 0 ? mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;

	if (at == MAP_FAILED)
		return false;
	*out = (struct view){ at, (size_t)len };
	return true;
}

/* ---- a side of the comparison --------------------------------------------------------- */

void side_own_(struct side *s)
{
	bundle_free(s->bundle);
}

int side_read(struct side *out, struct arena *a, const struct view *v, struct err *why)
{
	const struct bundle_member *plan, *text;
	int rc = bundle_open(&out->bundle, v->at, v->len, why);

	if (rc)
		return rc;
	plan = bundle_find(out->bundle, "plan");
	text = bundle_find(out->bundle, "policy/resolved.teg");
	if (!plan || !text)
		return err_set(why, EINVAL, "the bundle has no %s", plan ? "policy/resolved.teg" : "plan");
	out->text = arena_strndup(a, text->bytes, text->len);
	return plan_decode(&out->plan, a, plan->bytes, plan->len, why);
}

/* ---- what differs ------------------------------------------------------------------------ */

/* Names in `in` that `out_of` has not. */
static void add_missing(cJSON *to, const char *name, struct arena *a, const char *const *in, size_t in_len,
			const char *const *out_of, size_t out_of_len)
{
	cJSON *list = cJSON_AddArrayToObject(to, name);
	struct strmap has;

	strmap_init(&has, a);
	for (size_t i = 0; i < out_of_len; i++)
		strmap_put(&has, out_of[i], (void *)(uintptr_t)out_of[i]);
	for (size_t i = 0; i < in_len; i++)
		if (!strmap_find(&has, in[i]))
			cJSON_AddItemToArray(list, cJSON_CreateString(in[i]));
}

static const char **rule_ids(struct arena *a, const struct plan *p)
{
	const char **ids = arena_zero(a, (p->counter_count + 1) * sizeof *ids);

	for (uint32_t i = 0; i < p->counter_count; i++)
		ids[i] = p->counters[i].id;
	return ids;
}

static const char **posture_names(struct arena *a, const struct plan *p)
{
	const char **names = arena_zero(a, (p->posture_count + 1) * sizeof *names);

	for (uint32_t i = 0; i < p->posture_count; i++)
		names[i] = p->postures[i].name;
	return names;
}

bool compare_same(const struct side *was, const struct side *is)
{
	return was->bundle && is->bundle && !strcmp(bundle_id(was->bundle)->hex, bundle_id(is->bundle)->hex);
}

static void add_names(cJSON *to, struct arena *a, const struct plan *was, const struct plan *is)
{
	const char **old_rules = rule_ids(a, was), **new_rules = rule_ids(a, is);
	const char **old_postures = posture_names(a, was), **new_postures = posture_names(a, is);

	add_missing(to, "rules_added", a, new_rules, is->counter_count, old_rules, was->counter_count);
	add_missing(to, "rules_removed", a, old_rules, was->counter_count, new_rules, is->counter_count);
	add_missing(to, "postures_added", a, new_postures, is->posture_count, old_postures, was->posture_count);
	add_missing(to, "postures_removed", a, old_postures, was->posture_count, new_postures, is->posture_count);
}

static void add_text(cJSON *to, const char *was, const char *is)
{
	own(buf) struct buf diff = { 0 };
	const bool told = lines_diff(&diff, was, is) && diff.len <= TEXT_MOST;

	json_add_text(to, "text", told ? buf_text(&diff) : "");
	cJSON_AddBoolToObject(to, "text_complete", told);
}

void compare_add(cJSON *to, struct arena *a, const struct side *was, const struct side *is)
{
	add_names(to, a, &was->plan, &is->plan);
	add_text(to, was->text ? was->text : "", is->text ? is->text : "");
}
