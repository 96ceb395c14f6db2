#include "tests/lib/api_stage.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "enforcer/api/api.h"
#include "enforcer/api/link.h"
#include "lang/base/clock.h"
#include "tests/lib/tap.h"

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "api_stage: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- the part --------------------------------------------------------------------------- */

static struct status_posture postures[] = {
	{ "LOCKDOWN", "Under attack: owner only", 1, 3 }, { "BALANCED", "Every day", 0, 2 },
};
static struct status_interface interfaces[] = {
	{ "eth0", "wan", "xdp-native", "the driver has native XDP", 2, 0xb0a1c2d3e4f50617 },
	{ "weird\"\xff\n", "lan", "nft", "no XDP", 3, 0 },
};
static struct counter_row rows[] = {
	{ "BALANCED.web_in", LAYER_POSTURE, VERDICT_ALLOW, "BALANCED", 100, 6000 },
	{ "BALANCED.default.in", LAYER_POSTURE, VERDICT_DROP, "BALANCED", 7, 420 },
	{ "reflex.syn_flood", LAYER_REFLEX, VERDICT_DROP, "", 50, 3000 },
	{ "odd \"id\"\\\n", LAYER_BLOCK, VERDICT_REJECT, "", 18446744073709551615u, 0 },
};

static struct history_row past[] = {
	{ 2, "ab12", "edge", "3.2.0", 7, 1700000000, "rollback", 1, "root (policy-admin)", "unix", "pending" },
	{ 1, "cd34", "edge", "3.1.0", 0, 1600000000, "apply", 0, "token secret-name", "192.0.2.1:4", "done" },
};

static struct blocked_row blocked[] = {
	{ { { FAMILY_IP4, 0xc6336407 }, 32 }, 1700000000, "person" },
	{ { { FAMILY_IP6, (addr_num)0x20010db800000001 << 64 }, 64 }, 1700000060, "reflex.syn_flood" },
};

static struct feed_row fed[] = {
	{ .name = "drop", .format = FORMAT_NETSET, .member = "", .most = 3, .stale_s = 3600, .stale_keeps = 1, .loaded = 1700000000,
	  .entries = 2, .prefixes = 2, .digest = "ef56", .in_force = 1 },
	{ .name = "more", .format = FORMAT_CSV, .member = "", .column = 2, .most = 10, .stale_s = 60, .digest = "" },
};

static void learn_part(struct api_stage *s)
{
	s->play.status = (struct status){
		.cookies = "",
		.generation = 9007199254740993, /* 2^53 + 1: no double holds it */
		.bundle = "ab12", .policy = "edge", .version = "3.2.0", .posture = "BALANCED",
		.posture_reason = "back to \"normal\"\xc3\xa9", .posture_since = 1700000000, .posture_until = 1700003600, .posture_next = "CALM", .started = 1600000000,
		.adopted = "adopted", .engine = "mixed", .nft_digest = "cd34", .intact = 1, .fault = "", .drift.fault = "", .own_blocked = "", .refuses = "", .flows = { 1, 12, 4096, 5, 6, 0 }, .events = { "xdp", 7, 3, 2, 1 },
		.postures = postures, .posture_count = ARRAY_LEN(postures),
		.interfaces = interfaces, .interface_count = ARRAY_LEN(interfaces),
	};
	s->play.counters = (struct counters){ .rows = rows, .row_count = ARRAY_LEN(rows), .blocked_sources = 3 };
	s->play.counters.causes[CAUSE_SHORT_IP] = 11;
	s->play.counters.passed[CAUSE_VLAN_DEPTH] = 3;
	s->play.result = (struct result){ RESULT_OK, "", "done", 4, "LOCKDOWN", .tests_run = 12 };
}

static void note_asker(struct api_stage *s, const struct asker *by)
{
	snprintf(s->base, sizeof s->base, "%s", by->base);
	snprintf(s->who, sizeof s->who, "%s", by->who);
	snprintf(s->from, sizeof s->from, "%s", by->from);
}

static void note(struct api_stage *s, const struct message *m, struct arena *a)
{
	struct set_posture asked;
	struct err why;
	struct stat st;

	s->asked[m->kind]++;
	if (m->kind == MESSAGE_SET_POSTURE && !set_posture_decode(&asked, a, m->payload, m->len, &why)) {
		snprintf(s->posture, sizeof s->posture, "%s", asked.name);
		snprintf(s->reason, sizeof s->reason, "%s", asked.reason);
		s->seconds = asked.seconds;
		note_asker(s, &asked.by);
	}
	if (m->kind == MESSAGE_APPLY) {
		struct apply ask;
		s->bundle_downgrade = -1;
		if (!apply_decode(&ask, a, m->payload, m->len, &why)) {
			s->bundle_downgrade = ask.downgrade;
			s->confirm = ask.confirm;
			note_asker(s, &ask.by);
		}
	}
	struct settle settle;
	if ((m->kind == MESSAGE_CONFIRM || m->kind == MESSAGE_CANCEL) && !settle_decode(&settle, a, m->payload, m->len, &why)) {
		s->opened_ns = settle.opened_ns;
		note_asker(s, &settle.by);
	}
	struct rollback rollback;
	if (m->kind == MESSAGE_ROLLBACK && !rollback_decode(&rollback, a, m->payload, m->len, &why)) {
		s->to = rollback.to;
		s->confirm = rollback.confirm;
	}
	struct block block;
	if (m->kind == MESSAGE_BLOCK && !block_decode(&block, a, m->payload, m->len, &why)) {
		s->seconds = block.seconds;
		s->blocked_count = block.source_count;
		s->blocked_last = block.sources[block.source_count - 1];
		note_asker(s, &block.by);
	}
	struct feed_given feed;
	if (m->kind == MESSAGE_FEED && !feed_given_decode(&feed, a, m->payload, m->len, &why)) {
		snprintf(s->feed, sizeof s->feed, "%s", feed.name);
		s->feed_entries = feed.entries;
		note_asker(s, &feed.by);
	}
	if (m->kind == MESSAGE_APPLY && m->fd >= 0 && !fstat(m->fd, &st)) {
		s->bundle_len = (size_t)st.st_size;
		s->bundle_seals = fcntl(m->fd, F_GET_SEALS);
		memset(s->bundle_head, 0, sizeof s->bundle_head);
		must(pread(m->fd, s->bundle_head, sizeof s->bundle_head - 1, 0) >= 0, "read the bundle");
	}
}

static enum message_kind play(struct api_stage *s, struct buf *out, enum message_kind asked)
{
	if (asked == (s->play.wrong ? MESSAGE_ASK_COUNTERS : MESSAGE_ASK_STATUS)) {
		status_encode(out, &s->play.status);
		return MESSAGE_STATUS;
	}
	if (asked == MESSAGE_ASK_COUNTERS || asked == MESSAGE_ASK_STATUS) {
		s->play.counters.at_ns = clock_ns(CLOCK_MONOTONIC);
		counters_encode(out, &s->play.counters);
		return MESSAGE_COUNTERS;
	}
	if (asked == MESSAGE_ASK_HISTORY) {
		history_encode(out, &(struct history){ past, ARRAY_LEN(past), 2 });
		return MESSAGE_HISTORY;
	}
	if (asked == MESSAGE_ASK_BUNDLE) {
		kept_bundle_encode(out, &(struct kept_bundle){ "ab12" });
		return MESSAGE_BUNDLE;
	}
	if (asked == MESSAGE_ASK_BLOCKS) {
		blocks_encode(out, &(struct blocks){ blocked, ARRAY_LEN(blocked), 5, true });
		return MESSAGE_BLOCKS;
	}
	if (asked == MESSAGE_ASK_FEEDS) {
		feeds_told_encode(out, &(struct feeds_told){ fed, ARRAY_LEN(fed) });
		return MESSAGE_FEEDS;
	}
	if (asked == MESSAGE_ASK_AUDIT) {
		audit_head_encode(out, &(struct audit_head){ 1, sizeof STAGE_AUDIT - 1 });
		return MESSAGE_AUDIT;
	}
	result_encode(out, &s->play.result);
	return MESSAGE_RESULT;
}

/* A line is being written, and is not whole yet. */
static int audit_file(void)
{
	static const char text[] = STAGE_AUDIT "{\"half";
	int fd = memfd_create("audit", MFD_CLOEXEC);

	must(fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1, "make an audit log");
	return fd;
}

static bool act(struct api_stage *s)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf payload = { 0 };
	struct message m, answer = { .fd = -1 };
	struct err why;

	if (message_receive(s->sock, ROLE_WARDEN, a, &m, &why))
		return false;
	own(fd) int fd = m.fd;
	pthread_mutex_lock(&s->lock);
	note(s, &m, a);
	const unsigned delay_ms = s->play.delay_ms;
	const bool mute = s->play.mute;
	pthread_mutex_unlock(&s->lock);
	if (delay_ms)
		nanosleep(&(struct timespec){ delay_ms / 1000, delay_ms % 1000 * 1000000 }, NULL);
	pthread_mutex_lock(&s->lock);
	answer.kind = play(s, &payload, m.kind);
	pthread_mutex_unlock(&s->lock);
	answer.id = m.id;
	answer.payload = buf_text(&payload);
	answer.len = payload.len;
	own(fd) int log = answer.kind == MESSAGE_AUDIT || answer.kind == MESSAGE_BUNDLE ? audit_file() : -1;
	answer.fd = log;
	return mute || !message_send(s->sock, &answer, &why);
}

static void *actor(void *stage)
{
	while (act(stage))
		continue;
	return NULL;
}

/* ---- the stage ----------------------------------------------------------------------------- */

static int listen_unix(const char *dir)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s/api.sock", dir);
	must(fd >= 0 && !bind(fd, (struct sockaddr *)&at, sizeof at) && !listen(fd, 128), "listen");
	must(!chmod(at.sun_path, 0666), "open the socket to all");
	return fd;
}

static int listen_tcp(uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && !bind(fd, (struct sockaddr *)&at, sizeof at) && !listen(fd, 128), "listen");
	must(!getsockname(fd, (struct sockaddr *)&at, &len), "find the port");
	*port = ntohs(at.sin_port);
	return fd;
}

/* Two users by number, as the names of none are sure. */
static struct roster *stage_roster(void)
{
	struct roster *r = roster_new();
	struct err why;

	roster_add_token(r, "look", ACCESS_VIEWER, STAGE_VIEWER);
	roster_add_token(r, "act", ACCESS_OPERATOR, STAGE_OPERATOR);
	roster_add_token(r, "rule", ACCESS_POLICY_ADMIN, STAGE_TOKEN);
	must(!roster_add_peers(r, ACCESS_VIEWER, "4001, @5001", &why) &&
	     !roster_add_peers(r, ACCESS_OPERATOR, "4002, @5001", &why), why.text);
	return r;
}

struct api_stage *api_stage_new(void)
{
	struct api_stage *s = calloc(1, sizeof *s);
	struct err why = { 0 };
	int ends[2];

	must(s != NULL, "begin");
	pthread_mutex_init(&s->lock, NULL);
	strcpy(s->dir, "/tmp/teg-api-XXXXXX");
	must(mkdtemp(s->dir) && !chmod(s->dir, 0755), "make a directory");
	must(!message_pair(ends, &why), why.text);
	int unix_fd = listen_unix(s->dir), tcp_fd = listen_tcp(&s->port);
	learn_part(s);

	s->api = fork();
	must(s->api >= 0, "fork");
	if (!s->api) {
		own(roster) struct roster *roster = stage_roster();

		close(ends[0]);
		free(s);
		const struct api_keys keys = { .roster = roster };
		int rc = api_run(ends[1], unix_fd, tcp_fd, &keys);
		roster_free(take(roster)); /* exit() runs no cleanup */
		exit(rc);
	}
	close(ends[1]);
	close(unix_fd);
	close(tcp_fd);
	s->sock = ends[0];
	must(!pthread_create(&s->actor, NULL, actor, s), "play");
	return s;
}

int api_stage_end(struct api_stage *s)
{
	char path[100];
	int status;

	kill(s->api, SIGTERM);
	must(waitpid(s->api, &status, 0) == s->api, "wait for the api");
	pthread_join(s->actor, NULL);
	close(s->sock);
	snprintf(path, sizeof path, "%s/api.sock", s->dir);
	unlink(path);
	rmdir(s->dir);
	free(s);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int api_stage_connect(const struct api_stage *s, enum stage_door d)
{
	const struct timeval limit = { .tv_sec = 30 };
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(s->port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(d == DOOR_UNIX ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(path.sun_path, sizeof path.sun_path, "%s/api.sock", s->dir);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	must(!(d == DOOR_UNIX ? connect(fd, (struct sockaddr *)&path, sizeof path)
			      : connect(fd, (struct sockaddr *)&at, sizeof at)), "connect");
	return fd;
}

size_t api_stage_rss_kib(const struct api_stage *s)
{
	char path[64], line[256];
	size_t kib = 0;

	snprintf(path, sizeof path, "/proc/%d/status", s->api);
	own(file) FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "VmRSS: %zu", &kib) == 1)
			break;
	return kib;
}

size_t api_stage_fds(const struct api_stage *s)
{
	char path[64];
	size_t n = 0;

	snprintf(path, sizeof path, "/proc/%d/fd", s->api);
	DIR *d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

int http_ask(struct buf *answer, int sock, const void *bytes, size_t len)
{
	static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
	own(fd) int fd = sock;
	char chunk[4096];
	ssize_t got;
	int status = 0;

	buf_release(answer);
	for (size_t at = 0; at < len;) {
		ssize_t sent = send(fd, (const char *)bytes + at, len - at, MSG_NOSIGNAL);
		if (sent <= 0)
			break; /* it may have answered before it stopped listening */
		at += (size_t)sent;
	}
	while ((got = recv(fd, chunk, sizeof chunk, 0)) > 0)
		buf_add(answer, chunk, (size_t)got);
	const char *final = buf_text(answer);
	while (!strncmp(final, interim, sizeof interim - 1))
		final += sizeof interim - 1;
	sscanf(final, "HTTP/1.1 %d", &status);
	return status;
}

int http_ask_text(struct buf *answer, int sock, const char *text)
{
	return http_ask(answer, sock, text, strlen(text));
}

const char *http_body(const struct buf *answer)
{
	const char *end = strstr(buf_text(answer), "\r\n\r\n");

	return end ? end + 4 : "";
}
