#include "tests/lib/warden_stage.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/proc/role.h"
#include "enforcer/proc/settings.h"
#include "enforcer/warden/warden.h"
#include "lang/base/file.h"
#include "lang/base/own.h"
#include "tests/lib/tap.h"

static struct sockaddr_un hand_address(socklen_t *len, pid_t test)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	*len = (socklen_t)offsetof(struct sockaddr_un, sun_path) +
	       (socklen_t)snprintf(to.sun_path + 1, sizeof to.sun_path - 1, "teg-warden-stage-%d", (int)test) + 1;
	return to;
}

/* The message layer sends descriptors too: so the api's end goes as that of an APPLY. */
bool warden_stage_role(int argc, char **argv)
{
	const char *test = getenv("TEGUMENTAR_STAGE");
	socklen_t len;
	struct err why;

	if (argc < 2 || strncmp(argv[argc - 1], "--role=", 7))
		return false;
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct sockaddr_un to = hand_address(&len, test ? atoi(test) : 0);
	own(fd) int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	const struct message m = { MESSAGE_APPLY, 0, NULL, 0, ROLE_FD_WARDEN };
	if (sock >= 0 && !connect(sock, (struct sockaddr *)&to, len) && !message_send(sock, &m, &why))
		close(ROLE_FD_WARDEN);
	for (;;)
		pause();
}

static bool run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool run(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	return !system(command);
}

bool warden_stage_make(struct warden_stage *s)
{
	char me[16];
	socklen_t len;

	*s = (struct warden_stage){ .sock = -1 };
	if (geteuid() || unshare(CLONE_NEWNET | CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return false;
	if (mount("tmpfs", "/mnt", "tmpfs", 0, NULL) || !run("mkdir -p /mnt/bpf && mount -t bpf bpf /mnt/bpf"))
		return false;
	snprintf(s->dir, sizeof s->dir, "/mnt");
	if (!run("ip link set lo up; ip link add w0 type veth peer name c0 && ip link set w0 up && ip link set c0 up"))
		return false;
	snprintf(me, sizeof me, "%d", (int)getpid());
	setenv("TEGUMENTAR_STAGE", me, 1);
	struct sockaddr_un at = hand_address(&len, getpid());
	s->hand = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	return s->hand >= 0 && !bind(s->hand, (struct sockaddr *)&at, len) && !listen(s->hand, 8);
}

static void be_warden(const struct warden_stage *s, char **argv, int argc)
{
	own(arena) struct arena *a = arena_new();
	struct settings settings;
	char log[160];
	struct err why;

	snprintf(log, sizeof log, "%s/log", s->dir);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0)
		dup2(fd, STDERR_FILENO);
	unsetenv("TEGUMENTAR_STAGE"); /* no setting of tegd's */
	if (settings_read(&settings, a, argc, argv, &why)) {
		fprintf(stderr, "%s\n", why.text);
		_exit(64);
	}
	setenv("TEGUMENTAR_STAGE", argv[0], 1);
	_exit(warden_run(&settings, argv));
}

static bool take_hand(struct warden_stage *s)
{
	own(arena) struct arena *a = arena_new();
	const struct timeval limit = { .tv_sec = 120 };
	struct message m = { .fd = -1 };
	struct err why;

	setsockopt(s->hand, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	own(fd) int from = accept4(s->hand, NULL, NULL, SOCK_CLOEXEC);
	if (from < 0 || message_receive(from, ROLE_WARDEN, a, &m, &why))
		return false;
	s->sock = m.fd;
	return !setsockopt(s->sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

bool warden_stage_start(struct warden_stage *s, ...)
{
	char state[160], runs[160], pins[160], me[16];
	char *argv[32] = { me, state, runs, pins };
	int argc = 4;
	va_list flags;

	snprintf(me, sizeof me, "%d", (int)getpid());
	snprintf(state, sizeof state, "--state-dir=%s/state", s->dir);
	snprintf(runs, sizeof runs, "--run-dir=%s/run", s->dir);
	snprintf(pins, sizeof pins, "--pin-dir=%s/bpf/teg", s->dir);
	va_start(flags, s);
	while (argc < 31 && (argv[argc] = va_arg(flags, char *)))
		argc++;
	va_end(flags);
	fflush(stdout);
	s->warden = fork();
	if (!s->warden)
		be_warden(s, argv, argc);
	return s->warden > 0 && take_hand(s);
}

void warden_stage_end(struct warden_stage *s, int signal)
{
	if (s->sock >= 0)
		close(s->sock);
	s->sock = -1;
	kill(s->warden, signal);
	waitpid(s->warden, NULL, 0);
}

static struct message hear(struct warden_stage *s, struct arena *a)
{
	struct message m = { .kind = MESSAGE_COUNT, .fd = -1 };
	struct err why;

	do {
		if (message_receive(s->sock, ROLE_API, a, &m, &why)) {
			tap_note("%s", why.text);
			return (struct message){ .kind = MESSAGE_COUNT, .fd = -1 };
		}
	} while (m.kind == MESSAGE_EVENT || m.kind == MESSAGE_PACKETS);
	return m;
}

struct message warden_stage_ask(struct warden_stage *s, enum message_kind kind, const struct buf *payload, int fd, struct arena *a)
{
	const struct message m = { kind, ++s->last_id, payload ? payload->at : NULL, payload ? payload->len : 0, fd };
	struct err why;

	if (message_send(s->sock, &m, &why))
		tap_note("%s", why.text);
	return hear(s, a);
}

struct result warden_stage_change(struct warden_stage *s, enum message_kind kind, const struct buf *payload, int fd, struct arena *a)
{
	const struct message m = warden_stage_ask(s, kind, payload, fd, a);
	struct result r = { .code = RESULT_COUNT, .part = "", .text = "" };
	struct err why;

	if (m.kind != MESSAGE_RESULT || result_decode(&r, a, m.payload, m.len, &why))
		tap_note("no result");
	return r;
}

bool warden_stage_apply(struct warden_stage *s, int bundle)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf ask = { 0 };

	apply_encode(&ask, &(struct apply){ .by = { "", "root (policy-admin)", "unix" } });
	return bundle >= 0 && warden_stage_change(s, MESSAGE_APPLY, &ask, bundle, a).code == RESULT_OK;
}

struct status warden_stage_status(struct warden_stage *s, struct arena *a)
{
	const struct message m = warden_stage_ask(s, MESSAGE_ASK_STATUS, NULL, -1, a);
	struct status status = { .policy = "", .version = "", .posture = "", .fault = "", .adopted = "" };
	struct err why;

	if (m.kind != MESSAGE_STATUS || status_decode(&status, a, m.payload, m.len, &why))
		tap_note("no status");
	return status;
}

struct history warden_stage_history(struct warden_stage *s, struct arena *a)
{
	const struct message m = warden_stage_ask(s, MESSAGE_ASK_HISTORY, NULL, -1, a);
	struct history h = { 0 };
	struct err why;

	if (m.kind != MESSAGE_HISTORY || history_decode(&h, a, m.payload, m.len, &why))
		tap_note("no history");
	return h;
}

static int build(const struct warden_stage *s, const char *name)
{
	const char *from = getenv("BUILD") ? getenv("BUILD") : "build";
	char path[200];

	snprintf(path, sizeof path, "%s/%s.tegb", s->dir, name);
	if (!run("%s/tegc build %s/%s.teg -o %s", from, s->dir, name, path))
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC);
}

int warden_stage_bundle(const struct warden_stage *s, const char *name, const char *script)
{
	return run("sed '%s' tests/live/edge.teg >%s/%s.teg", script, s->dir, name) ? build(s, name) : -1;
}

int warden_stage_build(const struct warden_stage *s, const char *name, const char *text)
{
	char path[200];
	struct err why;

	snprintf(path, sizeof path, "%s/%s.teg", s->dir, name);
	return file_replace(path, text, strlen(text), 0600, &why) ? -1 : build(s, name);
}

uint64_t warden_stage_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}
