#include "enforcer/api/access/roster.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <sodium.h>
#include <string.h>

#include "enforcer/proc/private.h"
#include "lang/base/file.h"

#define FILE_BYTES_MAX ((size_t)256 << 10)

struct roster *roster_new(void)
{
	struct roster *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->arena = arena_new();
	r->socket_role = ACCESS_POLICY_ADMIN;
	return r;
}

void roster_free(struct roster *r)
{
	if (!r)
		return;
	arena_free(r->arena);
	free(r);
}

/* ---- tokens ----------------------------------------------------------------------- */

_Static_assert(ROSTER_DIGEST == crypto_hash_sha256_BYTES, "a digest is SHA-256");

void roster_add_token(struct roster *r, const char *name, enum access role, const char *token)
{
	struct roster_token t = { .name = arena_strdup(r->arena, name), .role = role };

	crypto_hash_sha256(t.digest, (const unsigned char *)token, strlen(token));
	vec_push(r->arena, &r->tokens, t);
}

static bool is_name(const char *text)
{
	const char *c = text;

	while (isalnum((unsigned char)*c) || (*c && strchr("._-@", *c)))
		c++;
	return c > text && !*c && c - text <= ROSTER_NAME_MAX;
}

static int read_role(enum access *out, const char *text, struct err *why)
{
	if (access_parse(out, text))
		return 0;
	return err_set(why, EINVAL, "`%.40s` is no role; there are viewer, operator and policy-admin", text);
}

static int read_digest(unsigned char out[static ROSTER_DIGEST], const char *hex, struct err *why)
{
	size_t len;

	if (strlen(hex) != 2 * ROSTER_DIGEST ||
	    sodium_hex2bin(out, ROSTER_DIGEST, hex, 2 * ROSTER_DIGEST, NULL, &len, NULL) || len != ROSTER_DIGEST)
		return err_set(why, EINVAL, "a token's digest is 64 hexadecimal digits; `tegctl token` makes the line");
	return 0;
}

static int read_line(struct roster *r, char *line, struct err *why)
{
	static const char blank[] = " \t\r";
	struct roster_token t = { 0 };
	char *rest, *word[4];
	int rc;

	for (size_t i = 0; i < 4; i++)
		word[i] = strtok_r(i ? NULL : line, blank, &rest);
	if (!word[0] || *word[0] == '#')
		return 0;
	if (!word[2] || word[3])
		return err_set(why, EINVAL, "a line is `NAME ROLE DIGEST`");
	if (!is_name(word[0]))
		return err_set(why, EINVAL, "a name has 1 to %d letters, digits and `.`, `_`, `-`, `@`", ROSTER_NAME_MAX);
	for (size_t i = 0; i < r->tokens.len; i++)
		if (!strcmp(r->tokens.at[i].name, word[0]))
			return err_set(why, EINVAL, "`%s` stands twice", word[0]);
	rc = read_role(&t.role, word[1], why);
	if (!rc)
		rc = read_digest(t.digest, word[2], why);
	if (rc)
		return rc;
	t.name = arena_strdup(r->arena, word[0]);
	vec_push(r->arena, &r->tokens, t);
	return 0;
}

int roster_read_tokens(struct roster *r, char *text, struct err *why)
{
	unsigned number = 0;

	for (char *at = text, *next; at; at = next) {
		int rc;

		next = strchr(at, '\n');
		if (next)
			*next++ = '\0';
		number++;
		rc = read_line(r, at, why);
		if (rc)
			return err_in(why, "line %u", number);
	}
	return 0;
}

/* What others can write, others can make themselves administrators in; what they can read tells them the names. */
static int read_private(struct buf *text, const char *path, struct err *why)
{
	own(fd) int fd = private_open("", path, why);
	int rc = fd < 0 ? fd : file_read_fd(text, fd, FILE_BYTES_MAX, why);

	if (!rc && memchr(buf_text(text), '\0', text->len))
		rc = err_set(why, EINVAL, "%s is not a text", path);
	return rc;
}

static int load_tokens(struct roster *r, const char *path, struct err *why)
{
	own(buf) struct buf text = { 0 };
	int rc = *path ? read_private(&text, path, why) : 0;

	if (!rc && text.at)
		rc = roster_read_tokens(r, text.at, why);
	return rc ? err_in(why, "tokens") : 0;
}

/* The file or the role alone makes certificates more than the door's key. */
static int load_certs(struct roster *r, const struct settings *s, struct err *why)
{
	own(buf) struct buf text = { 0 };
	int rc = *s->client_certs ? read_private(&text, s->client_certs, why) : 0;

	r->certs.judge = access_parse(&r->certs.others, s->client_cert_role) || *s->client_certs;
	if (!rc && text.at)
		rc = certs_read(&r->certs, r->arena, text.at, why);
	return rc ? err_in(why, "client-certs") : 0;
}

/* The one token of token-file; its text is not kept. */
static int load_token(struct roster *r, const struct settings *settings, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct settings s = *settings;
	int rc = settings_read_token(&s, a, why);

	if (rc || !*s.token)
		return rc;
	roster_add_token(r, "token-file", ACCESS_POLICY_ADMIN, s.token);
	explicit_bzero((char *)(uintptr_t)s.token, strlen(s.token));
	return 0;
}

/* ---- peers -------------------------------------------------------------------------- */

static bool find_user(const char *name, id_t *out)
{
	struct passwd who, *found;
	char room[4096];

	if (getpwnam_r(name, &who, room, sizeof room, &found) || !found)
		return false;
	*out = found->pw_uid;
	return true;
}

static bool find_group(const char *name, id_t *out)
{
	struct group who, *found;
	char room[16384];

	if (getgrnam_r(name, &who, room, sizeof room, &found) || !found)
		return false;
	*out = found->gr_gid;
	return true;
}

/* UINT_MAX is the kernel's "nobody in particular". */
static bool read_number(const char *text, id_t *out)
{
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)*text) || strlen(text) > 10)
		return false;
	n = strtoul(text, &end, 10);
	*out = (id_t)n;
	return !*end && n < UINT_MAX;
}

static int add_peer(struct roster *r, enum access role, const char *word, struct err *why)
{
	struct roster_peer p = { .is_group = *word == '@', .role = role };
	const char *name = word + p.is_group;

	if (!read_number(name, &p.id) && !(p.is_group ? find_group(name, &p.id) : find_user(name, &p.id)))
		return err_set(why, ENOENT, "there is no %s `%.64s` here", p.is_group ? "group" : "user", name);
	vec_push(r->arena, &r->peers, p);
	return 0;
}

int roster_add_peers(struct roster *r, enum access role, const char *list, struct err *why)
{
	char *rest, *words = arena_strdup(r->arena, list);
	int rc = 0;

	for (char *w = strtok_r(words, ", \t", &rest); !rc && w; w = strtok_r(NULL, ", \t", &rest))
		rc = add_peer(r, role, w, why);
	return rc ? err_in(why, "%ss", access_name(role)) : 0;
}

/* ---- all of it -------------------------------------------------------------------------- */

int roster_load(struct roster **out, const struct settings *s, struct err *why)
{
	own(roster) struct roster *r = roster_new();
	int rc;

	if (!r || sodium_init() < 0)
		return err_set(why, ENOMEM, "cannot begin");
	rc = read_role(&r->socket_role, s->socket_role, why);
	if (rc)
		return err_in(why, "socket-role");
	rc = load_token(r, s, why);
	if (!rc)
		rc = load_tokens(r, s->tokens, why);
	if (!rc)
		rc = load_certs(r, s, why);
	if (!rc)
		rc = roster_add_peers(r, ACCESS_VIEWER, s->viewers, why);
	if (!rc)
		rc = roster_add_peers(r, ACCESS_OPERATOR, s->operators, why);
	if (!rc)
		rc = roster_add_peers(r, ACCESS_POLICY_ADMIN, s->policy_admins, why);
	if (!rc)
		*out = take(r);
	return rc;
}
