#include "enforcer/api/tickets.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct ticket {
	uint64_t until_ns; /* 0: none */
	char token[TICKET_TEXT], base[BASE_TAG_ROOM];
	struct digest bundle;
};

struct tickets {
	pthread_mutex_t lock;
	struct ticket all[TICKETS_KEPT];
	size_t next;
};

struct tickets *tickets_new(void)
{
	struct tickets *t = calloc(1, sizeof *t);

	if (t)
		pthread_mutex_init(&t->lock, NULL);
	return t;
}

void tickets_free(struct tickets *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t);
}

void ticket_issue(struct tickets *t, const struct digest *bundle, const char *base, uint64_t now_ns,
		  char token[static TICKET_TEXT])
{
	unsigned char bytes[(TICKET_TEXT - 1) / 2];
	struct ticket made = { .until_ns = now_ns + TICKET_SECONDS * UINT64_C(1000000000), .bundle = *bundle };

	randombytes_buf(bytes, sizeof bytes);
	sodium_bin2hex(made.token, sizeof made.token, bytes, sizeof bytes);
	memcpy(token, made.token, TICKET_TEXT);
	strncpy(made.base, base, sizeof made.base - 1);
	pthread_mutex_lock(&t->lock);
	t->all[t->next++ % TICKETS_KEPT] = made;
	pthread_mutex_unlock(&t->lock);
}

static struct ticket *find(struct tickets *t, const char *token, uint64_t now_ns)
{
	if (strlen(token) != TICKET_TEXT - 1)
		return NULL;
	for (size_t i = 0; i < TICKETS_KEPT; i++)
		if (t->all[i].until_ns > now_ns && !sodium_memcmp(t->all[i].token, token, TICKET_TEXT))
			return &t->all[i];
	return NULL;
}

bool ticket_use(struct tickets *t, const char *token, const struct digest *bundle, uint64_t now_ns,
		char base[static BASE_TAG_ROOM])
{
	bool holds;

	pthread_mutex_lock(&t->lock);
	struct ticket *found = find(t, token, now_ns);
	holds = found && !strcmp(found->bundle.hex, bundle->hex);
	if (holds) {
		memcpy(base, found->base, BASE_TAG_ROOM);
		*found = (struct ticket){ 0 };
	}
	pthread_mutex_unlock(&t->lock);
	return holds;
}
