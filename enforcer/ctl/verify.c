#include "enforcer/ctl/verify.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void verify_begin(struct verify *v, const char *head)
{
	*v = (struct verify){ .arena = arena_new(), .head = head, .head_seen = !*head };
}

void verify_free(struct verify *v)
{
	arena_free(v->arena);
}

static void fault(struct verify *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fault(struct verify *v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vec_push(v->arena, &v->faults, arena_vprintf(v->arena, format, args));
	va_end(args);
}

/* ---- a file ------------------------------------------------------------------------- */

static void see_head(struct verify *v, const struct chain *at)
{
	if (!v->head_seen && *at->hash)
		v->head_seen = !strcmp(v->head, arena_printf(v->arena, "%" PRIu64 "-%s", at->seq, at->hash));
}

/* Of an entry that says that files were removed; its digest holds. */
static void see_removed(struct verify *v, const char *line, size_t len)
{
	static const char member[] = ",\"removed_to\":";
	struct chain gone;
	cJSON *entry;

	if (!memmem(line, len, member, sizeof member - 1))
		return;
	entry = cJSON_ParseWithLength(line, len);
	const cJSON *to = cJSON_GetObjectItemCaseSensitive(entry, "removed_to"), *hash = cJSON_GetObjectItemCaseSensitive(entry, "removed_hash");
	if (cJSON_IsNumber(to) && cJSON_IsString(hash) && strlen(hash->valuestring) == DIGEST_HEX) {
		gone.seq = (uint64_t)to->valuedouble;
		memcpy(gone.hash, hash->valuestring, sizeof gone.hash);
		vec_push(v->arena, &v->removed, gone);
	}
	cJSON_Delete(entry);
}

/* A line; after one that does not hold, the chain begins anew with the next that does for itself. */
static bool read_line(struct verify *v, struct chain *at, const char *line, size_t len, struct err *why)
{
	struct err other;
	bool holds = !chain_follow(at, line, len, why);

	if (!holds && chain_before(at, line, len, &other)) {
		at->seq++;
		*at->hash = '\0';
		return false;
	}
	if (!holds)
		(void)chain_follow(at, line, len, &other);
	see_head(v, at);
	see_removed(v, line, len);
	return holds;
}

/* Where the chain stands before the first line, as the first that can be read tells. */
static bool read_begin(struct chain *before, const char *line, const char *end)
{
	struct err why;

	for (uint64_t skipped = 0; line < end; skipped++) {
		const char *next = memchr(line, '\n', (size_t)(end - line));

		if (!next)
			return false;
		if (!chain_before(before, line, (size_t)(next - line), &why)) {
			before->seq -= skipped < before->seq ? skipped : before->seq;
			if (skipped)
				*before->hash = '\0';
			return true;
		}
		line = next + 1;
	}
	return false;
}

void verify_file(struct verify *v, const char *name, const struct buf *text)
{
	const char *line = buf_text(text), *end = line + text->len, *next;
	struct verified file = { .name = arena_strdup(v->arena, name) };
	bool told = false;
	struct err why;

	if (!text->len)
		return;
	if (!read_begin(&file.before, line, end)) {
		fault(v, "%s: it is no audit log", name);
		return;
	}
	file.end = file.before;
	for (unsigned number = 1; line < end; line = next + 1, number++) {
		next = memchr(line, '\n', (size_t)(end - line));
		if (!next)
			fault(v, "%s: line %u has no end", name, number);
		if (!next)
			break;
		if (read_line(v, &file.end, line, (size_t)(next - line), &why) || told)
			continue;
		fault(v, "%s: line %u: %s", name, number, why.text);
		told = true;
	}
	vec_push(v->arena, &v->files, file);
}

/* ---- all of them ---------------------------------------------------------------------- */

static int by_entry(const void *a, const void *b)
{
	const struct verified *x = a, *y = b;

	return (x->before.seq > y->before.seq) - (x->before.seq < y->before.seq);
}

static bool same(const struct chain *a, const struct chain *b)
{
	return a->seq == b->seq && !strcmp(a->hash, b->hash);
}

static bool is_said(const struct verify *v, const struct chain *before)
{
	for (size_t i = 0; i < v->removed.len; i++)
		if (same(&v->removed.at[i], before))
			return true;
	return false;
}

static void check_oldest(struct verify *v, const struct verified *f)
{
	static const struct chain begin = CHAIN_BEGIN;

	if (!*f->before.hash)
		return;
	if (!f->before.seq && !same(&f->before, &begin))
		fault(v, "%s: entry 1 is not the beginning of a log", f->name);
	if (f->before.seq && !is_said(v, &f->before))
		fault(v, "entries 1 to %" PRIu64 " are missing, before %s, and no entry says that they were removed", f->before.seq, f->name);
}

static void check_between(struct verify *v, const struct verified *a, const struct verified *b)
{
	if (a->end.seq < b->before.seq)
		fault(v, "entries %" PRIu64 " to %" PRIu64 " are missing, between %s and %s", a->end.seq + 1, b->before.seq, a->name, b->name);
	else if (a->end.seq > b->before.seq)
		fault(v, "entry %" PRIu64 " is in %s and in %s", b->before.seq + 1, a->name, b->name);
	else if (*a->end.hash && *b->before.hash && !same(&a->end, &b->before))
		fault(v, "%s was not written after %s: their hashes differ", b->name, a->name);
}

static void check_head(struct verify *v)
{
	const struct chain last = verify_last(v), removed = verify_removed(v);

	see_head(v, &removed);
	if (v->head_seen || v->faults.len)
		return;
	if (strtoull(v->head, NULL, 10) <= removed.seq)
		fault(v, "%.40s… cannot be looked for: what comes until %" PRIu64 " was removed", v->head, removed.seq);
	else
		fault(v, "it was cut short or replaced: its end is %" PRIu64 "-%.12s…, and %.40s… is not in it", last.seq, last.hash, v->head);
}

void verify_end(struct verify *v)
{
	if (v->files.len) {
		qsort(v->files.at, v->files.len, sizeof *v->files.at, by_entry);
		check_oldest(v, &v->files.at[0]);
	}
	for (size_t i = 1; i < v->files.len; i++)
		check_between(v, &v->files.at[i - 1], &v->files.at[i]);
	check_head(v);
}

struct chain verify_last(const struct verify *v)
{
	return v->files.len ? v->files.at[v->files.len - 1].end : (struct chain)CHAIN_BEGIN;
}

struct chain verify_removed(const struct verify *v)
{
	return v->files.len ? v->files.at[0].before : (struct chain)CHAIN_BEGIN;
}
