/* A process is killed at each step of saving a file: what is there afterwards is the old file or the new, and nothing that is half. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lang/base/file.h"
#include "tests/lib/tap.h"

#define BYTES 100000 /* two writes, or more */

static char dir[256], path[300];
static char old[BYTES / 2], new[BYTES];

/* Saves; ended at its stop number `stops`, two of which are a call. True when it came to its end before. */
static bool save_until(unsigned stops)
{
	struct pieces halves = { (struct piece[]){ { .at = new, .len = BYTES / 2 }, { .at = new + BYTES / 2, .len = BYTES / 2 } }, 2 };
	struct err why = { 0 };
	int how = 0;
	const pid_t child = fork();

	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(file_save_pieces(path, &halves, 0644, &why) != 0);
	}
	waitpid(child, &how, 0);
	while (stops-- && WIFSTOPPED(how)) {
		ptrace(PTRACE_SYSCALL, child, NULL, NULL);
		waitpid(child, &how, 0);
	}
	if (WIFSTOPPED(how)) {
		kill(child, SIGKILL);
		waitpid(child, &how, 0);
	}
	return WIFEXITED(how);
}

struct found {
	bool is_old, is_new, is_half; /* at the path */
	unsigned beside, beside_half;
};

static void look_at(struct found *f, const char *name)
{
	own(buf) struct buf text = { 0 };
	char full[768];
	struct err why;

	snprintf(full, sizeof full, "%s/%s", dir, name);
	const bool is_read = !file_read(&text, full, BYTES, &why);
	const bool is_new = is_read && text.len == sizeof new && !memcmp(text.at, new, sizeof new);
	const bool is_old = is_read && text.len == sizeof old && !memcmp(text.at, old, sizeof old);

	if (strcmp(full, path) != 0) {
		f->beside++;
		f->beside_half += !is_new;
	} else {
		f->is_new = is_new;
		f->is_old = is_old;
		f->is_half = !is_new && !is_old;
	}
	unlink(full);
}

static struct found look(void)
{
	struct found f = { 0 };
	DIR *d = opendir(dir);

	for (struct dirent *e; d && (e = readdir(d));)
		if (*e->d_name != '.')
			look_at(&f, e->d_name);
	if (d)
		closedir(d);
	return f;
}

/* Before Linux 6.10 overlayfs has no files without a name, NFS never. */
static bool has_nameless(void)
{
	own(fd) int fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	return fd >= 0;
}

static void claim_beside(unsigned got, unsigned want, const char *claim)
{
	if (has_nameless())
		tap_num(got, want, claim);
	else
		tap_skip("the file system has no files without a name", claim);
}

static void killed(bool is_there)
{
	const char *what = is_there ? "in place of another" : "where none was";
	unsigned half = 0, lost = 0, beside = 0, beside_half = 0, stops = 0;
	struct found f = { 0 };
	struct err why;
	bool ended = false;

	for (; !ended && stops < 1000; stops++) {
		if (is_there && file_save(path, old, sizeof old, 0644, &why))
			abort();
		ended = save_until(stops);
		f = look();
		half += f.is_half;
		lost += is_there && !f.is_old && !f.is_new;
		beside += f.beside;
		beside_half += f.beside_half;
	}
	tap_ok(stops > 12 && ended && f.is_new && !f.beside, "saved %s, it is there, and alone", what);
	tap_ok(!half && !lost, "at whichever call it is killed, %s, the file is the old or the new", what);
	claim_beside(beside_half, 0, "and nothing beside it is half");
	claim_beside(beside, is_there ? 2 : 0, is_there ? "between its last two calls it is there twice" : "or there at all");
}

int main(void)
{
	const char *in = getenv("TMPDIR");

	memset(old, 'o', sizeof old);
	memset(new, 'n', sizeof new);
	snprintf(dir, sizeof dir, "%s/teg-killed-XXXXXX", in ? in : "/tmp");
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof path, "%s/f", dir);
	killed(false);
	killed(true);
	rmdir(dir);
	return tap_done();
}
