/* The audit log is gone on with where it ended, however it ended; and it tells when it cannot be written. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enforcer/warden/state/audit.h"
#include "lang/base/file.h"
#include "tests/lib/tap.h"

static char dir[] = "/tmp/teg-audit-XXXXXX";
static char path[64];
static const struct settings settings = { .state_dir = dir };

static void add(struct audit *a, const char *summary)
{
	const struct asker by = { "", "token ops (operator)", "127.0.0.1:4" };

	audit_add(a, &(struct audit_entry){ .what = "posture", .by = &by, .summary = summary, .result = "done", .detail = "",
					    .generation = 3, .posture = "BALANCED" });
}

/* Whole lines that follow on each other; -1 when one does not. */
static int entries(void)
{
	own(buf) struct buf log = { 0 };
	struct chain c = CHAIN_BEGIN;
	struct err why;
	int n = 0;

	if (file_read(&log, path, 1 << 20, &why))
		return -1;
	const char *line = buf_text(&log), *end;
	for (; (end = strchr(line, '\n')); line = end + 1, n++)
		if (chain_follow(&c, line, (size_t)(end - line), &why))
			return -1;
	return *line ? -1 : n;
}

static void entries_are_added(void)
{
	own(buf) struct buf log = { 0 };
	struct audit a;
	struct err why;

	tap_num(audit_open(&a, &settings, &why), 0, "a log begins");
	add(&a, "LOCKDOWN: \"quoted\"\n\xff\x1b[31m");
	add(&a, "BALANCED");
	audit_close(&a);
	tap_num(entries(), 2, "two entries, in a chain");
	struct stat st;
	tap_ok(!stat(path, &st) && (st.st_mode & 0777) == 0600, "that root alone may read");
	tap_ok(!file_read(&log, path, 1 << 20, &why), "read");
	tap_ok(strstr(log.at, "\"who\":\"token ops (operator)\",\"from\":\"127.0.0.1:4\","
		      "\"summary\":\"LOCKDOWN: \\\"quoted\\\"\\u000a\xef\xbf\xbd\\u001b[31m\",\"result\":\"done\""),
	       "what was asked is text, whatever it was");
	tap_num(audit_open(&a, &settings, &why), 0, "opened again");
	add(&a, "EXPLORE");
	audit_close(&a);
	tap_num(entries(), 3, "it goes on");
}

static void append(const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

static void half_a_line_is_cut_off(void)
{
	struct audit a;
	struct err why;

	append("{\"seq\":4,\"prev\":\"half a li");
	tap_num(audit_open(&a, &settings, &why), 0, "a log that ends in half a line is opened");
	add(&a, "after a crash");
	audit_close(&a);
	tap_num(entries(), 4, "and goes on after the last whole one");
}

static void a_full_disk_is_told(void)
{
	const struct rlimit full = { 1600, RLIM_INFINITY }; /* of a file */
	struct rlimit was;
	struct audit a;
	struct err why;
	int before, after;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	tap_num(audit_open(&a, &settings, &why), 0, "a log near the end of the disk");
	before = entries();
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ a.len + full.rlim_cur % 100, was.rlim_max });
	add(&a, "one that does not fit");
	tap_ok(*a.fault, "is told: %s", a.fault);
	tap_num(entries(), before, "and leaves no part of a line");
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ a.len + 40, was.rlim_max });
	add(&a, "nor when a part of it fits");
	tap_ok(*a.fault, "is told: %s", a.fault);
	tap_num(entries(), before, "as little");
	setrlimit(RLIMIT_FSIZE, &was);
	add(&a, "when there is room again");
	after = entries();
	tap_ok(!*a.fault && after == before + 1, "it goes on, and has no fault: %d and then %d entries", before, after);
	audit_close(&a);
}

static void an_altered_end_is_set_aside(void)
{
	own(buf) struct buf log = { 0 };
	struct audit a;
	struct err why;

	append("{\"seq\":9,\"prev\":\"not ours\"}\n");
	tap_num(audit_open(&a, &settings, &why), 0, "a log whose end was altered is not gone on with");
	tap_ok(strstr(a.fault, "set aside"), "which is told: %s", a.fault);
	add(&a, "the first of a new one");
	audit_close(&a);
	tap_num(entries(), 1, "a new one begins");
	tap_num(system("test $(ls /tmp/teg-audit-*/audit.log.broken-* | wc -l) = 1"), 0, "and the old one is kept");
}

int main(void)
{
	char command[128];

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof path, "%s/audit.log", dir);
	entries_are_added();
	half_a_line_is_cut_off();
	a_full_disk_is_told();
	an_altered_end_is_set_aside();
	snprintf(command, sizeof command, "rm -r %s", dir);
	return system(command) || tap_done();
}
