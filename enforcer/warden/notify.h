/*
 * notify - what the service manager is told: ready, alive, stopping (sd_notify(3), datagrams to $NOTIFY_SOCKET).
 *
 * The protocol is a line of text in a datagram, promised to stay; so it is written here, and the privileged
 * process does not load libsystemd with all that comes with it.
 */
#ifndef TEG_WARDEN_NOTIFY_H
#define TEG_WARDEN_NOTIFY_H

#include <stdint.h>

struct notify {
	int sock;	  /* -1 when nobody wants to be told */
	uint64_t pause_ms; /* how often to say that it is alive; 0: not at all */
	uint64_t alive_at_ms;
};

#define NOTIFY_NONE (struct notify){ .sock = -1 }

/* From the environment, which keeps nothing of it for others. */
struct notify notify_open(void);
void notify_close(struct notify *n);

/* "READY=1", "STATUS=…", … ; nobody is waited for. */
void notify_say(const struct notify *n, const char *state);

/* Says so when it is time; the value is how long until then, UINT64_MAX when nobody asked. */
uint64_t notify_alive(struct notify *n, uint64_t now_ms);

#endif
