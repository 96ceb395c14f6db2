/*
 * The audit log over several files: whatever is done to one of them is found and named, and a tegd that is killed
 * as it enters any of its system calls leaves a log that is whole and goes on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/ctl/verify.h"
#include "enforcer/warden/state/audit.h"
#include "lang/base/file.h"
#include "tests/lib/tap.h"

static char dir[] = "/dev/shm/teg-rotation-XXXXXX";
static const struct settings all = { .state_dir = dir, .audit_room = 1000 }, few = { .state_dir = dir, .audit_room = 1000, .audit_kept = 2 };

/* A line of some 450 bytes: a file is put away after three. */
static void add(struct audit *a)
{
	static const struct asker by = { "", "token ops (operator)", "127.0.0.1:4" };

	audit_add(a, &(struct audit_entry){ .what = "posture", .by = &by, .summary = "LOCKDOWN", .result = "done", .detail = "",
					    .generation = 3, .posture = "BALANCED" });
}

static void add_many(const struct settings *s, unsigned n)
{
	struct audit a;
	struct err why;

	if (audit_open(&a, s, &why))
		tap_note("%s", why.text);
	while (n--)
		add(&a);
	audit_close(&a);
}

/* ---- the files ----------------------------------------------------------------------- */

static int is_log(const struct dirent *e)
{
	return !strncmp(e->d_name, "audit.log", 9);
}

static void clear(void)
{
	struct dirent **found;
	const int n = scandir(dir, &found, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char path[512];

		snprintf(path, sizeof path, "%s/%s", dir, found[i]->d_name);
		if (*found[i]->d_name != '.' && unlink(path))
			abort();
		free(found[i]);
	}
	free(found);
}

static const char *at(const char *name)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static unsigned files(void)
{
	struct dirent **found;
	const int n = scandir(dir, &found, is_log, alphasort);

	for (int i = 0; i < n; i++)
		free(found[i]);
	free(found);
	return (unsigned)n;
}

/* The caller frees what is verified. What was set aside is no part of the log. */
static void look(struct verify *v, const char *head)
{
	struct dirent **found;
	const int n = scandir(dir, &found, is_log, alphasort);
	struct err why;

	verify_begin(v, head);
	for (int i = 0; i < n; i++) {
		own(buf) struct buf text = { 0 };

		if (!strstr(found[i]->d_name, "broken") && !file_read(&text, at(found[i]->d_name), 1 << 20, &why))
			verify_file(v, found[i]->d_name, &text);
		free(found[i]);
	}
	free(found);
	verify_end(v);
}

static bool says(const struct verify *v, const char *part)
{
	for (size_t i = 0; i < v->faults.len; i++)
		if (strstr(v->faults.at[i], part))
			return true;
	return false;
}

static void note_faults(const struct verify *v)
{
	for (size_t i = 0; i < v->faults.len; i++)
		tap_note("%s", v->faults.at[i]);
}

/* Whole, with so many entries of so many files that are there. */
static bool whole(uint64_t entries, size_t count)
{
	own(verify) struct verify v;

	look(&v, "");
	const struct chain last = verify_last(&v), gone = verify_removed(&v);
	const bool is = !v.faults.len && last.seq - gone.seq == entries && v.files.len == count;
	if (!is)
		tap_note("%zu files, entries %" PRIu64 " to %" PRIu64, v.files.len, gone.seq + 1, last.seq);
	note_faults(&v);
	return is;
}

/* ---- growing --------------------------------------------------------------------------- */

static void files_are_put_away(void)
{
	clear();
	add_many(&all, 3);
	tap_ok(whole(3, 1), "a log of one file");
	add_many(&all, 1);
	tap_ok(whole(5, 2) && !access(at("audit.log.0000000003"), F_OK), "it is put away under the number of its last entry; the next begins with an entry that says so");
	add_many(&all, 10);
	tap_ok(whole(20, 7), "and so on");
	add_many(&few, 1);
	tap_ok(whole(21, 7), "what there is stays until a file is put away");
	add_many(&few, 2);
	tap_ok(whole(9, 3) && files() == 3, "then no more than two are kept, and an entry says so");
	add_many(&all, 3);
	tap_ok(whole(14, 5), "which holds for those to come");
}

static void a_file_that_is_too_long_stays(void)
{
	const struct rlimit none = { 0, RLIM_INFINITY };
	struct rlimit was;
	struct audit a;
	struct err why;

	clear();
	add_many(&all, 3);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	tap_num(audit_open(&a, &all, &why), 0, "a log that is to be put away, on a full disk");
	setrlimit(RLIMIT_FSIZE, &none);
	add(&a);
	add(&a);
	setrlimit(RLIMIT_FSIZE, &was); /* before anything is said, which may go into a file, too */
	tap_ok(*a.fault, "is told: %s", a.fault);
	tap_ok(whole(3, 1), "and nothing is lost");
	add(&a);
	audit_close(&a);
	tap_ok(!*a.fault && whole(4, 2), "with room it goes on");

	add_many(&all, 2);
	tap_num(symlink("/nowhere", at("audit.log.0000000006")), 0, "another file");
	tap_num(audit_open(&a, &all, &why), 0, "where the name is taken");
	add(&a);
	tap_ok(strstr(a.fault, "cannot put"), "that is told: %s", a.fault);
	unlink(at("audit.log.0000000006"));
	tap_ok(whole(7, 2), "and the file goes on growing");
	add(&a);
	audit_close(&a);
	tap_ok(!*a.fault && whole(9, 3), "until it can be put away");
}

/* ---- tampering ----------------------------------------------------------------------------- */

static void alter(const char *name, const char *from, const char *to)
{
	own(buf) struct buf text = { 0 };
	struct err why;

	if (file_read(&text, at(name), 1 << 20, &why))
		abort();
	char *found = strstr(text.at, from);
	memcpy(found, to, strlen(to));
	if (file_replace(at(name), text.at, text.len, 0600, &why))
		abort();
}

static void lose(const char *name)
{
	if (unlink(at(name)))
		abort();
}

static void swap(const char *a, const char *b)
{
	char was[512];

	snprintf(was, sizeof was, "%s", at(a));
	if (renameat2(AT_FDCWD, was, AT_FDCWD, at(b), RENAME_EXCHANGE))
		abort();
}

static const struct {
	const char *about, *name, *from, *to; /* without from: the file is lost; with a file in `to`, exchanged */
	const char *part;
} tampers[] = {
	{ "the first file lost", "audit.log.0000000003", NULL, NULL, "entries 1 to 3 are missing, before audit.log.0000000006, and no entry says" },
	{ "one of the middle lost", "audit.log.0000000009", NULL, NULL, "entries 7 to 9 are missing, between audit.log.0000000006 and audit.log.0000000012" },
	{ "the last that was put away lost", "audit.log.0000000012", NULL, NULL, "entries 10 to 12 are missing, between audit.log.0000000009 and audit.log" },
	{ "an entry altered", "audit.log.0000000006", "LOCKDOWN", "ANYTHING", "audit.log.0000000006: line 2: entry 5 is not as it was written" },
	{ "the first entry altered", "audit.log.0000000003", "BALANCED", "ANYTHING", "audit.log.0000000003: line 1: entry 1 is not as it was written" },
	{ "a file that is none", "audit.log.0000000003", "{", "x", "audit.log.0000000003: line 1: it is no line of an audit log" },
	{ "two exchanged: their names say nothing", "audit.log.0000000006", NULL, "audit.log.0000000009", NULL },
};

static void tampering_is_named(void)
{
	for (size_t i = 0; i < ARRAY_LEN(tampers); i++) {
		own(verify) struct verify v;

		clear();
		add_many(&all, 11);
		if (tampers[i].from)
			alter(tampers[i].name, tampers[i].from, tampers[i].to);
		else if (tampers[i].to)
			swap(tampers[i].name, tampers[i].to);
		else
			lose(tampers[i].name);
		look(&v, "");
		if (!tap_ok(tampers[i].part ? says(&v, tampers[i].part) && v.faults.len == 1 : !v.faults.len, "%s: %s", tampers[i].about,
			    tampers[i].part ? tampers[i].part : "whole"))
			note_faults(&v);
	}
}

static void all_that_is_wrong_is_named(void)
{
	own(verify) struct verify v;

	clear();
	add_many(&all, 11);
	lose("audit.log.0000000003");
	lose("audit.log.0000000009");
	alter("audit.log.0000000012", "LOCKDOWN", "ANYTHING");
	look(&v, "");
	if (!tap_ok(v.faults.len == 3 && says(&v, "entries 1 to 3") && says(&v, "entries 7 to 9") && says(&v, "entry 11"), "three things are three sentences"))
		note_faults(&v);
}

static void what_was_removed_is_no_more_than_was_said(void)
{
	own(verify) struct verify v, other;

	clear();
	add_many(&few, 20);
	look(&v, "");
	const struct chain gone = verify_removed(&v);
	tap_ok(gone.seq > 6 && !v.faults.len, "some were removed");
	char name[64];
	snprintf(name, sizeof name, "audit.log.%010" PRIu64, v.files.at[0].end.seq);
	lose(name);
	look(&other, "");
	if (!tap_ok(says(&other, "no entry says that they were removed"), "one more than that is missing"))
		note_faults(&other);
}

static void heads_are_looked_for(void)
{
	char head[128];
	struct audit a;
	struct err why;

	clear();
	add_many(&all, 11);
	audit_open(&a, &all, &why);
	snprintf(head, sizeof head, "%" PRIu64 "-%s", a.chain.seq, a.chain.hash);
	audit_close(&a);
	add_many(&all, 5);
	own(verify) struct verify v, gone, cut;
	look(&v, head);
	tap_ok(!v.faults.len, "an earlier head is found in the file where it is");
	lose("audit.log");
	lose("audit.log.0000000021");
	lose("audit.log.0000000018");
	lose("audit.log.0000000015");
	look(&cut, head);
	tap_ok(says(&cut, "cut short or replaced"), "and not in what is left of a log that was cut short");
	add_many(&few, 20);
	look(&gone, head);
	tap_ok(says(&gone, "cannot be looked for"), "nor in what was removed");
}

static void an_altered_end_is_set_aside(void)
{
	struct audit a;
	struct err why;

	clear();
	add_many(&all, 11);
	lose("audit.log");
	alter("audit.log.0000000012", "\"seq\":12", "\"seq\":99");
	tap_num(audit_open(&a, &all, &why), 0, "a new file does not go on from one whose end was altered");
	tap_ok(strstr(a.fault, "was set aside as") && strstr(a.fault, "audit.log.0000000012.broken-"), "which is told: %s", a.fault);
	add(&a);
	audit_close(&a);
	tap_ok(whole(10, 4), "but from the one before");
}

/* ---- killed ---------------------------------------------------------------------------- */

#define ADDS 14

/* Tells the number of the last entry after each. */
static void work(int told)
{
	struct audit a;
	struct err why;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP) || audit_open(&a, &few, &why))
		_exit(1);
	for (int i = 0; i < ADDS; i++) {
		add(&a);
		if (write(told, &a.chain.seq, sizeof a.chain.seq) < 0)
			_exit(1);
	}
	_exit(0);
}

/* Killed as it enters its n-th call; false when it had ended before. */
static bool kill_at(unsigned n, uint64_t *told)
{
	int pair[2], status;
	bool killed = false;

	*told = 0;
	if (pipe(pair))
		abort();
	const pid_t pid = fork();
	if (!pid)
		work(pair[1]);
	close(pair[1]);
	if (waitpid(pid, &status, 0) != pid || ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD))
		abort();
	for (unsigned stops = 0; !killed && !ptrace(PTRACE_SYSCALL, pid, NULL, NULL) && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);) {
		stops += WSTOPSIG(status) == (SIGTRAP | 0x80);
		if (stops == 2 * n - 1 && !kill(pid, SIGKILL))
			killed = waitpid(pid, &status, 0) == pid;
	}
	while (read(pair[0], told, sizeof *told) == (ssize_t)sizeof *told)
		continue;
	close(pair[0]);
	return killed;
}

static void killed_anywhere_it_is_whole(void)
{
	unsigned n = 0, broken = 0, lost = 0, stuck = 0;
	uint64_t told;

	for (clear(); kill_at(++n, &told); clear()) {
		own(verify) struct verify as_left, after;
		struct audit a;
		struct err why;

		if (audit_open(&a, &few, &why))
			tap_note("killed at call %u: %s", n, why.text);
		look(&as_left, "");
		broken += as_left.faults.len > 0;
		lost += verify_last(&as_left).seq < told;
		note_faults(&as_left);
		for (int i = 0; i < 5; i++)
			add(&a);
		stuck += *a.fault != '\0';
		audit_close(&a);
		look(&after, "");
		broken += after.faults.len > 0;
		stuck += files() > 3;
		note_faults(&after);
	}
	tap_ok(n > 150, "killed at each of %u system calls", n - 1);
	tap_num(broken, 0, "the log is whole, as it was left and as it went on");
	tap_num(lost, 0, "no entry that was told of is lost");
	tap_num(stuck, 0, "and what was to be removed is");
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	files_are_put_away();
	a_file_that_is_too_long_stays();
	tampering_is_named();
	all_that_is_wrong_is_named();
	what_was_removed_is_no_more_than_was_said();
	heads_are_looked_for();
	an_altered_end_is_set_aside();
	killed_anywhere_it_is_whole();
	clear();
	rmdir(dir);
	return tap_done();
}
