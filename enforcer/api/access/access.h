/*
 * access - who asks, and what they may.
 *
 * Each role holds those before it; a route's row names the least that it needs. Over TCP a
 * token says who asks, or a certificate (certs.h), or both: then they may what both may. On the
 * Unix socket the kernel does:
 *
 *     root                                policy-admin
 *     a user or group that settings name  the highest role that they give
 *     else the socket's group             the setting socket-role
 *     else                                anyone
 */
#ifndef TEG_API_ACCESS_ACCESS_H
#define TEG_API_ACCESS_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

enum access {
	ACCESS_ANYONE,	    /* is it alive? */
	ACCESS_VIEWER,	    /* read */
	ACCESS_OPERATOR,    /* switch postures, block sources */
	ACCESS_POLICY_ADMIN /* replace the policy */
};

struct roster;

struct caller {
	enum access may;
	bool known;	/* some token, certificate, user or group; may it little or much */
	char name[232]; /* "root", "uid 1004", "token grafana", "cert dns a.example.net [0123456789abcdef]", "nobody" */
};

const char *access_name(enum access a);
bool access_parse(enum access *out, const char *name); /* viewer, operator or policy-admin */

/* The process at the other end of a Unix socket. */
void access_of_peer(struct caller *out, int fd, gid_t socket_group, const struct roster *r);

/*
 * One who sent this Authorization header (NULL: none). Every token of the roster is looked at,
 * each in constant time, so that the time taken tells neither how far one matched nor which did.
 */
void access_of_token(struct caller *out, const char *authorization, const struct roster *r);

/* A token that is known, and the certificate that was shown beside it: the lesser of both. */
void access_of_both(struct caller *token, const struct caller *certificate);

/* The group of the path that a listening Unix socket is bound to; -1 when it has none. */
gid_t access_socket_group(int listen_fd);

#endif
