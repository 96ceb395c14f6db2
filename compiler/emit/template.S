/* template - the policy program's object file, as bytes; emit_xdp_object() gives it out. */
	.section .rodata
	.balign 16
	.global policy_object, policy_object_end
policy_object:
	.incbin "policy.bpf.o"
policy_object_end:
	.section .note.GNU-stack, "", %progbits
