/* anchor - the anchors' object files, as bytes; see anchor.h. */
	.section .rodata
	.balign 16
	.global anchor_object, anchor_object_end, anchor_tc_object, anchor_tc_object_end
anchor_object:
	.incbin "anchor.bpf.o"
anchor_object_end:
	.balign 16
anchor_tc_object:
	.incbin "anchor_tc.bpf.o"
anchor_tc_object_end:
	.section .note.GNU-stack, "", %progbits
