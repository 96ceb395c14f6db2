/* carried - the policy program's object files, as bytes; see carried.h. */
	.section .rodata
	.balign 16
	.global policy_object, policy_object_end, policy_digest, policy_tc_object, policy_tc_object_end, policy_tc_digest
policy_object:
	.incbin "policy.bpf.o"
policy_object_end:
	.balign 16
policy_tc_object:
	.incbin "policy_tc.bpf.o"
policy_tc_object_end:
policy_digest:
	.incbin "policy.bpf.o.sha256"
	.byte 0
policy_tc_digest:
	.incbin "policy_tc.bpf.o.sha256"
	.byte 0
	.section .note.GNU-stack, "", %progbits
