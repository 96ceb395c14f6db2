#include "enforcer/api/http/pace.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lang/base/clock.h"

#define BURST_S	  2

struct bucket {
	uint64_t address;  /* its first 64 bits; an IPv4 address in the last 32 of them, behind ffff */
	uint64_t used_ns;	  /* the bucket holds now - used_ns, but never more than the burst */
};

struct pace {
	pthread_mutex_t lock;
	uint64_t each_ns; /* what one costs; 0: no limit */
	uint64_t burst_ns;
	struct bucket buckets[PACE_ADDRESSES];
	unsigned count;
};

struct pace *pace_new(unsigned rate)
{
	struct pace *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	p->each_ns = rate ? SECOND_NS / rate : 0;
	p->burst_ns = BURST_S * SECOND_NS;
	return p;
}

void pace_free(struct pace *p)
{
	if (!p)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static uint64_t key_of(const struct sockaddr *from)
{
	uint64_t key = 0;

	if (from && from->sa_family == AF_INET)
		return UINT64_C(0xffff) << 32 | ntohl(((const struct sockaddr_in *)from)->sin_addr.s_addr);
	if (from && from->sa_family == AF_INET6) {
		const struct in6_addr *a = &((const struct sockaddr_in6 *)from)->sin6_addr;
		uint32_t last;

		memcpy(&last, a->s6_addr + 12, 4);
		if (IN6_IS_ADDR_V4MAPPED(a))
			return UINT64_C(0xffff) << 32 | ntohl(last);
		memcpy(&key, a->s6_addr, 8);
	}
	return key;
}

/* Its own, or a new one, in the place of whose bucket has been full for the longest when there is no room. */
static struct bucket *bucket_of(struct pace *p, uint64_t key)
{
	struct bucket *oldest = &p->buckets[0];

	for (unsigned i = 0; i < p->count; i++) {
		if (p->buckets[i].address == key)
			return &p->buckets[i];
		if (p->buckets[i].used_ns < oldest->used_ns)
			oldest = &p->buckets[i];
	}
	if (p->count < PACE_ADDRESSES)
		oldest = &p->buckets[p->count++];
	*oldest = (struct bucket){ key, 0 };
	return oldest;
}

static struct bucket *bucket_now(struct pace *p, const struct sockaddr *from, uint64_t now_ns)
{
	struct bucket *b = bucket_of(p, key_of(from));
	const uint64_t fullest = now_ns > p->burst_ns ? now_ns - p->burst_ns : 0;

	if (b->used_ns < fullest)
		b->used_ns = fullest;
	return b;
}

bool pace_take(struct pace *p, const struct sockaddr *from, unsigned cost, uint64_t now_ns)
{
	bool enough;

	if (!p->each_ns)
		return true;
	pthread_mutex_lock(&p->lock);
	struct bucket *b = bucket_now(p, from, now_ns);
	enough = b->used_ns + p->each_ns * cost <= now_ns;
	if (enough)
		b->used_ns += p->each_ns * cost;
	pthread_mutex_unlock(&p->lock);
	return enough;
}

void pace_fine(struct pace *p, const struct sockaddr *from, unsigned cost, uint64_t now_ns)
{
	if (!p->each_ns)
		return;
	pthread_mutex_lock(&p->lock);
	struct bucket *b = bucket_now(p, from, now_ns);
	b->used_ns += p->each_ns * cost;
	if (b->used_ns > now_ns + p->burst_ns)
		b->used_ns = now_ns + p->burst_ns;
	pthread_mutex_unlock(&p->lock);
}
