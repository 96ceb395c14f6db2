/* What a role has given up, it cannot have: calls that are no row of allow.def, calls with other arguments, capabilities, a way back. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/proc/role.h"
#include "enforcer/warden/confine.h"
#include "tests/lib/tap.h"

#define CALLS_MOST 512 /* more than any architecture has */

static long family(int f)
{
	return socket(f, SOCK_DGRAM, 0);
}

static long mapped(int protection)
{
	return mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long to_execute(void)
{
	static _Alignas(4096) char page[4096];

	return mprotect(page, sizeof page, PROT_READ | PROT_EXEC);
}

static long command(int which)
{
	return syscall(SYS_bpf, which, NULL, 0);
}

static long tcp(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static long udp6(void) { return family(AF_INET6); }
static long packet(void) { return socket(AF_PACKET, SOCK_RAW, 0); }
static long vsock(void) { return family(AF_VSOCK); }
static long crypto(void) { return socket(AF_ALG, SOCK_SEQPACKET, 0); }
static long local(void) { return family(AF_UNIX); }
static long netfilter(void) { return socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER); }
static long audit(void) { return socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT); }
static long diagnosis(void) { return socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG); }
static long new_network(void) { return unshare(CLONE_NEWNET); }
static long cloned_network(void) { return syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0); }
static long cloned_user(void) { return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0); }
static long hidden_clone(void) { return syscall(SYS_clone3, NULL, 0); }
static long other_network(void) { return setns(0, CLONE_NEWNET); }
static long mounting(void) { return mount("none", "/tmp", "tmpfs", 0, NULL); }
static long module(void) { return syscall(SYS_init_module, NULL, 0, ""); }
static long reboot_now(void) { return syscall(SYS_reboot, 0, 0, 0, NULL); }
static long clock_set(void) { return syscall(SYS_clock_settime, 0, NULL); }
static long keyring(void) { return syscall(SYS_keyctl, 0, 0, 0, 0, 0); }
static long handle(void) { return syscall(SYS_open_by_handle_at, 0, NULL, 0); }
static long device(void) { return mknod("/tmp/teg-confine-device", S_IFCHR | 0600, 0x0103); }
static long ring(void) { return syscall(SYS_io_uring_setup, 1, NULL); }
static long another(void) { return kill(1, SIGSTOP); }
static long terminal(void) { return syscall(SYS_ioctl, 0, 0x5412, "x"); }
static long code(void) { return mapped(PROT_READ | PROT_WRITE | PROT_EXEC); }
static long data(void) { return mapped(PROT_READ | PROT_WRITE); }
static long undumped(void) { return prctl(PR_SET_MM, 0, 0, 0, 0); }
static long detach(void) { return command(BPF_LINK_DETACH); }
static long detach_program(void) { return command(BPF_PROG_DETACH); }
static long trace_point(void) { return command(BPF_RAW_TRACEPOINT_OPEN); }
static long new_map(void) { return command(BPF_MAP_CREATE); }
static long barrier(void) { return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0); }
static long other_barrier(void) { return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0); }
static long scheduled(pid_t who, int policy)
{
	const struct sched_param least = { .sched_priority = policy == SCHED_OTHER ? 0 : 1 };

	return sched_setscheduler(who, policy, &least);
}
static long before_others(void) { return scheduled(0, SCHED_FIFO); }
static long among_others(void) { return scheduled(0, SCHED_OTHER); }
static long round_robin(void) { return scheduled(0, SCHED_RR); }
static long another_before(void) { return scheduled(1, SCHED_FIFO); }
static long another_moved(void)
{
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	return sched_setaffinity(1, sizeof first, &first);
}
static long execute(void) { return execl("/bin/true", "true", NULL); }
static long reading(void) { return open("/etc/passwd", O_RDONLY); }
static long listing(void) { return open("/", O_RDONLY | O_DIRECTORY); }
static long time_zone(void) { return open("/usr/share/zoneinfo/UTC", O_RDONLY); }
static long writing(void) { return open("/tmp/teg-confine", O_WRONLY | O_CREAT, 0600); }
static long removing(void) { return unlink("/tmp/teg-confine"); }
static long forking(void)
{
	pid_t p = fork();

	if (!p)
		_exit(0);
	return p > 0 ? waitpid(p, NULL, 0) : -1;
}

enum answer { GOES, REFUSED, GONE }; /* anything but these two; EPERM; ENOSYS */
static const char *const answers[] = { "can be had", "refused", "does not exist" };

/* As the warden answers, and as the api does. */
static const struct {
	const char *claim;
	long (*call)(void);
	enum answer warden, api;
} calls[] = {
	{ "a TCP socket", tcp, REFUSED, GONE },
	{ "a UDP socket of IPv6", udp6, REFUSED, GONE },
	{ "a packet socket", packet, REFUSED, GONE },
	{ "a socket to a hypervisor", vsock, REFUSED, GONE },
	{ "a socket to the kernel's ciphers", crypto, REFUSED, GONE },
	{ "a local socket", local, GOES, GONE },
	{ "netlink to netfilter", netfilter, GOES, GONE },
	{ "netlink to the audit log", audit, REFUSED, GONE },
	{ "netlink to others' sockets", diagnosis, REFUSED, GONE },
	{ "a new network namespace", new_network, GONE, GONE },
	{ "a process in a network namespace of its own", cloned_network, REFUSED, REFUSED },
	{ "a process in a user namespace of its own", cloned_user, REFUSED, REFUSED },
	{ "clone3()", hidden_clone, GONE, GONE },
	{ "another network namespace", other_network, GONE, GONE },
	{ "a mount", mounting, GONE, GONE },
	{ "a kernel module", module, GONE, GONE },
	{ "a reboot", reboot_now, GONE, GONE },
	{ "another time", clock_set, GONE, GONE },
	{ "a keyring", keyring, GONE, GONE },
	{ "a file by its handle", handle, GONE, GONE },
	{ "a device", device, GONE, GONE },
	{ "io_uring", ring, GONE, GONE },
	{ "a signal that is not the warden's", another, REFUSED, GONE },
	{ "typing at somebody's terminal", terminal, GONE, GONE },
	{ "memory to write to and to execute", code, REFUSED, REFUSED },
	{ "memory", data, GOES, GOES },
	{ "data that becomes code", to_execute, REFUSED, REFUSED },
	{ "other places of its memory", undumped, REFUSED, REFUSED },
	{ "a link of BPF taken away", detach, REFUSED, GONE },
	{ "a program of BPF taken away", detach_program, REFUSED, GONE },
	{ "a trace point", trace_point, REFUSED, GONE },
	{ "a map of BPF", new_map, GOES, GONE },
	{ "the barrier", barrier, GOES, GONE },
	{ "another barrier", other_barrier, REFUSED, GONE },
	{ "a turn before others", before_others, GOES, GONE },
	{ "its turn among them again", among_others, GOES, GONE },
	{ "another policy of turns", round_robin, REFUSED, GONE },
	{ "another's turn before others", another_before, REFUSED, GONE },
	{ "another on one processor", another_moved, REFUSED, GONE },
	{ "a file, to read", reading, GOES, REFUSED },
	{ "a directory", listing, GOES, REFUSED },
	{ "a time zone", time_zone, GOES, GOES },
	{ "a file, to write", writing, GOES, REFUSED },
	{ "a file's end", removing, GOES, GONE },
	{ "another process", forking, GOES, REFUSED },
	{ "another program", execute, GOES, GONE }, /* the last: here it goes */
};

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* What the sanitizers' runtime is let have besides. */
static bool is_sanitizers(size_t i)
{
	return calls[i].call == undumped || calls[i].call == another || calls[i].call == forking || calls[i].call == removing;
}

struct findings {
	char said[sizeof(((struct err *)0)->text)];
	uint8_t call[ARRAY_LEN(calls)]; /* enum answer */
	char there[CALLS_MOST];		/* calls of no row that are not ENOSYS */
	unsigned capabilities, bounded;
	bool no_new, filtered;
};

static uint64_t permitted(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { 0 };

	syscall(SYS_capget, &head, sets);
	return (uint64_t)sets[1].permitted << 32 | sets[0].permitted;
}

static int status_of_mine; /* opened while it could be */

static bool status_says(const char *line)
{
	static char text[8192];
	ssize_t got = lseek(status_of_mine, 0, SEEK_SET) ? 0 : read(status_of_mine, text, sizeof text - 1);

	text[got > 0 ? got : 0] = '\0';
	return strstr(text, line);
}

enum list { WARDEN = 1, STARTING = 2, API = 4 };

static const struct {
	int call;
	unsigned who;
} rows[] = {
#define CALL(name, who, ...) { SCMP_SYS(name), who },
#define WITH(name, who, ...) { SCMP_SYS(name), who },
#include "enforcer/proc/allow.def"
#undef CALL
#undef WITH
};

static bool is_listed(int call, unsigned list)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].call == call && rows[i].who & list)
			return true;
	return false;
}

/* uretprobe() and uprobe(), which the kernel's own trampolines call past every filter (Linux 6.11, x86); others die of it. */
static bool is_probe(int call)
{
	return call == 335 || call == 336;
}

static void try_all(struct findings *f, unsigned list)
{
	for (int i = 0; i < CALLS_MOST; i++)
		if (!is_listed(i, list) && !is_probe(i)) {
			errno = 0;
			f->there[i] = syscall(i, -1, -1, -1, -1, -1, -1) >= 0 || errno != ENOSYS;
		}
}

static enum answer try(size_t i)
{
	errno = 0;
	const long rc = calls[i].call();
	return rc >= 0 ? GOES : errno == EPERM || errno == EACCES ? REFUSED : errno == ENOSYS ? GONE : GOES;
}

static void look(struct findings *f, enum role me)
{
	struct err why;

	status_of_mine = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	int rc = me == ROLE_WARDEN ? warden_confine(&why) : role_confine("nobody", &why);

	if (rc) {
		snprintf(f->said, sizeof f->said, "%s", why.text);
		return;
	}
	f->capabilities = (unsigned)__builtin_popcountll(permitted());
	f->no_new = status_says("NoNewPrivs:\t1");
	f->bounded = status_says("CapBnd:\t0000000000000000") ? 0 : 1;
	f->filtered = status_says("Seccomp:\t2");
	if (!f->filtered) /* what is tried next is not for who may */
		return;
	try_all(f, me == ROLE_WARDEN ? WARDEN | STARTING | API : API);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		f->call[i] = (uint8_t)try(i);
}

/* In a process of its own; the findings are in memory that is shared. */
static void try_role(enum role me)
{
	struct findings *f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *name = role_name(me);
	char more[512] = "";
	int status;

	fflush(stdout);
	memset(f->call, 0xff, sizeof f->call);
	f->call[ARRAY_LEN(calls) - 1] = GOES; /* which does not come back */
	pid_t child = fork();
	if (!child) {
		look(f, me);
		_exit(0);
	}
	tap_ok(waitpid(child, &status, 0) == child && !status && !*f->said && f->filtered, "%s: it confines itself %s", name,
	       f->said);
	tap_ok(f->no_new, "%s: there is no way back", name);
	tap_ok(me == ROLE_WARDEN ? f->capabilities <= 11 && f->bounded : !f->capabilities && !f->bounded,
	       "%s: of the capabilities %s, and no other can be gained", name, me == ROLE_WARDEN ? "eleven at most are left" : "none is left");
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		const enum answer want = me == ROLE_WARDEN ? calls[i].warden : calls[i].api;

		if (SANITIZED && is_sanitizers(i))
			tap_skip("the sanitizers' runtime may", calls[i].claim);
		else if (!tap_ok(f->call[i] == want, "%s: %s: %s", name, calls[i].claim, answers[want]))
			tap_note("it answers: %s", f->call[i] < ARRAY_LEN(answers) ? answers[f->call[i]] : "nothing");
	}
	for (int i = 0; i < CALLS_MOST; i++)
		if (f->there[i])
			snprintf(more + strlen(more), sizeof more - strlen(more), " %d", i);
	if (!tap_ok(!*more, "%s: no call that is no row exists, of %d numbers", name, CALLS_MOST))
		tap_note("there are:%s", more);
	munmap(f, sizeof *f);
}

int main(void)
{
	if (geteuid()) {
		tap_skip("needs root", "what is given up is gone");
		return tap_done();
	}
	try_role(ROLE_WARDEN);
	try_role(ROLE_API);
	return tap_done();
}
