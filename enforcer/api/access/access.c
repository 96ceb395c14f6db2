#include "enforcer/api/access/access.h"

#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "enforcer/api/access/roster.h"

const char *access_name(enum access a)
{
	switch (a) {
	case ACCESS_ANYONE:
		return "anyone";
	case ACCESS_VIEWER:
		return "viewer";
	case ACCESS_OPERATOR:
		return "operator";
	case ACCESS_POLICY_ADMIN:
		return "policy-admin";
	}
	return "?";
}

bool access_parse(enum access *out, const char *name)
{
	for (enum access a = ACCESS_VIEWER; a <= ACCESS_POLICY_ADMIN; a++)
		if (!strcmp(name, access_name(a))) {
			*out = a;
			return true;
		}
	return false;
}

static void caller_is(struct caller *out, enum access may, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void caller_is(struct caller *out, enum access may, const char *format, ...)
{
	va_list args;

	out->may = may;
	out->known = true;
	va_start(args, format);
	vsnprintf(out->name, sizeof out->name, format, args);
	va_end(args);
}

static void caller_is_nobody(struct caller *out)
{
	caller_is(out, ACCESS_ANYONE, "nobody");
	out->known = false;
}

/* ---- the Unix socket ------------------------------------------------------------------- */

#define GROUPS_MAX 1024

struct peer {
	struct ucred is;
	gid_t groups[GROUPS_MAX];
	size_t group_count;
};

static bool peer_read(struct peer *p, int fd)
{
	socklen_t len = sizeof p->is;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &p->is, &len))
		return false;
	len = sizeof p->groups;
	p->group_count = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, p->groups, &len) ? 0 : len / sizeof *p->groups;
	return true;
}

static bool peer_is_in(const struct peer *p, gid_t wanted)
{
	if (wanted == (gid_t)-1)
		return false;
	if (p->is.gid == wanted)
		return true;
	for (size_t i = 0; i < p->group_count; i++)
		if (p->groups[i] == wanted)
			return true;
	return false;
}

/* The highest role that the roster gives; ANYONE when it does not know the peer. */
static enum access listed_role(const struct peer *p, const struct roster *r)
{
	enum access most = ACCESS_ANYONE;

	for (size_t i = 0; i < r->peers.len; i++) {
		const struct roster_peer *row = &r->peers.at[i];
		const bool is = row->is_group ? peer_is_in(p, row->id) : p->is.uid == row->id;

		if (is && row->role > most)
			most = row->role;
	}
	return most;
}

void access_of_peer(struct caller *out, int fd, gid_t socket_group, const struct roster *r)
{
	struct peer p;
	enum access may;

	caller_is_nobody(out);
	if (!peer_read(&p, fd))
		return;
	may = listed_role(&p, r);
	if (p.is.uid == 0)
		caller_is(out, ACCESS_POLICY_ADMIN, "root");
	else if (may > ACCESS_ANYONE || !peer_is_in(&p, socket_group))
		caller_is(out, may, "uid %u", p.is.uid);
	else
		caller_is(out, r->socket_role, "uid %u", p.is.uid);
}

/* ---- tokens ------------------------------------------------------------------------------- */

/* Digests have one length, so that comparing them tells nothing of the token's either. */
void access_of_token(struct caller *out, const char *authorization, const struct roster *r)
{
	static const char scheme[] = "Bearer ";
	const struct roster_token *found = NULL;
	unsigned char shown[ROSTER_DIGEST];

	caller_is_nobody(out);
	if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1))
		return;
	authorization += sizeof scheme - 1;
	crypto_hash_sha256(shown, (const unsigned char *)authorization, strlen(authorization));
	for (size_t i = 0; i < r->tokens.len; i++)
		if (!sodium_memcmp(shown, r->tokens.at[i].digest, sizeof shown))
			found = &r->tokens.at[i];
	if (found)
		caller_is(out, found->role, "token %s", found->name);
}

void access_of_both(struct caller *token, const struct caller *certificate)
{
	const size_t len = strlen(token->name);

	if (certificate->may < token->may)
		token->may = certificate->may;
	snprintf(token->name + len, sizeof token->name - len, ", %s", certificate->name);
}

gid_t access_socket_group(int listen_fd)
{
	struct sockaddr_un name = { 0 };
	socklen_t len = sizeof name - 1; /* leaves a NUL */
	struct stat st;

	if (getsockname(listen_fd, (struct sockaddr *)&name, &len) || name.sun_family != AF_UNIX ||
	    !*name.sun_path || stat(name.sun_path, &st))
		return (gid_t)-1;
	return st.st_gid;
}
