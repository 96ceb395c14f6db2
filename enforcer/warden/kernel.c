#include "enforcer/warden/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <sched.h>

#include "enforcer/hook/block_table.h"
#include "lang/base/clock.h"

/* ---- opening ------------------------------------------------------------------- */

static int open_pin_dir(const char *dir, struct err *why)
{
	struct statfs fs;
	const bool is_new = !mkdir(dir, 0700);

	if (!is_new && errno != EEXIST)
		return err_sys(why, "cannot make the pin directory %s (is a bpf file system mounted? "
			       "mount -t bpf bpf /sys/fs/bpf)", dir);
	if (statfs(dir, &fs))
		return err_sys(why, "cannot look at the pin directory %s", dir);
	if ((unsigned long)fs.f_type == BPF_FS_MAGIC)
		return 0;
	if (is_new)
		rmdir(dir);
	return err_set(why, ENOTSUP, "the pin directory %s is not on a bpf file system: "
		       "mount -t bpf bpf /sys/fs/bpf", dir);
}

/* The links of another version are pinned beside its maps: they go on judging before whatever judges now. */
static void note_stale(struct kernel *k, const char *what)
{
	snprintf(k->stale, sizeof k->stale,
		 "%.200s: programs of that version judge on before nft, by the policy of then; nft has all layers, so take them away "
		 "(rm -r %.150s) and start tegd again", what, k->settings->pin_dir);
}

/* They stand until a generation of this version is in force, and that is told while it is so. */
static void note_older(struct kernel *k)
{
	if (k->older.pins)
		snprintf(k->stale, sizeof k->stale,
			 "another version of tegd has pinned what is in %.150s; its programs judge on, by the policy of then, until a "
			 "bundle that this version reads is applied, which takes over from them without a gap", k->settings->pin_dir);
}

void kernel_end_older(struct kernel *k)
{
	const bool lost = k->older.blocks_lost;

	if (!k->older.pins)
		return;
	older_end(&k->older, k->settings->pin_dir);
	k->stale[0] = '\0';
	snprintf(k->taken, sizeof k->taken, "what another version of tegd had pinned is taken over%s",
		 lost ? "; its runtime blocks are of a layout that this one does not read, and are lost" : "");
}

/* The others that programs need are within this one. */
static int may_have_programs(struct err *why)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { 0 };

	if (syscall(SYS_capget, &head, sets))
		return err_sys(why, "cannot read the capabilities");
	if (sets[0].effective & 1u << CAP_SYS_ADMIN)
		return 0;
	return err_set(why, EPERM, "tegd lacks CAP_SYS_ADMIN: without it a program that judges cannot be found by its number, to be replaced");
}

static int open_xdp(struct kernel *k, struct err *why)
{
	const char *dir = k->settings->pin_dir;
	int rc = may_have_programs(why);

	if (!rc)
		rc = open_pin_dir(dir, why);
	if (!rc)
		rc = older_open(&k->older, dir, why);
	if (!rc)
		rc = shared_open(&k->shared, dir, why);
	if (rc == -EEXIST)
		note_stale(k, why->text);
	if (rc)
		return rc;
	note_older(k);
	void *page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, k->shared.active, 0);
	if (page == MAP_FAILED)
		return err_sys(why, "cannot map teg_active");
	k->active = page;
	rc = xdp_open(&k->xdp, dir, k->shared.slots, why);
	if (!rc && (rc = tc_open(&k->tc, dir, k->shared.tc_slots, TC_TCX, why))) {
		snprintf(k->without_tc, sizeof k->without_tc, "%.250s", why->text);
		rc = k->settings->judge == ENGINE_TC ? rc : 0;
	}
	return rc;
}

/* Whatever its version. */
static bool has_pins(const char *dir)
{
	const struct dirent *e;
	DIR *d = opendir(dir);
	bool any = false;

	if (!d)
		return false;
	while ((e = readdir(d)))
		any = any || e->d_name[0] != '.';
	closedir(d);
	return any;
}

/* With nft asked for, XDP is opened only to take leave of what an earlier start attached. */
static bool wants_xdp(const struct settings *s)
{
	return s->judge != ENGINE_NFT || has_pins(s->pin_dir);
}

static void kernel_own_(struct kernel *k)
{
	kernel_release(k);
}

int kernel_open(struct kernel *out, const struct settings *s, struct err *why)
{
	own(kernel) struct kernel k = KERNEL_NONE;
	struct err none = { 0 };

	k.settings = s;
	int rc = filter_open(&k.filter, why);

	if (!rc)
		rc = route_open(&k.route, why);
	if (rc)
		return rc;
	if (wants_xdp(s) && open_xdp(&k, &none)) {
		if (s->judge != ENGINE_AUTO && s->judge != ENGINE_NFT) {
			*why = none;
			return err_in(why, "%s cannot be had", s->judge == ENGINE_TC ? "TC" : "XDP");
		}
		snprintf(k.without, sizeof k.without, "%.250s", none.text);
	}
	*out = k;
	k = (struct kernel)KERNEL_NONE;
	return 0;
}

void kernel_release(struct kernel *k)
{
	block_table_close(&k->blocks);
	if (k->active)
		munmap(k->active, (size_t)sysconf(_SC_PAGESIZE));
	xdp_free(k->xdp);
	tc_free(k->tc);
	shared_release(&k->shared);
	route_free(k->route);
	filter_free(k->filter);
	older_release(&k->older);
	arena_free(k->self_arena);
	*k = (struct kernel)KERNEL_NONE;
}

/* ---- the posture ------------------------------------------------------------------ */

void kernel_set_posture(struct kernel *k, char bank, uint32_t posture)
{
	if (k->active)
		__atomic_store_n(&k->active->posture[bank == 'b'], posture, __ATOMIC_SEQ_CST);
}

uint32_t kernel_posture(const struct kernel *k, char bank)
{
	return k->active ? __atomic_load_n(&k->active->posture[bank == 'b'], __ATOMIC_SEQ_CST) : 0;
}

/* Parts of a kernel for real time may set a packet aside half-way (CONFIG_PREEMPT_RT). */
static bool finishes_packets(void)
{
	struct utsname is;

	return !uname(&is) && !strstr(is.version, "PREEMPT_RT");
}

/* Runs on every processor that is online, one after the other. False when one of them is out of reach. */
static bool visit_processors(void)
{
	const long online = access("/sys/devices/system/cpu/online", R_OK) ? 0 : sysconf(_SC_NPROCESSORS_ONLN);
	long visited = 0;
	cpu_set_t before;

	if (online < 1 || sched_getaffinity(0, sizeof before, &before))
		return false;
	for (int cpu = 0; cpu < CPU_SETSIZE && visited < online; cpu++) {
		cpu_set_t here;

		CPU_ZERO(&here);
		CPU_SET(cpu, &here);
		visited += !sched_setaffinity(0, sizeof here, &here);
	}
	return !sched_setaffinity(0, sizeof before, &before) && visited == online;
}

/*
 * docs/decisions/0017-a-visit-for-a-grace-period.md. MEMBARRIER_CMD_GLOBAL waits for an RCU grace period
 * (kernel/sched/membarrier.c). Where that call is missing, twice the longest that was seen.
 */
void kernel_wait_for_packets(void)
{
	const struct timespec long_enough = { .tv_nsec = 50000000 };

	if (finishes_packets() && visit_processors())
		return;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&long_enough, NULL);
}

static void forget_self(struct kernel *k)
{
	arena_free(k->self_arena);
	k->self_arena = NULL;
}

static int read_self(struct kernel *k, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	int rc = route_addresses(k->route, &k->self, a, why);

	if (!rc)
		k->self_arena = take(a);
	return rc;
}

int kernel_self(struct kernel *k, struct addresses *out, struct err *why)
{
	int rc = k->self_arena ? 0 : read_self(k, why);

	*out = k->self;
	return rc;
}

int kernel_follow_self(struct kernel *k, struct err *why)
{
	own(arena) struct arena *a = arena_new();
	struct addr *each = arena_zero(a, (TEG_SELF_MAX + 1) * sizeof *each);
	struct addresses now;

	forget_self(k);
	int rc = kernel_self(k, &now, why);
	return rc || !k->xdp ? rc : shared_set_self(&k->shared, each, addresses_each(&now, each, TEG_SELF_MAX + 1), why);
}

/* ---- runtime blocks ---------------------------------------------------------------- */

struct block_table *kernel_blocks(struct kernel *k, struct err *why)
{
	return k->blocks.at || !block_table_open(&k->blocks, &k->shared, why) ? &k->blocks : NULL;
}

bool kernel_has_blocks(const struct kernel *k)
{
	return k->xdp && __atomic_load_n(&k->active->blocks_until_ns, __ATOMIC_RELAXED) > clock_ns(CLOCK_MONOTONIC);
}

int kernel_count_blocks(struct kernel *k, uint64_t *in_force, struct err *why)
{
	*in_force = 0;
	if (!kernel_has_blocks(k))
		return 0;
	const struct block_table *t = kernel_blocks(k, why);
	if (!t)
		return why->code;
	*in_force = block_table_count(t, clock_ns(CLOCK_MONOTONIC));
	return 0;
}

int kernel_blocks_left_out(struct kernel *k, uint64_t *more, struct err *why)
{
	const bool idle = !kernel_has_blocks(k);

	*more = 0;
	if (!k->xdp || (idle && !k->blocks.at && !__atomic_load_n(&k->active->nets, __ATOMIC_RELAXED)))
		return 0;
	struct block_table *t = kernel_blocks(k, why);
	if (!t)
		return why->code;
	block_table_tidy(t, clock_ns(CLOCK_MONOTONIC));
	const uint64_t full = __atomic_load_n(&t->at->full, __ATOMIC_RELAXED);
	*more = full - k->left_out;
	k->left_out = full;
	if (idle)
		block_table_close(&k->blocks); /* 17 MB of address space, and as much in what is counted as this process's memory */
	return 0;
}

/* ---- pins ----------------------------------------------------------------------------- */

unsigned kernel_pins_wanted(const struct kernel *k)
{
	return SHARED_MAPS + 1u + (k->tc ? 1 : 0);
}

int kernel_pins(struct kernel *k, unsigned *there, struct err *why)
{
	const char *lost;
	const bool anchor = xdp_is_pinned(k->xdp, false), anchor_tc = k->tc && tc_is_pinned(k->tc, false);

	*there = shared_pins(&k->shared, k->settings->pin_dir, false, &lost) + anchor + anchor_tc;
	if (*there == kernel_pins_wanted(k))
		return 0;
	return err_set(why, EUCLEAN, "xdp: the pin %s is gone", !anchor ? "anchor" : k->tc && !anchor_tc ? "anchor_tc" : lost);
}

int kernel_pin_again(struct kernel *k, struct err *why)
{
	const char *lost;
	unsigned there;
	int rc = open_pin_dir(k->settings->pin_dir, why);

	if (rc)
		return rc;
	xdp_is_pinned(k->xdp, true);
	if (k->tc)
		tc_is_pinned(k->tc, true);
	shared_pins(&k->shared, k->settings->pin_dir, true, &lost);
	return kernel_pins(k, &there, why);
}
