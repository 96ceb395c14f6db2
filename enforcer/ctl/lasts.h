/*
 * lasts - a time as people write it, in seconds: 30s, 30m, 8h, 2d.
 */
#ifndef TEG_CTL_LASTS_H
#define TEG_CTL_LASTS_H

#include <cjson/cJSON.h>

/* 0 when it is none of these. */
unsigned long lasts_read(const char *text);

/* As the api takes it: in minutes, or else in seconds; nothing of 0. */
void lasts_add(cJSON *to, unsigned long seconds);

#endif
