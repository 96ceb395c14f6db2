/*
 * version - of the programs, together.
 */
#ifndef TEG_BASE_VERSION_H
#define TEG_BASE_VERSION_H

#define TEGUMENTAR_VERSION "0.1.0"

#endif
