/*
 * roster - who is known, and by what: tokens and certificates over TCP, users and groups on the Unix socket.
 *
 *     roster_load(&r, settings, why)       still root: the files are root's alone, names are looked up
 *     role_confine(…)
 *     api_run(…, r)                        reads it, never changes it
 *
 * Of a token only its SHA-256 is kept, in the file too: who reads the process's memory, or a copy
 * of the file, learns no token. Tokens are random and long (`tegctl token` makes them), so that
 * a fast digest is as good as a slow one. A line of the tokens file:
 *
 *     # name  role      SHA-256 of the token
 *     grafana viewer    5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8
 */
#ifndef TEG_API_ACCESS_ROSTER_H
#define TEG_API_ACCESS_ROSTER_H

#include <sys/types.h>

#include "enforcer/api/access/access.h"
#include "enforcer/api/access/certs.h"
#include "enforcer/proc/settings.h"
#include "lang/base/own.h"

#define ROSTER_NAME_MAX 64
#define ROSTER_DIGEST	32

struct roster_token {
	const char *name;
	enum access role;
	unsigned char digest[ROSTER_DIGEST];
};

struct roster_peer {
	bool is_group;
	id_t id;
	enum access role;
};

struct roster {
	struct arena *arena;
	VEC(struct roster_token) tokens;
	VEC(struct roster_peer) peers;
	struct certs certs;
	enum access socket_role; /* of the socket's group, where no peer says otherwise */
};

struct roster *roster_new(void);
void roster_free(struct roster *r);
OWN_FREE(roster, struct roster *)

void roster_add_token(struct roster *r, const char *name, enum access role, const char *token);

/* The lines of a tokens file, which may be altered. */
int roster_read_tokens(struct roster *r, char *text, struct err *why);

/* "alice, @ops, 1004, @27": users, and groups after an @, by name or number. */
int roster_add_peers(struct roster *r, enum access role, const char *list, struct err *why);

/* What the settings name: token-file, tokens, client-certs, client-cert-role, viewers, operators, policy-admins, socket-role. */
int roster_load(struct roster **out, const struct settings *s, struct err *why);

#endif
