/*
 * access - who asks, and what they may.
 *
 * Each kind of access holds those before it. Whoever reaches the Unix socket and is root or in
 * the socket's group may do everything; over TCP whoever shows the token may. A route's row
 * names what it needs.
 */
#ifndef TEG_API_ACCESS_H
#define TEG_API_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

enum access {
	ACCESS_ANYONE,	    /* is it alive? */
	ACCESS_VIEWER,	    /* read */
	ACCESS_OPERATOR,    /* switch postures */
	ACCESS_POLICY_ADMIN /* replace the policy */
};

const char *access_name(enum access a);

/* What the process at the other end of a Unix socket may. */
enum access access_of_peer(int fd, gid_t socket_group);

/* What one who sent this Authorization header (NULL: none) may; the token is compared in constant time. */
enum access access_of_token(const char *authorization, const char *token);

/* The group of the path that a listening Unix socket is bound to; -1 when it has none. */
gid_t access_socket_group(int listen_fd);

#endif
