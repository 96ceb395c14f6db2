/*
 * token - one for the tokens file: random, into a file of its own; its digest, as a line, to stdout.
 *
 *     tegctl token grafana viewer grafana.token >> /etc/tegumentar/tokens
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>

#include "enforcer/ctl/say.h"

#define RANDOM_BYTES 32
#define TEXT_ROOM    sodium_base64_ENCODED_LEN(RANDOM_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING)

static void make_token(char text[static TEXT_ROOM])
{
	unsigned char bytes[RANDOM_BYTES];

	randombytes_buf(bytes, sizeof bytes);
	sodium_bin2base64(text, TEXT_ROOM, bytes, sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	explicit_bzero(bytes, sizeof bytes);
}

/* Never over a file that is there: it may hold a token that somebody uses. */
static enum exit_code write_token(const struct ctl *c, const char *path, const char *text)
{
	own(buf) struct buf line = { 0 };
	own(fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool written;

	buf_printf(&line, "%s\n", text);
	written = fd >= 0 && write(fd, line.at, line.len) == (ssize_t)line.len && !fsync(fd);
	explicit_bzero(line.at, line.len);
	if (written)
		return EXIT_YES;
	buf_release(&line);
	buf_printf(&line, "cannot write %s: %s", path, strerror(errno));
	say_problem(c, "output", buf_text(&line), "name a file that is not there yet");
	return EXIT_IO;
}

static bool is_role(const char *name)
{
	return !strcmp(name, "viewer") || !strcmp(name, "operator") || !strcmp(name, "policy-admin");
}

static bool is_name(const char *name)
{
	const size_t len = strlen(name);

	return len && len <= 64 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@") == len;
}

enum exit_code ctl_token(const struct ctl *c)
{
	const char *name = c->arguments[0], *role = c->arguments[1];
	unsigned char digest[crypto_hash_sha256_BYTES];
	char text[TEXT_ROOM], hex[2 * sizeof digest + 1];
	own(buf) struct buf out = { 0 };
	enum exit_code rc;

	if (!is_name(name) || !is_role(role)) {
		say_problem(c, "usage", "a token has a name of letters, digits, `.`, `_`, `-` and `@`, and a role: viewer, "
			    "operator or policy-admin", "tegctl token grafana viewer grafana.token");
		return EXIT_USAGE;
	}
	if (sodium_init() < 0)
		return EXIT_OURS;
	make_token(text);
	crypto_hash_sha256(digest, (const unsigned char *)text, strlen(text));
	rc = write_token(c, c->arguments[2], text);
	explicit_bzero(text, sizeof text);
	if (rc)
		return rc;
	sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
	if (*c->json)
		buf_printf(&out, "{\"name\":\"%s\",\"role\":\"%s\",\"digest\":\"%s\"}\n", name, role, hex);
	else
		buf_printf(&out, "%s %s %s\n", name, role, hex);
	return say_out(&out);
}
