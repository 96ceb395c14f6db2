/* console - the web console's files, as bytes; see console.c. */
	.macro file name, path
	.global console_\name, console_\name\()_end
console_\name:
	.incbin "\path"
console_\name\()_end:
	.byte 0
	.endm

	.section .rodata
	file html, "enforcer/api/console/console.html"
	file css, "enforcer/api/console/console.css"
	file js, "enforcer/api/console/console.js"
	.section .note.GNU-stack, "", %progbits
