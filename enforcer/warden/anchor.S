/* anchor - the anchor's object file, as bytes; see anchor.h. */
	.section .rodata
	.balign 16
	.global anchor_object, anchor_object_end
anchor_object:
	.incbin "anchor.bpf.o"
anchor_object_end:
	.section .note.GNU-stack, "", %progbits
