/*
 * minutes - a time as people write it: 30m, 8h, 2d; or shorter ones: 60s, 5m, 1h.
 */
#ifndef TEG_CTL_MINUTES_H
#define TEG_CTL_MINUTES_H

/* 0 when it is none of these, or longer than the api takes. */
unsigned long minutes_read(const char *text);
unsigned long seconds_read(const char *text);

#endif
