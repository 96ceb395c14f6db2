/* Settings: a flag outranks the environment, the environment the file, the file the default; the rest is refused. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enforcer/proc/settings.h"
#include "tests/lib/tap.h"

static char dir[] = "/tmp/teg-settings-XXXXXX";
static char conf[64], token[64];

static void put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode))
		abort();
	close(fd);
}

static int reads(struct settings *s, struct arena *a, const char *flags, struct err *why)
{
	char *argv[16] = { "tegd" }, *rest, *words = arena_strdup(a, flags);
	int argc = 1;

	for (char *w = strtok_r(words, " ", &rest); w && argc < 15; w = strtok_r(NULL, " ", &rest))
		argv[argc++] = w;
	return settings_read(s, a, argc, argv, why);
}

static void ranks(void)
{
	own(arena) struct arena *a = arena_new();
	struct settings s;
	struct err why = { 0 };

	put(conf, "# who decides\n\nengine = generic\n state-dir=/file/state \nrun-dir = /file/run", 0600);
	setenv("TEGUMENTAR_CONFIG", conf, 1);
	setenv("TEGUMENTAR_ENGINE", "native", 1);
	setenv("TEGUMENTAR_RUN_DIR", "/env/run", 1);
	tap_num(reads(&s, a, "--engine nft --check", &why), 0, "file, environment and flags are read together");
	tap_text(s.engine, "nft", "a flag outranks the environment");
	tap_text(s.run_dir, "/env/run", "the environment outranks the file");
	tap_text(s.state_dir, "/file/state", "the file outranks the default");
	tap_text(s.pin_dir, "/sys/fs/bpf/tegumentar", "the default is the rest");
	setenv("TEGUMENTAR_ENGINE", "fast", 1);
	tap_ok(reads(&s, a, "", &why) && !strncmp(why.text, "TEGUMENTAR_ENGINE: `fast` is no engine", 38), "a wrong one is told by its variable: %s", why.text);
	tap_ok(s.judge == ENGINE_NFT && s.ask == ASK_CHECK && s.role == ROLE_WARDEN, "and they are understood");
	unsetenv("TEGUMENTAR_ENGINE");
	unsetenv("TEGUMENTAR_RUN_DIR");
	unsetenv("TEGUMENTAR_CONFIG");
}

static const struct {
	const char *flags, *file, *part; /* part: of the sentence; NULL when it is fine */
} cases[] = {
	{ "--config %", "", NULL },
	{ "--config=% --engine=generic", "", NULL },
	{ "--role api --config %", "", NULL },
	{ "--config %", "# a comment\nengine = fast", ":2: engine: `fast` is no engine" },
	{ "--config % --engine fast", "engine = nft", "engine: `fast` is no engine" },
	{ "--config %", "engin = nft", ":1: there is no setting `engin`; did you mean `engine`?" },
	{ "--config %", "colour = blue", "no setting `colour`" },
	{ "--config %", "engine nft", "has no '='" },
	{ "--config %", "engine = nft\nengine = nft", ":2: `engine` is set twice" },
	{ "--config %", "state-dir = var/lib", "no absolute path" },
	{ "--config %", "user = a-name-that-is-much-too-long-for-any-system", "too long for a name" },
	{ "--config /nowhere/at/all", "", "cannot open /nowhere/at/all" },
	{ "--config % --colour blue", "", "no flag `--colour`; `tegd --help` lists them" },
	{ "--config % --drfit repair", "", "no flag `--drfit`; did you mean `--drift`?" },
	{ "--config % --engine", "", "`--engine` lacks its value" },
	{ "--config % --role king", "", "no role `king`" },
	{ "--config % extra", "", "`extra` is no flag" },
	{ "--config % --require-signature no", "", NULL },
	{ "--config % --require-signature yes", "trusted-keys = /keys", NULL },
	{ "--config % --require-signature yes", "", "name the keys with trusted-keys" },
	{ "--config % --require-signature maybe", "trusted-keys = /keys", "neither yes nor no" },
	{ "--config % --require-proofs no", "", NULL },
	{ "--config % --require-proofs", "require-proofs = no", "lacks its value" },
	{ "--config %", "require-proofs = never", "require-proofs: `never` is neither yes nor no" },
	{ "--config % --listen 127.0.0.1:8765", "", "needs a token" },
	{ "--config % --listen 127.0.0.1:8765 --tokens /t", "", NULL },
	{ "--config % --socket-role viewer --operators alice,@ops", "", NULL },
	{ "--config % --socket-role king", "", "`king` is no role" },
	{ "--config % --socket-role anyone", "", "`anyone` is no role" },
	{ "--config % --listen 127.0.0.1:8765 --token-file /t", "", NULL },
	{ "--config % --listen [::1]:8765 --token-file /t", "", NULL },
	{ "--config % --listen 127.1.2.3:1 --token-file /t", "", NULL },
	{ "--config % --listen 0.0.0.0:8765 --token-file /t", "", "name a certificate" },
	{ "--config % --listen [::]:8765 --token-file /t", "", "is not on loopback" },
	{ "--config % --listen 0.0.0.0:8765 --token-file /t --tls-cert /c --tls-key /k", "", NULL },
	{ "--config % --listen 0.0.0.0:8765 --tls-cert /c --tls-key /k", "", "needs a token" },
	{ "--config % --tls-cert /c", "", "named together" },
	{ "--config % --tls-key /k", "", "named together" },
	{ "--config % --client-ca /a", "", "need TLS" },
	{ "--config % --client-ca /a --tls-cert /c --tls-key /k", "", NULL },
	{ "--config % --client-certs /m", "", "name their CA with client-ca" },
	{ "--config % --client-cert-role viewer", "", "name their CA with client-ca" },
	{ "--config % --client-cert-role none", "", NULL },
	{ "--config % --client-cert-role anyone", "", "`anyone` is no role; there are none" },
	{ "--config % --listen 0.0.0.0:8765 --tls-cert /c --tls-key /k --client-ca /a --client-certs /m", "", NULL },
	{ "--config % --listen 0.0.0.0:8765 --tls-cert /c --tls-key /k --client-ca /a --client-cert-role viewer", "", NULL },
	{ "--config % --listen 0.0.0.0:8765 --tls-cert /c --tls-key /k --client-ca /a", "", "needs a token" },
	{ "--config %", "database-url = postgresql+asyncpg://u:p%40w@h/d", NULL },
	{ "--config %", "database-url = postgresql://u:p@w@:x", "no host" },
	{ "--config %", "redis-url = h:6379", "no scheme" },
	{ "--config %", "database-url = redis://:p@h/0", "another scheme than postgresql://" },
	{ "--config %", "redis-url = postgres://u:p@h/d", "another scheme than redis://" },
	{ "--config %", "redis-url = red://h/0", "another scheme than redis://" },
	{ "--config %", "database-url = postgres://u:p@h/d", NULL },
	{ "--config %", "redis-url = rediss://:p@h/0", NULL },
	{ "--config %", "engine = tc # what it runs on\n\t# another\nrate-limit = 5\t# a second", NULL },
	{ "--config %", "engine = tc# not a comment", "is no engine" },
	{ "--config % --database-url postgresql://u:p@h/d", "", "everyone can see a flag" },
	{ "--config % --redis-url=redis://:p@h", "", "everyone can see a flag" },
	{ "--config % --rate-limit 0", "", NULL },
	{ "--config % --drift report --drift-seconds 86400", "", NULL },
	{ "--config % --drift ignore", "", "neither repair nor report" },
	{ "--config % --drift-seconds 86401", "", "no number of seconds" },
	{ "--config % --drift-seconds -1", "", "no number of seconds" },
	{ "--config % --drift-seconds 5m", "", "no number of seconds" },
	{ "--config % --audit-bytes 0 --audit-files 0", "", NULL },
	{ "--config % --audit-bytes 4096 --audit-files 10000", "", NULL },
	{ "--config % --audit-bytes 4095", "", "neither 0 nor a number of bytes from 4096" },
	{ "--config % --audit-bytes 1000000001", "", "neither 0 nor a number" },
	{ "--config % --audit-bytes 16M", "", "neither 0 nor a number" },
	{ "--config % --audit-files 10001", "", "no number of files from 0" },
	{ "--config % --audit-files -1", "", "no number of files" },
	{ "--config % --rate-limit 1000001", "", "no number from 0" },
	{ "--config % --rate-limit -1", "", "no number from 0" },
	{ "--config % --rate-limit fast", "", "no number from 0" },
	{ "--config % --listen 127.0.0.1 --token-file /t", "", "no address and port" },
	{ "--config % --listen 127.0.0.1:0 --token-file /t", "", "no address and port" },
	{ "--config % --listen 127.0.0.1:65536 --token-file /t", "", "no address and port" },
	{ "--config % --listen 127.0.0.1:+80 --token-file /t", "", "no address and port" },
	{ "--config % --listen [::1:8765 --token-file /t", "", "no address and port" },
	{ "--config % --listen localhost:8765 --token-file /t", "", "no address and port" },
};

static void each_is_judged(void)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own(arena) struct arena *a = arena_new();
		const char *at = strchr(cases[i].flags, '%');
		const char *flags = at ? arena_printf(a, "%.*s%s%s", (int)(at - cases[i].flags), cases[i].flags, conf, at + 1) :
					 cases[i].flags;
		struct settings s;
		struct err why = { 0 };

		put(conf, cases[i].file, 0600);
		int rc = reads(&s, a, flags, &why);
		if (cases[i].part)
			tap_ok(rc && strstr(why.text, cases[i].part), "%s: %s", cases[i].flags, cases[i].part);
		else
			tap_ok(!rc, "%s is taken", cases[i].flags);
		if (rc ? !cases[i].part || !strstr(why.text, cases[i].part) : !!cases[i].part)
			tap_note("%s", why.text);
	}
}

static const struct {
	const char *text;
	mode_t mode;
	const char *part;
} tokens[] = {
	{ "0123456789abcdef\n", 0600, NULL },
	{ "0123456789abcdef", 0400, NULL },
	{ "0123456789abcde\n", 0600, "one line of" },
	{ "0123456789abcdef\nmore", 0600, "one line of" },
	{ "0123456789 abcdef", 0600, "one line of" },
	{ "", 0600, "one line of" },
	{ "0123456789abcdef", 0640, "only its owner may read" },
	{ "0123456789abcdef", 0604, "only its owner may read" },
};

static void tokens_are_kept_close(void)
{
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		own(arena) struct arena *a = arena_new();
		struct settings s = { .token_file = token, .token = "" };
		struct err why = { 0 };

		unlink(token);
		put(token, tokens[i].text, tokens[i].mode);
		int rc = settings_read_token(&s, a, &why);
		tap_ok(tokens[i].part ? rc && strstr(why.text, tokens[i].part) : !rc && !strcmp(s.token, "0123456789abcdef"),
		       "a token file of mode %03o and %zu bytes: %s", tokens[i].mode, strlen(tokens[i].text),
		       tokens[i].part ? tokens[i].part : "taken");
		tap_ok(!*why.text || !strstr(why.text, "0123456789"), "the token is not in what is said");
	}
}

/* A URL's password reaches the warden, and nobody else; and is not shown. */
static void secrets_are_kept(void)
{
	static const char url[] = "postgresql+asyncpg://teg:p%40ss@db/x";
	own(arena) struct arena *a = arena_new();
	struct settings s = { 0 };
	struct err why = { 0 };
	char *shown = NULL;
	size_t len;

	put(conf, "", 0600);
	setenv("TEGUMENTAR_CONFIG", conf, 1);
	setenv("TEGUMENTAR_DATABASE_URL", url, 1);
	tap_num(reads(&s, a, "", &why), 0, "a URL in the environment");
	tap_text(s.database.password, "p@ss", "its password, decoded");
	tap_text(s.database.driver, "asyncpg", "a driver of other programs is kept");
	FILE *out = open_memstream(&shown, &len);
	settings_print(out, &s);
	fclose(out);
	tap_ok(strstr(shown, "database-url = postgresql+asyncpg://teg:***@db/x\n") && !strstr(shown, "ss@"), "is shown without");
	free(shown);
	tap_num(reads(&s, a, "--role api", &why), 0, "in the api");
	tap_text(s.database.password, "", "there is none");
	tap_ok(settings_is_secret("TEGUMENTAR_DATABASE_URL=x") && settings_is_secret("TEGUMENTAR_REDIS_URL="),
	       "and it does not get the variable");
	tap_ok(!settings_is_secret("TEGUMENTAR_ENGINE=nft") && !settings_is_secret("TEGUMENTAR_DATABASE_URLS=x"), "but others");
	unsetenv("TEGUMENTAR_DATABASE_URL");
	unsetenv("TEGUMENTAR_CONFIG");
	put(conf, "redis-url = redis://:hunter2@h", 0644);
	tap_ok(reads(&s, a, arena_printf(a, "--config %s", conf), &why) && strstr(why.text, "chmod 600") && !strstr(why.text, "hunter"),
	       "a settings file with one that others may read is refused");
	put(conf, "postgresql://u:hunter2@h", 0600);
	tap_ok(reads(&s, a, arena_printf(a, "--config %s", conf), &why) && !strstr(why.text, "hunter"), "and no broken line says it");
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	snprintf(conf, sizeof conf, "%s/tegd.conf", dir);
	snprintf(token, sizeof token, "%s/token", dir);
	ranks();
	each_is_judged();
	secrets_are_kept();
	tokens_are_kept_close();
	unlink(conf);
	unlink(token);
	rmdir(dir);
	return tap_done();
}
