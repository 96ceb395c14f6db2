#include "enforcer/warden/state/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lang/base/file.h"
#include "lang/base/own.h"
#include "lang/base/wire.h"
#include "lang/bundle/bundle.h"

#define STATE_VERSION	5u
#define STATE_ONE_HOOK	4u /* the version before: one program, no doubt */
#define STATE_BYTES_MAX 65536

static void put_deadline(struct buf *out, const struct deadline *d)
{
	wire_put_u64(out, d->until);
	wire_put_u64(out, d->boot_ms);
	wire_put_u64(out, d->length);
	wire_put_str(out, d->boot);
}

static void put_record(struct buf *out, const struct record *r)
{
	wire_put_u64(out, r->number);
	wire_put_str(out, r->bundle.hex);
	wire_put_u8(out, (uint8_t)r->bank);
	wire_put_str(out, r->posture);
	wire_put_str(out, r->reason);
	wire_put_u64(out, r->since);
	put_deadline(out, &r->until);
	wire_put_str(out, r->back);
	for (int hook = 0; hook < TEG_HOOKS; hook++)
		wire_put_u32(out, r->program[hook]);
	wire_put_str(out, r->tables.hex);
	put_deadline(out, &r->confirm);
	wire_put_u32(out, r->tests_run);
	wire_put_u32(out, r->tests_left);
	wire_put_str(out, r->doubt);
}

static bool get_deadline(struct wire_in *in, struct deadline *d)
{
	d->until = wire_get_u64(in);
	d->boot_ms = wire_get_u64(in);
	d->length = wire_get_u64(in);
	return wire_get_text(in, d->boot, DEADLINE_BOOT_MAX);
}

static bool get_record(struct wire_in *in, uint32_t version, struct record *r)
{
	const int hooks = version == STATE_ONE_HOOK ? 1 : TEG_HOOKS;
	bool holds;

	r->number = wire_get_u64(in);
	holds = wire_get_text(in, r->bundle.hex, DIGEST_HEX);
	r->bank = (char)wire_get_u8(in);
	holds = holds && wire_get_text(in, r->posture, STATE_POSTURE_MAX) && wire_get_text(in, r->reason, STATE_REASON_MAX);
	r->since = wire_get_u64(in);
	holds = holds && get_deadline(in, &r->until) && wire_get_text(in, r->back, STATE_POSTURE_MAX);
	for (int hook = 0; hook < hooks; hook++)
		r->program[hook] = wire_get_u32(in);
	holds = holds && wire_get_text(in, r->tables.hex, DIGEST_HEX) && get_deadline(in, &r->confirm);
	r->tests_run = wire_get_u32(in);
	r->tests_left = wire_get_u32(in);
	holds = holds && (version == STATE_ONE_HOOK || wire_get_text(in, r->doubt, STATE_DOUBT_MAX));
	return holds && (!r->number || ((r->bank == 'a' || r->bank == 'b') && strlen(r->bundle.hex) == DIGEST_HEX));
}

static void path_of(char out[static PATH_MAX], const char *dir, const char *name)
{
	snprintf(out, PATH_MAX, "%s/%s", dir, name);
}

int state_load(struct state *out, const char *dir, struct err *why)
{
	own(buf) struct buf bytes = { 0 };
	struct state s = { 0 };
	char path[PATH_MAX], said[DIGEST_HEX + 1];

	path_of(path, dir, "state");
	int rc = file_read(&bytes, path, STATE_BYTES_MAX, why);
	if (rc)
		return rc;
	struct wire_in in = { (const uint8_t *)bytes.at, bytes.len, false };
	const uint32_t version = wire_get_u32(&in);
	if (version != STATE_VERSION && version != STATE_ONE_HOOK)
		return err_set(why, EBADMSG, "the journal %s is damaged, or of version %u; this tegd reads %u and %u", path, version,
			       STATE_ONE_HOOK, STATE_VERSION);
	s.committing = wire_get_u8(&in) == 1;
	bool holds = get_record(&in, version, &s.now) && get_record(&in, version, &s.next) && get_record(&in, version, &s.before);
	struct digest is = digest_of(bytes.at, bytes.len - in.left);
	holds = holds && wire_get_text(&in, said, DIGEST_HEX) && !strcmp(said, is.hex) && wire_done(&in);
	if (!holds)
		return err_set(why, EBADMSG, "the journal %s is damaged", path);
	*out = s;
	return 0;
}

int state_save(struct state *s, const char *dir, struct err *why)
{
	own(buf) struct buf bytes = { 0 };
	char path[PATH_MAX];

	wire_put_u32(&bytes, STATE_VERSION);
	wire_put_u8(&bytes, s->committing);
	put_record(&bytes, &s->now);
	put_record(&bytes, &s->next);
	put_record(&bytes, &s->before);
	struct digest is = digest_of(bytes.at, bytes.len);
	wire_put_str(&bytes, is.hex);
	path_of(path, dir, "state");
	s->unsaved = file_replace(path, bytes.at, bytes.len, 0600, why);
	return s->unsaved ? err_in(why, "cannot write the journal") : 0;
}

void state_note(struct state *s, const char *dir)
{
	struct err ignored;

	state_save(s, dir, &ignored);
}

void state_advance(struct state *s, const struct record *is)
{
	if (is->number != s->now.number)
		s->before = deadline_is_set(&is->confirm) ? s->now : (struct record){ 0 };
	s->now = *is;
	s->committing = false;
}

/* ---- bundles -------------------------------------------------------------------- */

static void bundle_path(char out[static PATH_MAX], const char *dir, const struct digest *id)
{
	snprintf(out, PATH_MAX, "%s/bundles/%s.tegb", dir, id->hex);
}

int state_keep_bundle(const char *dir, const struct digest *id, const void *bytes, size_t len, struct err *why)
{
	char path[PATH_MAX];
	own(buf) struct buf kept = { 0 };
	struct err ignored;

	path_of(path, dir, "bundles");
	if (mkdir(path, 0700) && errno != EEXIST)
		return err_sys(why, "cannot make %s", path);
	bundle_path(path, dir, id);
	/* Named by its content, but for the signature. */
	if (!file_read(&kept, path, len, &ignored) && kept.len == len && !memcmp(kept.at, bytes, len))
		return 0;
	if (file_replace(path, bytes, len, 0600, why))
		return err_in(why, "cannot keep the bundle");
	return 0;
}

int state_read_bundle(struct buf *out, const char *dir, const struct digest *id, struct err *why)
{
	char path[PATH_MAX];

	bundle_path(path, dir, id);
	return file_read(out, path, BUNDLE_BYTES_MAX, why);
}

int state_open_bundle(int *fd, const char *dir, const struct digest *id, struct err *why)
{
	char path[PATH_MAX];

	bundle_path(path, dir, id);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? err_sys(why, "cannot open %s", path) : 0;
}

static bool names(const struct record *r, const char *file)
{
	return r->number && !strncmp(file, r->bundle.hex, DIGEST_HEX);
}

static bool is_named(const struct state *s, const struct digest *more, size_t n, const char *file)
{
	if (names(&s->now, file) || (s->committing && names(&s->next, file)) || names(&s->before, file))
		return true;
	for (size_t i = 0; i < n; i++)
		if (!strncmp(file, more[i].hex, DIGEST_HEX))
			return true;
	return false;
}

void state_collect_bundles(const struct state *s, const struct digest *more, size_t n, const char *dir)
{
	char path[PATH_MAX];
	const struct dirent *e;

	path_of(path, dir, "bundles");
	DIR *d = opendir(path);
	if (!d)
		return;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && !is_named(s, more, n, e->d_name))
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
}
