#include "compiler/cmd/key.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lang/base/file.h"
#include "lang/bundle/bundle.h"

#define KEY_BYTES_MAX 4096

int key_read(struct seal_secret *out, const char *path, struct err *why)
{
	own(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	own(buf) struct buf text = { 0 };
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return err_sys(why, "cannot open the key %s", path);
	if (!S_ISREG(st.st_mode) || st.st_mode & (S_IRWXG | S_IRWXO))
		return err_set(why, EPERM, "the key %s must be a file that only its owner may read: chmod 600", path);
	int rc = file_read_fd(&text, fd, KEY_BYTES_MAX, why);
	if (!rc)
		rc = seal_secret_parse(out, buf_text(&text), text.len, why);
	if (text.len)
		explicit_bzero(text.at, text.len);
	return rc ? err_in(why, "the key %s", path) : 0;
}

int key_serial(uint64_t *out, const char *text, struct err *why)
{
	uint64_t n = 0;

	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9' || n > (SEAL_SERIAL_MAX - (uint64_t)(*c - '0')) / 10) {
			n = 0;
			break;
		}
		n = 10 * n + (uint64_t)(*c - '0');
	}
	if (!n)
		return err_set(why, EINVAL, "a serial is a number from 1 to %llu", (unsigned long long)SEAL_SERIAL_MAX);
	*out = n;
	return 0;
}

int key_sign(struct buf *out, const struct buf *bundle, const struct seal_secret *s, uint64_t serial,
	     struct err *why)
{
	own(bundle) struct bundle *b = NULL;
	own(buf) struct buf line = { 0 };
	int rc = bundle_open(&b, bundle->at, bundle->len, why);

	if (rc)
		return rc;
	const struct bundle_member *manifest = bundle_find(b, "manifest");
	seal_sign(&line, s, serial, manifest->bytes, manifest->len);
	bundle_write_signed(out, b, line.at, line.len);
	return 0;
}
