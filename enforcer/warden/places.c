#include "enforcer/warden/places.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

/* The directory, or the nearest above it that is there, into `there`. */
static int find_nearest(char there[static PATH_MAX], const char *path, struct stat *st, struct err *why)
{
	snprintf(there, PATH_MAX, "%s", path);
	while (stat(there, st)) {
		char *slash = strrchr(there, '/');

		if ((errno != ENOENT && errno != ENOTDIR) || !slash)
			return err_sys(why, "cannot look at %s", path);
		slash[slash == there] = '\0';
	}
	return S_ISDIR(st->st_mode) ? 0 : err_set(why, ENOTDIR, "%s is no directory", there);
}

static int is_ours_alone(const char *path, mode_t others, bool may_be_sticky, struct err *why)
{
	char there[PATH_MAX];
	struct stat st;
	int rc = find_nearest(there, path, &st, why);

	if (rc || strcmp(there, path))
		return rc;
	if (st.st_uid && st.st_uid != geteuid())
		return err_set(why, EPERM, "%s belongs to another user (number %u): chown root", path, st.st_uid);
	if (st.st_mode & others && !(may_be_sticky && st.st_mode & S_ISVTX))
		return err_set(why, EPERM, "others may write into %s: chmod go-w", path);
	return 0;
}

int places_check(const struct settings *s, struct err *why)
{
	if (is_ours_alone(s->state_dir, 022, false, why))
		return err_in(why, "state-dir");
	if (is_ours_alone(s->run_dir, 022, true, why))
		return err_in(why, "run-dir");
	return 0;
}

int places_check_pins(const struct settings *s, struct err *why)
{
	char there[PATH_MAX];
	struct statfs fs;
	struct stat st;

	if (s->judge == ENGINE_AUTO || s->judge == ENGINE_NFT)
		return 0;
	if (find_nearest(there, s->pin_dir, &st, why))
		return err_in(why, "pin-dir");
	if (statfs(there, &fs) || (unsigned long)fs.f_type != BPF_FS_MAGIC)
		return err_set(why, ENOTSUP, "pin-dir: %s is not on a bpf file system: mount -t bpf bpf /sys/fs/bpf", s->pin_dir);
	return 0;
}

int places_make(const char *path, mode_t mode, struct err *why)
{
	char part[PATH_MAX];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
		if (mkdir(part, 0755) && errno != EEXIST)
			return err_sys(why, "cannot make %s", part);
	}
	if (mkdir(path, mode) && errno != EEXIST)
		return err_sys(why, "cannot make %s", path);
	return 0;
}
