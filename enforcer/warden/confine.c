#include "enforcer/warden/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enforcer/proc/allow.h"
#include "enforcer/warden/hurry.h"

static const unsigned kept[] = {
	CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN,		/* nftables, XDP, programs by their number */
	CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_CHOWN, CAP_KILL,	/* the api becomes an ordinary user, and is ended */
	CAP_SYS_NICE,		/* itself, before others in a switch */
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

int warden_confine(struct err *why)
{
	hurry_somewhat();
	int rc = drop_capabilities(why);

	if (rc)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_sys(why, "cannot confine the process");
	return allow_only(ROLE_WARDEN, why);
}
