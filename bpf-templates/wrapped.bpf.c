/*
 * wrapped - what clang 14 makes of a jump that goes too far: for the test that such an object is refused (enforcer/hook/reach.h). Newer ones do
 * not write it, so it stands here as it would be written: 65,540 as 4.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Means: drop. Says: pass, of as many instructions as it jumps over when it goes as far as it should. */
SEC("xdp")
int wrapped(struct xdp_md *ctx __attribute__((unused)))
{
	int verdict;

	asm volatile("%0 = %1\n\t"
		     ".byte 0xb7, 0, 0, 0, 0, 0, 0, 0\n\t"  /* r0 = 0 */
		     ".byte 0x15, 0, 4, 0, 0, 0, 0, 0\n\t"  /* if r0 == 0 goto +65540 */
		     ".rept 65540\n\t"
		     "%0 = %2\n\t"
		     ".endr"
		     : "=&r"(verdict) : "i"(XDP_DROP), "i"(XDP_PASS) : "r0");
	return verdict;
}

char LICENSE[] SEC("license") = "GPL";
