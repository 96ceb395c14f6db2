#include "compiler/front/store.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "lang/base/file.h"

static bool disk_find(const struct store *s, struct arena *a, const char *path, struct store_file *out)
{
	struct stat st;

	(void)s;
	if (stat(path, &st))
		return false;
	*out = (struct store_file){
		.path = path,
		.shown = path,
		.identity = arena_printf(a, "%llx:%llx", (unsigned long long)st.st_dev,
					 (unsigned long long)st.st_ino),
		.special = !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode),
	};
	return true;
}

static int disk_read(const struct store *s, const char *path, size_t most, struct buf *out, struct err *why)
{
	(void)s;
	return strcmp(path, "-") ? file_read(out, path, most, why) :
				   file_read_fd(out, STDIN_FILENO, most, why);
}

static bool disk_list(const struct store *s, struct arena *a, const char *path, struct store_names *out)
{
	DIR *dir = opendir(*path ? path : ".");

	(void)s;
	if (!dir)
		return false;
	for (struct dirent *e; (e = readdir(dir));)
		vec_push(a, out, (const char *)arena_strdup(a, e->d_name));
	closedir(dir);
	return true;
}

const struct store store_disk = { disk_find, disk_read, disk_list };
