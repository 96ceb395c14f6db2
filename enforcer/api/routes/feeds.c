/*
 * feeds - what is on the policy's feeds: how much it is, another content, none.
 *
 * A text is read here, in the process without privileges, as the feed's format says; the warden is given addresses alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/api/feed_text.h"
#include "enforcer/api/http/request.h"
#include "lang/base/file.h"
#include "lang/bundle/feed_pack.h"

static const char *format_text(struct arena *a, const struct feed_row *f)
{
	const char *name = feed_format_name(f->format);

	if (*f->member)
		return arena_printf(a, "%s %s", name, f->member);
	return f->column ? arena_printf(a, "%s column %u", name, f->column) : name;
}

static cJSON *feed_json(struct arena *a, const struct feed_row *f)
{
	cJSON *one = cJSON_CreateObject();

	json_add_text(one, "name", f->name);
	json_add_text(one, "format", format_text(a, f));
	json_add_count(one, "max", f->most);
	json_add_count(one, "entries", f->entries);
	json_add_count(one, "prefixes", f->prefixes);
	if (*f->digest)
		json_add_text(one, "sha256", f->digest);
	else
		cJSON_AddNullToObject(one, "sha256");
	json_add_time(one, "loaded", f->loaded);
	json_add_count(one, "stale_after_seconds", f->stale_s);
	json_add_text(one, "when_stale", f->stale_keeps ? "keep" : "clear");
	cJSON_AddBoolToObject(one, "stale", f->stale);
	cJSON_AddBoolToObject(one, "in_force", f->in_force);
	return one;
}

static void feeds_told(struct request *r, struct answer *a)
{
	cJSON *body = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(body, "feeds");

	for (uint32_t i = 0; i < a->feeds.row_count; i++)
		cJSON_AddItemToArray(list, feed_json(request_arena(r), &a->feeds.rows[i]));
	request_reply(r, MHD_HTTP_OK, body);
}

void route_feeds(struct request *r)
{
	request_ask(r, &(struct question){ .kind = MESSAGE_ASK_FEEDS, .fd = -1 }, feeds_told);
}

/* ---- another content ------------------------------------------------------------------- */

static const struct feed_row *feed_find(const struct feeds_told *f, const char *name)
{
	for (uint32_t i = 0; i < f->row_count; i++)
		if (!strcmp(f->rows[i].name, name))
			return &f->rows[i];
	return NULL;
}

/* In a sealed file, as a bundle is given. */
static int sealed(const struct buf *bytes, struct err *why)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	own(fd) int fd = memfd_create("feed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	for (size_t at = 0; fd >= 0 && at < bytes->len;) {
		const ssize_t wrote = write(fd, bytes->at + at, bytes->len - at);

		if (wrote < 0 && errno != EINTR)
			return err_sys(why, "there is no room for the feed");
		at += wrote < 0 ? 0 : (size_t)wrote;
	}
	if (fd < 0 || fcntl(fd, F_ADD_SEALS, seals)) {
		err_sys(why, "there is no room for the feed");
		return -1;
	}
	return take_fd(fd);
}

static void give(struct request *r, const char *name, uint32_t entries, const struct buf *packed, bool clears)
{
	own(buf) struct buf payload = { 0 };
	struct err why = { 0 };
	own(fd) int fd = sealed(packed, &why);

	if (fd < 0) {
		request_refuse(r, PROBLEM_BUSY, NULL, NULL, "%s", why.text);
		return;
	}
	feed_given_encode(&payload, &(struct feed_given){ name, entries, clears, request_asker(r) });
	request_change(r, &(struct question){ MESSAGE_FEED, buf_text(&payload), payload.len, fd });
}

static const char *cure_of_nothing(struct arena *a, const char *name)
{
	return arena_printf(a, "what was on the feed stays; `tegctl feed clear %s` says that nothing is on it", name);
}

/* Now its format is known. */
static void feed_known(struct request *r, struct answer *a)
{
	static const char cure[] = "mend the text, or the feed's format in the policy";
	const char *name = request_header(r, "Feed");
	const struct feed_row *f = feed_find(&a->feeds, name);
	own(buf) struct buf text = { 0 }, packed = { 0 };
	struct err why = { 0 };
	uint32_t entries;

	if (!f) {
		request_refuse(r, PROBLEM_REFUSED, "Feed", "`tegctl feed` lists those that there are", "the policy has no feed %.128s", name);
		return;
	}
	const struct feed_text how = { f->format, f->member, f->column, f->most, (uint64_t)time(NULL) };
	int rc = file_read_fd(&text, request_bundle(r), FEED_TEXT_BYTES_MAX, &why);
	if (!rc)
		rc = feed_text_read(&packed, &entries, &how, (char *)(uintptr_t)buf_text(&text), text.len, &why);
	if (rc)
		request_refuse(r, PROBLEM_REFUSED, NULL, rc == -ENODATA ? cure_of_nothing(request_arena(r), name) : cure, "%s", why.text);
	else
		give(r, name, entries, &packed, false);
}

void route_feed(struct request *r)
{
	if (request_header(r, "Feed"))
		request_ask(r, &(struct question){ .kind = MESSAGE_ASK_FEEDS, .fd = -1 }, feed_known);
	else
		request_refuse(r, PROBLEM_FIELD, "Feed", NULL, "Feed: the head must say which feed");
}

struct clear_asked {
	const char *name;
};

const struct json_field feed_clear_fields[] = {
	{ "name", JSON_TEXT, .required = true, .at = offsetof(struct clear_asked, name), .least = 1, .most = 128, .about = "of the feed" },
	{ 0 }
};

void route_feed_clear(struct request *r)
{
	static const struct netset nobody;
	struct clear_asked asked = { .name = "" };
	own(buf) struct buf packed = { 0 };

	if (!request_read(r, &asked))
		return;
	feed_pack(&packed, request_arena(r), &nobody);
	give(r, asked.name, 0, &packed, true);
}
