#include "enforcer/api/access.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

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

#define GROUPS_MAX 1024

static bool peer_is_in(int fd, gid_t main_group, gid_t wanted)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof groups;

	if (main_group == wanted)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len))
		return false;
	for (size_t i = 0; i < len / sizeof *groups; i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

enum access access_of_peer(int fd, gid_t socket_group)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return ACCESS_ANYONE;
	if (peer.uid == 0)
		return ACCESS_POLICY_ADMIN;
	if (socket_group != (gid_t)-1 && peer_is_in(fd, peer.gid, socket_group))
		return ACCESS_POLICY_ADMIN;
	return ACCESS_ANYONE;
}

/* Digests have one length, so that comparing them tells nothing of the token's either. */
static bool token_is(const char *shown, const char *token)
{
	unsigned char a[crypto_generichash_BYTES], b[crypto_generichash_BYTES];

	crypto_generichash(a, sizeof a, (const unsigned char *)shown, strlen(shown), NULL, 0);
	crypto_generichash(b, sizeof b, (const unsigned char *)token, strlen(token), NULL, 0);
	return !sodium_memcmp(a, b, sizeof a);
}

enum access access_of_token(const char *authorization, const char *token)
{
	static const char scheme[] = "Bearer ";

	if (!authorization || !*token || strncasecmp(authorization, scheme, sizeof scheme - 1))
		return ACCESS_ANYONE;
	return token_is(authorization + sizeof scheme - 1, token) ? ACCESS_POLICY_ADMIN : ACCESS_ANYONE;
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
