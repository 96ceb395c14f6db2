/* What the warden has given up, it cannot have: sockets of a network, other namespaces, capabilities, a way back. */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/warden/confine.h"
#include "tests/lib/tap.h"

static long family(int f)
{
	long fd = socket(f, SOCK_DGRAM, 0);

	if (fd >= 0)
		close((int)fd);
	return fd;
}

static long tcp(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static long udp6(void) { return family(AF_INET6); }
static long packet(void) { return socket(AF_PACKET, SOCK_RAW, 0); }
static long vsock(void) { return family(AF_VSOCK); }
static long local(void) { return family(AF_UNIX); }
static long netlink(void) { return socket(AF_NETLINK, SOCK_RAW, 12); }
static long new_network(void) { return unshare(CLONE_NEWNET); }
static long other_network(void) { return setns(0, CLONE_NEWNET); }
static long mounting(void) { return mount("none", "/tmp", "tmpfs", 0, NULL); }
static long module(void) { return syscall(SYS_init_module, NULL, 0, ""); }
static long reboot_now(void) { return syscall(SYS_reboot, 0, 0, 0, NULL); }
static long clock_set(void) { return syscall(SYS_clock_settime, 0, NULL); }
static long keyring(void) { return syscall(SYS_keyctl, 0, 0, 0, 0, 0); }
static long handle(void) { return syscall(SYS_open_by_handle_at, 0, NULL, 0); }
static long device(void) { return mknod("/tmp/teg-confine-device", S_IFCHR | 0600, 0x0103); }
static long raw_bound(void) { return prctl(PR_CAPBSET_READ, CAP_SYS_MODULE, 0, 0, 0); }
static long admin_bound(void) { return prctl(PR_CAPBSET_READ, CAP_NET_ADMIN, 0, 0, 0); }

/* A refusal is 0; otherwise what the call gives. */
static const struct {
	const char *claim;
	long (*call)(void);
	bool refused;
} calls[] = {
	{ "a TCP socket", tcp, true }, { "a UDP socket of IPv6", udp6, true }, { "a packet socket", packet, true },
	{ "a socket to a hypervisor", vsock, true }, { "a local socket", local, false }, { "a netlink socket", netlink, false },
	{ "a new network namespace", new_network, true }, { "another network namespace", other_network, true },
	{ "a mount", mounting, true }, { "a kernel module", module, true }, { "a reboot", reboot_now, true },
	{ "another time", clock_set, true }, { "a keyring", keyring, true }, { "a file by its handle", handle, true },
	{ "a device", device, true },
};

static unsigned bits_of(uint64_t set)
{
	return (unsigned)__builtin_popcountll(set);
}

static uint64_t permitted(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { 0 };

	syscall(SYS_capget, &head, sets);
	return (uint64_t)sets[1].permitted << 32 | sets[0].permitted;
}

/* In a process of its own, which gives its findings as bits. */
static uint64_t found_by_the_confined(int write_to)
{
	struct err why;
	uint64_t held = 0;

	if (warden_confine(&why)) {
		dprintf(STDERR_FILENO, "%s\n", why.text);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		errno = 0;
		const long rc = calls[i].call();
		const bool refused = rc < 0 && errno == EPERM;
		held |= (uint64_t)(refused == calls[i].refused) << i;
	}
	held |= (uint64_t)(bits_of(permitted()) <= 10 && !raw_bound() && admin_bound()) << 40;
	held |= (uint64_t)(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2) << 41;
	return write(write_to, &held, sizeof held) == sizeof held;
}

int main(void)
{
	uint64_t held = 0;
	int ends[2], status;

	if (geteuid()) {
		tap_skip("needs root", "what is given up is gone");
		return tap_done();
	}
	if (pipe(ends))
		return 1;
	fflush(stdout);
	if (!fork())
		_exit(!found_by_the_confined(ends[1]));
	close(ends[1]);
	tap_ok(read(ends[0], &held, sizeof held) == sizeof held && wait(&status) > 0 && !status, "it confines itself");
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		tap_ok(held >> i & 1, "%s: %s", calls[i].claim, calls[i].refused ? "refused" : "can be had");
	tap_ok(held >> 40 & 1, "ten capabilities are left at most, and no other can be gained");
	tap_ok(held >> 41 & 1, "there is no way back");
	return tap_done();
}
