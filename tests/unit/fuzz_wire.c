/* What the fuzz targets bundle, message and body reached: each input again, in every flavour of the build. */
#include <dirent.h>

#include "lang/base/file.h"
#include "tests/lib/tap.h"

/* The targets, under names of their own. */
#define LLVMFuzzerTestOneInput fuzz_bundle
#include "tests/fuzz/bundle.c"
#undef LLVMFuzzerTestOneInput

#define LLVMFuzzerTestOneInput fuzz_message
#include "tests/fuzz/message.c"
#undef LLVMFuzzerTestOneInput

#define LLVMFuzzerTestOneInput fuzz_body
#include "tests/fuzz/body.c"
#undef LLVMFuzzerTestOneInput

#define INPUT_MOST ((size_t)1 << 20)

typedef int target(const uint8_t *bytes, size_t len);

static bool replay_file(target *one, const char *path)
{
	own(buf) struct buf bytes = { 0 };
	struct err why = { 0 };

	if (file_read(&bytes, path, INPUT_MOST, &why)) {
		tap_note("%s", why.text);
		return false;
	}
	return one((const uint8_t *)buf_text(&bytes), bytes.len) == 0;
}

/* An input that is not as it must be ends the program, and so fails the test by its name. */
static void replay(target *one, const char *dir, size_t least)
{
	DIR *d = opendir(dir);
	size_t count = 0;
	bool held = true;

	for (struct dirent *e; d && (e = readdir(d));) {
		char path[512];

		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (e->d_type != DT_REG)
			continue;
		tap_note("%s", path);
		held &= replay_file(one, path);
		count++;
	}
	if (d)
		closedir(d);
	tap_ok(held && count >= least, "%zu inputs of %s hold", count, dir);
}

int main(void)
{
	replay(fuzz_bundle, "tests/fuzz/reached/bundle", 50);
	replay(fuzz_message, "tests/fuzz/reached/message", 100);
	replay(fuzz_body, "tests/fuzz/reached/body", 30);
	return tap_done();
}
