/* disasm - the command; argv[0] is its name. Returns the exit code. */
#ifndef TEG_CMD_DISASM_H
#define TEG_CMD_DISASM_H

int cmd_disasm(int argc, char **argv);

#endif
