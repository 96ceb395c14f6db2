/*
 * settings - what the operator decided outside the policy.
 *
 *     settings_read(&s, arena, argc, argv, why)
 *
 * A flag outranks the environment, the environment outranks the file
 * (--config FILE or TEGUMENTAR_CONFIG; else /etc/tegumentar/tegd.conf when it
 * is there), the file outranks the default. All rows are in setting.def; a name that
 * is no row is refused wherever only rows may stand. In the file, what follows a # at a line's beginning or
 * behind a space is a comment. A URL may hold a password: it is refused as a flag, which everyone can see, and
 * from a file that others may read; it is shown without; and only the warden has it.
 */
#ifndef TEG_PROC_SETTINGS_H
#define TEG_PROC_SETTINGS_H

#include <netinet/in.h>
#include <stdbool.h>

#include "enforcer/proc/message.h"
#include "enforcer/proc/url.h"
#include "lang/base/arena.h"
#include "lang/base/err.h"

#define SETTINGS_FILE "/etc/tegumentar/tegd.conf"

enum engine { ENGINE_AUTO, ENGINE_NATIVE, ENGINE_GENERIC, ENGINE_TC, ENGINE_NFT, ENGINE_COUNT };

/* What is asked of this process, besides its settings. */
enum ask { ASK_RUN, ASK_CHECK, ASK_SETTINGS, ASK_HELP, ASK_VERSION };

struct settings {
#define SETTING(field, ...) const char *field;
#include "enforcer/proc/setting.def"
#undef SETTING
	enum ask ask;
	enum role role;
	enum engine judge;	   /* `engine`, read */
	bool repairs;		   /* `drift`, read */
	unsigned drift_seconds;	   /* `drift-seconds`, read */
	unsigned audit_room, audit_kept; /* `audit-bytes` and `audit-files`, read */
	bool signed_only;	   /* `require-signature`, read */
	bool unproved_too;	   /* `require-proofs` is no */
	struct sockaddr_in6 tcp;   /* `listen`, read; IPv4 as ::ffff:a.b.c.d; port 0 when none */
	unsigned rate;		   /* `rate-limit`, read */
	struct url database, redis; /* `database-url` and `redis-url`, read; without a scheme when there is none */
	const char *token;	   /* "" until settings_read_token() */
};

int settings_read(struct settings *out, struct arena *a, int argc, char **argv, struct err *why);

/* What is in force, as lines of the settings file; of URLs, what may be shown. */
void settings_print(FILE *out, const struct settings *s);

/* Is "NAME=value" of the environment a setting that holds a secret, which is the warden's alone? */
bool settings_is_secret(const char *variable);

/* Says which TEGUMENTAR_… of the environment are no settings: a name that is written wrong sets nothing. */
void settings_say_strangers(void);

/* The token file's one line, into s->token. Refuses a file that others may read. */
int settings_read_token(struct settings *s, struct arena *a, struct err *why);

/* "auto", "native", "generic", "nft" */
const char *engine_name(enum engine e);

/* The flags, one line each, for --help. */
void settings_help(FILE *out);

#endif
