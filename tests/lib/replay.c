#include "tests/lib/replay.h"

#include <dirent.h>
#include <stdio.h>

#include "lang/base/file.h"
#include "tests/lib/tap.h"

#define INPUT_MOST ((size_t)1 << 20)

static bool replay_file(fuzz_target *one, const char *path)
{
	own(buf) struct buf bytes = { 0 };
	struct err why = { 0 };

	if (file_read(&bytes, path, INPUT_MOST, &why)) {
		tap_note("%s", why.text);
		return false;
	}
	return one((const uint8_t *)buf_text(&bytes), bytes.len) == 0;
}

void replay(const char *name, fuzz_target *one, const char *dir, size_t least)
{
	DIR *d = opendir(dir);
	size_t count = 0;
	bool held = true;

	for (struct dirent *e; d && (e = readdir(d));) {
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
