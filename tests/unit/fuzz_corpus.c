/* What the fuzz targets parse and policy found, or began with: each input again, in every flavour of the build. */
#include <dirent.h>
#include <string.h>

#include "lang/base/file.h"
#include "tests/lib/tap.h"

#define INPUT_MOST ((size_t)1 << 20)

/* The targets, under names of their own. */
#define LLVMFuzzerTestOneInput fuzz_parse
#define must must_parse
#define spelled spelled_parse
#include "tests/fuzz/parse.c"
#undef LLVMFuzzerTestOneInput
#undef must
#undef spelled

#define LLVMFuzzerTestOneInput fuzz_policy
#include "tests/fuzz/policy.c"
#undef LLVMFuzzerTestOneInput

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
static void replay(target *one, const char *name, const char *dir, size_t least)
{
	DIR *d = opendir(dir);
	size_t count = 0;
	bool held = true;

	if (d)
		for (struct dirent *e; (e = readdir(d));) {
			char path[512];

			snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
			if (e->d_type != DT_REG)
				continue;
			tap_note("%s: %s", name, path);
			held &= replay_file(one, path);
			count++;
		}
	if (d)
		closedir(d);
	tap_ok(held && count >= least, "%s holds for %zu inputs of %s", name, count, dir);
}

int main(void)
{
	static const struct {
		const char *dir;
		size_t least;
	} dirs[] = {
		{ "tests/fuzz/corpus", 1 }, { "policies/std", 2 }, { "policies/examples", 1 },
		{ "tests/wrong", 5 }, { "tests/golden/forms", 3 }, { "tests/golden/spelling", 2 },
		{ "tests/fuzz/reached/parse", 100 }, { "tests/fuzz/reached/policy", 300 },
	};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		replay(fuzz_parse, "parse", dirs[i].dir, dirs[i].least);
		replay(fuzz_policy, "policy", dirs[i].dir, dirs[i].least);
	}
	return tap_done();
}
