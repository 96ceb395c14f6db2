/*
 * An interface is gone, and its event has not been heard yet: what looks at the kernel, or changes it, meets that at any moment.
 * Nothing is amiss then, and nothing is refused for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/warden/check.h"
#include "lang/base/file.h"
#include "tests/lib/tap.h"
#include "tests/lib/warden_stage.h"

static struct kernel k;
static struct state journal;
static struct buf bundle;

static bool come(const char *name)
{
	own(arena) struct arena *a = arena_new();

	return !system(arena_printf(a, "ip link add %s type veth peer name p%s", name, name));
}

static bool go(const char *name)
{
	own(arena) struct arena *a = arena_new();

	return !system(arena_printf(a, "ip link del %s", name));
}

static struct generation *stage(void)
{
	const struct stage ask = { .bytes = bundle.at, .len = bundle.len, .number = 1, .bank = 'a' };
	struct refusal no = { .code = RESULT_OK, .part = "" };
	struct generation *g = NULL;

	if (generation_stage(&g, &k, &ask, &no))
		tap_note("%s: %s", no.part, no.why.text);
	return g;
}

static const struct port *port_named(const struct generation *g, const char *name)
{
	for (size_t i = 0; i < g->ports.len; i++)
		if (!strcmp(g->ports.at[i].name, name))
			return &g->ports.at[i];
	return NULL;
}

/* 0, or what is said to be amiss. */
static void is_whole(int rc, const struct err *why, const char *claim)
{
	if (!tap_ok(!rc, "%s", claim))
		tap_note("%s", why->text);
}

static void nothing_is_amiss(struct generation *g)
{
	struct checked parts[PART_COUNT];
	struct err why = { 0 };

	is_whole(check_parts(parts, g, &k, &why), &why, "all is as it was made");
	tap_text(parts[PART_LINKS].is, parts[PART_LINKS].should, "and no anchor is missing");
	is_whole(check_arrivals(g, &k, &why), &why, "what arrives is judged where it can arrive");
	is_whole(check_port(g, &k, port_named(g, "w1"), &why), &why, "nor has somebody taken away what stood there");
}

/* Chosen of a list that was true a moment ago. */
static void none_is_chosen(const struct generation *g)
{
	own(arena) struct arena *a = arena_new();
	const struct port_wish wish = { .hooks = kernel_hooks(&k), .asked = k.settings->judge, .without_tc = k.without_tc, .strict = true };
	struct links links;
	struct ports ports;
	struct err why = { 0 };

	tap_ok(come("w2") && !route_links(k.route, &links, a, &why) && go("w2"), "another interface comes, is listed, and goes");
	ports_match(&ports, &g->plan, &links, a);
	const size_t listed = ports.len;
	is_whole(ports_choose(&ports, &wish, &why), &why, "no engine is missed there");
	tap_num(ports.len, listed - 1, "and it is none of those that are judged");
	ports_abandon(&ports, &wish.hooks);
}

static void asked_by_its_number(void)
{
	own(arena) struct arena *a = arena_new();
	struct links links = { 0 };
	struct err why;

	tap_ok(come("w3") && !route_links(k.route, &links, a, &why) && links.len, "interfaces are listed");
	const uint32_t last = links.len ? links.at[links.len - 1].ifindex : 0;
	tap_ok(route_has(k.route, last) && route_has(k.route, 1), "those that are there are known by their numbers");
	tap_ok(go("w3") && !route_has(k.route, last) && route_has(k.route, 1), "one that is gone is not there");
	tap_ok(!route_links(k.route, &links, a, &why), "and they can be listed again");
}

static bool open_kernel(const struct warden_stage *s, const char *engine, struct settings *settings, struct arena *a, struct err *why)
{
	char *argv[] = { (char *)"tegd", arena_printf(a, "--state-dir=%s", s->dir), arena_printf(a, "--pin-dir=%s/bpf/teg", s->dir),
			 arena_printf(a, "--engine=%s", engine), NULL };

	unsetenv("TEGUMENTAR_STAGE");
	return !settings_read(settings, a, 4, argv, why) && !kernel_open(&k, settings, why);
}

int main(int argc, char **argv)
{
	own(arena) struct arena *a = arena_new();
	struct warden_stage s;
	struct settings settings;
	struct refusal no = { .code = RESULT_OK, .part = "" };
	struct err why = { 0 };

	if (!warden_stage_make(&s)) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	own(fd) int fd = warden_stage_bundle(&s, "edge", "s/\"w0\"/\"w*\"/");
	if (!open_kernel(&s, argc > 1 ? argv[1] : "native", &settings, a, &why) || fd < 0 || file_read_fd(&bundle, fd, 1 << 24, &why)) {
		printf("Bail out! %s\n", why.text);
		return 1;
	}
	asked_by_its_number();
	tap_ok(come("w1") && come("w5"), "two interfaces come");
	own(generation) struct generation *g = stage();
	if (!tap_ok(g && port_named(g, "w1"), "a generation is staged for them") || !tap_ok(go("w5") && come("w4"), "one goes, another comes"))
		return tap_done();
	is_whole(generation_commit(g, &k, &journal, &no), &no.why, "the generation comes into force");
	tap_ok(go("w1"), "the first goes too");
	nothing_is_amiss(g);
	none_is_chosen(g);
	is_whole(generation_set_posture(g, &k, 0, &why), &why, "a closed posture comes");
	is_whole(generation_set_posture(g, &k, 2, &why), &why, "and one that is open");
	is_whole(generation_follow_links(g, &k, &journal, &why), &why, "its event is heard");
	tap_ok(!port_named(g, "w1") && port_named(g, "w4"), "it is forgotten, and what came is judged");
	is_whole(check_all(g, &k, &why), &why, "and all is whole");
	generation_free(take(g));
	kernel_release(&k);
	buf_release(&bundle);
	return tap_done();
}
