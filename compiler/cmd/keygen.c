/*
 * tegc keygen NAME - a pair of keys: NAME.key, which signs, and NAME.pub, which hosts trust.
 *
 * Neither is ever written over: what an old key signed could not be told from forged.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/cmd/cmd.h"
#include "lang/bundle/seal.h"

#define PATH_MOST 4000

/* Made new, whole and synced, or not at all. */
static int write_new(const char *path, const struct buf *text, mode_t mode, struct err *why)
{
	own(fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0)
		return err_sys(why, "cannot make %s", path);
	if (fchmod(fd, mode) || write(fd, text->at, text->len) != (ssize_t)text->len || fsync(fd)) {
		err_sys(why, "cannot write %s", path);
		unlink(path);
		return why->code;
	}
	return 0;
}

static int write_pair(const char *name, const struct seal_secret *s, struct err *why)
{
	own(buf) struct buf secret_path = { 0 }, public_path = { 0 }, secret = { 0 }, public = { 0 };
	int rc;

	buf_printf(&secret_path, "%s.key", name);
	buf_printf(&public_path, "%s.pub", name);
	seal_secret_print(&secret, s);
	seal_public_print(&public, &s->public);
	rc = write_new(buf_text(&public_path), &public, 0644, why);
	if (!rc && (rc = write_new(buf_text(&secret_path), &secret, 0600, why)))
		unlink(buf_text(&public_path));
	explicit_bzero(secret.at, secret.len);
	return rc;
}

int cmd_keygen(int argc, char **argv)
{
	own(seal_secret) struct seal_secret s = { 0 };
	struct err why = { 0 };

	if (argc != 2 || argv[1][0] == '-' || !argv[1][0] || strlen(argv[1]) > PATH_MOST)
		return cmd_usage("keygen");
	if (seal_keygen(&s, &why) || write_pair(argv[1], &s, &why)) {
		fprintf(stderr, "tegc keygen: %s\n", why.text);
		return why.code == -EEXIST ? EXIT_NO : EXIT_IO;
	}
	printf("key %s: %s.key signs; %s.pub goes to the hosts\n", s.public.id, argv[1], argv[1]);
	return EXIT_YES;
}
