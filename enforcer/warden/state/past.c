#include "enforcer/warden/state/past.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lang/base/file.h"
#include "lang/base/own.h"
#include "lang/base/wire.h"

#define PAST_VERSION   1u
#define PAST_BYTES_MAX ((size_t)1 << 20)

static const char *const how_names[HOW_COUNT] = {
	[HOW_APPLY] = "apply", [HOW_ROLLBACK] = "rollback", [HOW_REVERT] = "revert",
};
static const char *const end_names[END_COUNT] = {
	[END_BEGUN] = "begun",	       [END_DONE] = "done",	      [END_PENDING] = "pending",
	[END_CONFIRMED] = "confirmed", [END_CANCELLED] = "cancelled", [END_NOT_CONFIRMED] = "not-confirmed",
};

/* ---- the file ---------------------------------------------------------------------- */

static void put_entry(struct buf *out, const struct entry *e)
{
	wire_put_u64(out, e->number);
	wire_put_u64(out, e->serial);
	wire_put_u64(out, e->at);
	wire_put_u64(out, e->of);
	wire_put_str(out, e->bundle.hex);
	wire_put_u8(out, (uint8_t)e->how);
	wire_put_u8(out, (uint8_t)e->end);
	wire_put_str(out, e->policy);
	wire_put_str(out, e->version);
	wire_put_str(out, e->who);
	wire_put_str(out, e->from);
}

static bool get_entry(struct wire_in *in, struct entry *e)
{
	e->number = wire_get_u64(in);
	e->serial = wire_get_u64(in);
	e->at = wire_get_u64(in);
	e->of = wire_get_u64(in);
	bool holds = wire_get_text(in, e->bundle.hex, DIGEST_HEX) && strlen(e->bundle.hex) == DIGEST_HEX;
	e->how = (enum past_how)wire_get_u8(in);
	e->end = (enum past_end)wire_get_u8(in);
	holds = holds && e->how < HOW_COUNT && e->end < END_COUNT;
	holds = holds && wire_get_text(in, e->policy, PAST_TEXT) && wire_get_text(in, e->version, PAST_TEXT);
	return holds && wire_get_text(in, e->who, PAST_TEXT) && wire_get_text(in, e->from, PAST_TEXT);
}

static bool get_all(struct wire_in *in, struct past *p, const struct buf *bytes)
{
	char said[DIGEST_HEX + 1];
	bool holds = wire_get_u32(in) == PAST_VERSION;
	const uint32_t n = wire_get_u32(in);

	holds = holds && n <= PAST_MOST + 1;
	for (p->len = 0; holds && p->len < n; p->len++)
		holds = get_entry(in, &p->at[p->len]);
	const struct digest is = digest_of(bytes->at, bytes->len - in->left);
	return holds && wire_get_text(in, said, DIGEST_HEX) && !strcmp(said, is.hex) && wire_done(in);
}

int past_load(struct past *out, const char *dir, struct err *why)
{
	own(buf) struct buf bytes = { 0 };
	char path[PATH_MAX];

	*out = (struct past){ 0 };
	snprintf(path, sizeof path, "%s/history", dir);
	int rc = file_read(&bytes, path, PAST_BYTES_MAX, why);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	struct wire_in in = { (const uint8_t *)bytes.at, bytes.len, false };
	if (get_all(&in, out, &bytes))
		return 0;
	*out = (struct past){ 0 };
	return err_set(why, EBADMSG, "the history %s is damaged, or of another version", path);
}

int past_save(struct past *p, const char *dir, struct err *why)
{
	own(buf) struct buf bytes = { 0 };
	char path[PATH_MAX];

	wire_put_u32(&bytes, PAST_VERSION);
	wire_put_u32(&bytes, (uint32_t)p->len);
	for (size_t i = 0; i < p->len; i++)
		put_entry(&bytes, &p->at[i]);
	const struct digest is = digest_of(bytes.at, bytes.len);
	wire_put_str(&bytes, is.hex);
	snprintf(path, sizeof path, "%s/history", dir);
	p->unsaved = file_replace(path, bytes.at, bytes.len, 0600, why);
	return p->unsaved ? err_in(why, "cannot write the history") : 0;
}

/* ---- entries ------------------------------------------------------------------------- */

static void forget_oldest(struct past *p)
{
	memmove(&p->at[0], &p->at[1], --p->len * sizeof p->at[0]);
}

void past_enter(struct past *p, const struct entry *e)
{
	while (p->len > PAST_MOST)
		forget_oldest(p);
	p->at[p->len] = *e;
	p->at[p->len++].end = END_BEGUN;
	p->unsaved = true;
}

int past_begin(struct past *p, const struct entry *e, const char *dir, struct err *why)
{
	past_enter(p, e);
	int rc = past_save(p, dir, why);
	if (rc)
		past_drop(p);
	return rc;
}

void past_drop(struct past *p)
{
	if (p->len)
		p->len--;
}

void past_finish(struct past *p, enum past_end end)
{
	if (p->len)
		p->at[p->len - 1].end = end;
	while (p->len > PAST_MOST)
		forget_oldest(p);
}

void past_end(struct past *p, uint64_t number, enum past_end end)
{
	for (size_t i = 0; i < p->len; i++)
		if (p->at[i].number == number)
			p->at[i].end = end;
}

void past_resolve(struct past *p, const struct state *s)
{
	while (p->len && p->at[p->len - 1].number > s->now.number)
		past_drop(p);
	if (p->len && p->at[p->len - 1].end == END_BEGUN)
		past_finish(p, deadline_is_set(&s->now.confirm) ? END_PENDING : END_DONE);
	for (size_t i = 0; i < p->len; i++)
		if (p->at[i].end == END_PENDING && p->at[i].number != s->now.number)
			p->at[i].end = END_NOT_CONFIRMED;
		else if (p->at[i].end == END_PENDING && !deadline_is_set(&s->now.confirm))
			p->at[i].end = END_CONFIRMED;
}

const struct entry *past_find(const struct past *p, uint64_t number)
{
	for (size_t i = p->len; i-- > 0;)
		if (p->at[i].number == number)
			return &p->at[i];
	return NULL;
}

const struct entry *past_other(const struct past *p, const struct digest *bundle)
{
	for (size_t i = p->len; i-- > 0;)
		if (strcmp(p->at[i].bundle.hex, bundle->hex))
			return &p->at[i];
	return NULL;
}

void past_collect(const struct past *p, const struct state *s, const char *dir)
{
	struct digest kept[PAST_MOST + 1];

	for (size_t i = 0; i < p->len; i++)
		kept[i] = p->at[i].bundle;
	state_collect_bundles(s, kept, p->len, dir);
}

void past_tell(struct history *out, const struct past *p, uint64_t now, struct arena *a)
{
	*out = (struct history){ arena_zero(a, (p->len + 1) * sizeof *out->rows), (uint32_t)p->len, now };
	for (size_t i = 0; i < p->len; i++) {
		const struct entry *e = &p->at[p->len - 1 - i];

		out->rows[i] = (struct history_row){
			e->number, e->bundle.hex, e->policy, e->version, e->serial, e->at, how_names[e->how], e->of,
			e->who, e->from, end_names[e->end],
		};
	}
}
