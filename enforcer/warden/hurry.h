/*
 * hurry - the warden goes before every ordinary process for a while.
 *
 * Between the first and the last step of a switch both sides judge every packet. That time is as long as the warden waits
 * for its turn, once for each processor that it visits (docs/decisions/0018-ahead-of-others-in-a-switch.md).
 *
 *     own(hurry) struct hurry h = hurry_begin(&lasted_ns);
 *
 * Real-time priority 1, the least there is (sched(7)), which the kernel itself bounds; nothing is started meanwhile.
 * Where it is not granted (CAP_SYS_NICE) the switch is the same, and may last longer.
 */
#ifndef TEG_WARDEN_HURRY_H
#define TEG_WARDEN_HURRY_H

#include <stdbool.h>
#include <stdint.h>

struct hurry {
	bool granted;
	uint64_t began_ns, *lasted_ns;
};

/* How long it lasted is stored at its end. */
struct hurry hurry_begin(uint64_t *lasted_ns);

/*
 * From now on this process and what it starts are some steps before others (nice -10): who takes up all processors, or what
 * arrives and keeps them busy, does not keep an operator from changing the posture. Where it is not granted, they are not.
 */
void hurry_somewhat(void);
void hurry_own_(struct hurry *h);

#endif
