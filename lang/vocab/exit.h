/*
 * exit - what a command answers to the shell: the rows of exit.def.
 */
#ifndef TEG_VOCAB_EXIT_H
#define TEG_VOCAB_EXIT_H

enum exit_code {
#define EXIT(id, number, about) EXIT_##id = number,
#include "lang/vocab/exit.def"
#undef EXIT
};

#endif
