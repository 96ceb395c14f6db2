#include "enforcer/warden/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lang/base/own.h"

/* ---- capabilities ------------------------------------------------------------------- */

static const unsigned kept[] = {
	CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN,		/* nftables, XDP, programs by their number */
	CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_CHOWN, CAP_KILL,	/* the api becomes an ordinary user, and is ended */
	CAP_DAC_READ_SEARCH,
};

static bool is_kept(unsigned capability)
{
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		if (kept[i] == capability)
			return true;
	return false;
}

static int drop_capabilities(struct err *why)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { 0 };

	for (unsigned c = 0; c < 64; c++)
		if (!is_kept(c) && prctl(PR_CAPBSET_DROP, (unsigned long)c, 0, 0, 0) && errno != EINVAL)
			return err_sys(why, "cannot drop capability %u", c);
	if (syscall(SYS_capget, &head, sets))
		return err_sys(why, "cannot read the capabilities");
	for (unsigned c = 0; c < 64; c++)
		if (!is_kept(c))
			sets[c / 32].permitted &= ~(1u << c % 32);
	for (size_t i = 0; i < 2; i++) {
		sets[i].effective = sets[i].permitted;
		sets[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, sets) ? err_sys(why, "cannot give capabilities up") : 0;
}

/* ---- system calls --------------------------------------------------------------------- */

static const int useless[] = {
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(move_mount), SCMP_SYS(open_tree),
	SCMP_SYS(fsopen), SCMP_SYS(fsmount), SCMP_SYS(fsconfig), SCMP_SYS(mount_setattr), SCMP_SYS(swapon), SCMP_SYS(swapoff),
	SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime),
	SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime), SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(syslog),
	SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(keyctl), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp),
	SCMP_SYS(userfaultfd), SCMP_SYS(perf_event_open), SCMP_SYS(open_by_handle_at), SCMP_SYS(fanotify_init),
	SCMP_SYS(io_uring_setup), SCMP_SYS(mknod), SCMP_SYS(mknodat),
#ifndef __SANITIZE_ADDRESS__ /* which looks for leaks with it */
	SCMP_SYS(ptrace),
#endif
};

static void filter_ctx_own_(scmp_filter_ctx *f)
{
	seccomp_release(*f);
}

static int add_rules(scmp_filter_ctx f)
{
	const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
	int rc = seccomp_rule_add(f, refuse, SCMP_SYS(socket), 1, SCMP_A0_32(SCMP_CMP_GT, AF_NETLINK));

	for (unsigned family = 0; !rc && family < AF_NETLINK; family++) /* a rule compares an argument once */
		if (family != AF_UNIX)
			rc = seccomp_rule_add(f, refuse, SCMP_SYS(socket), 1, SCMP_A0_32(SCMP_CMP_EQ, family));
	for (size_t i = 0; !rc && i < sizeof useless / sizeof *useless; i++)
		rc = seccomp_rule_add(f, refuse, useless[i], 0);
	return rc;
}

static int refuse_calls(struct err *why)
{
	own(filter_ctx) scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int rc = f ? add_rules(f) : -ENOMEM;

	if (!rc)
		rc = seccomp_load(f);
	return rc ? err_set(why, -rc, "cannot give system calls up") : 0;
}

int warden_confine(struct err *why)
{
	int rc = drop_capabilities(why);

	if (rc)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_sys(why, "cannot confine the process");
	return refuse_calls(why);
}
