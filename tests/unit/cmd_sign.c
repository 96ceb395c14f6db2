/* keygen, sign and disasm, as they are typed. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler/cmd/cmd.h"
#include "compiler/emit/emit.h"
#include "lang/base/file.h"
#include "lang/bundle/bundle.h"
#include "tests/lib/craft.h"
#include "tests/lib/tap.h"

#define WORDS 8

static struct buf said; /* by the last command, on stdout and stderr */

static int wait_for(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child)
		exit(1);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The exit code; every command in a process of its own, as at the prompt. */
static int typed(int (*command)(int, char **), const char *const words[static WORDS])
{
	struct err why;
	fflush(NULL);
	pid_t child = fork();

	if (child == 0) {
		char *argv[WORDS + 1] = { 0 };
		int argc = 0, out = open("said", O_WRONLY | O_CREAT | O_TRUNC, 0600);

		while (argc < WORDS && words[argc]) {
			argv[argc] = strdup(words[argc]);
			argc++;
		}
		dup2(out, 1);
		dup2(out, 2);
		int rc = command(argc, argv);
		fflush(NULL);
		_exit(rc);
	}
	int rc = wait_for(child);
	buf_release(&said);
	if (file_read(&said, "said", 1 << 20, &why))
		exit(1);
	return rc;
}

static void write_bundle(const char *path, const char *name)
{
	own(arena) struct arena *a = arena_new();
	own(buf) struct buf bytes = { 0 };
	struct policy *p = craft_policy(a, name);
	struct err why;

	craft_add_posture(p, craft_posture("SHUT", VERDICT_DROP));
	if (emit_bundle(&bytes, ir_lower(p, a), "policy\n", true, &why) || file_replace(path, bytes.at, bytes.len, 0644, &why))
		exit(1);
}

static const struct row {
	const char *claim;
	int (*command)(int, char **);
	const char *words[WORDS];
	int rc;
	const char *says;
} rows[] = {
	{ "keys are made", cmd_keygen, { "keygen", "alice" }, 0, "alice.pub goes to the hosts" },
	{ "and others", cmd_keygen, { "keygen", "bob" }, 0, "bob.key signs" },
	{ "none is written over", cmd_keygen, { "keygen", "alice" }, 2, "cannot make alice.pub: File exists" },
	{ "nor where only the secret one is left", cmd_keygen, { "keygen", "lonely" }, 2, "lonely.key: File exists" },
	{ "a directory that is not there", cmd_keygen, { "keygen", "no/where" }, 74, "No such file" },
	{ "one name, not two", cmd_keygen, { "keygen", "a", "b" }, 64, "" },
	{ "unsigned is said", cmd_disasm, { "disasm", "b" }, 0, "\nnot signed\n" },
	{ "and refused when a key is asked for", cmd_disasm, { "disasm", "--trusted-keys", "alice.pub", "b" }, 2,
	  "b: it is not signed" },
	{ "a bundle is signed", cmd_sign, { "sign", "--key", "alice.key", "--serial", "12", "-o", "s", "b" }, 0, "" },
	{ "who signed is said", cmd_disasm, { "disasm", "s" }, 0, "\nsigned, as it says, by key " },
	{ "and the serial", cmd_disasm, { "disasm", "s" }, 0, ", serial 12\n" },
	{ "it holds for who trusts the key", cmd_disasm, { "disasm", "--trusted-keys", "alice.pub", "s" }, 0,
	  "the signature holds: alice.pub, key " },
	{ "and not for others", cmd_disasm, { "disasm", "--trusted-keys", "bob.pub", "s" }, 2, "which is not trusted here" },
	{ "it can be signed again, in its place", cmd_sign, { "sign", "--key", "bob.key", "s" }, 0, "" },
	{ "by another then, without a serial", cmd_disasm, { "disasm", "--trusted-keys", "bob.pub", "s" }, 0,
	  ", without a serial\n" },
	{ "a public key signs nothing", cmd_sign, { "sign", "--key", "alice.pub", "b" }, 66, "only its owner may read" },
	{ "a key that others may read is refused", cmd_sign, { "sign", "--key", "open.key", "b" }, 66,
	  "only its owner may read" },
	{ "a key that is not there", cmd_sign, { "sign", "--key", "none.key", "b" }, 66, "cannot open the key none.key" },
	{ "what is no bundle is not signed", cmd_sign, { "sign", "--key", "alice.key", "alice.pub" }, 1, "alice.pub: " },
	{ "serial 0", cmd_sign, { "sign", "--key", "alice.key", "--serial", "0", "b" }, 64, "a serial is a number" },
	{ "a serial too large", cmd_sign, { "sign", "--key", "alice.key", "--serial", "9223372036854775808", "b" }, 64,
	  "a serial is a number" },
	{ "a serial that is none", cmd_sign, { "sign", "--key", "alice.key", "--serial", "-1", "b" }, 64,
	  "a serial is a number" },
	{ "no key", cmd_sign, { "sign", "b" }, 64, "" },
};

static bool has_mode(const char *path, mode_t mode)
{
	struct stat st;

	return !stat(path, &st) && (st.st_mode & 07777) == mode;
}

static void same_key_same_bytes(void)
{
	own(buf) struct buf one = { 0 }, two = { 0 };
	struct err why;

	typed(cmd_sign, (const char *[WORDS]){ "sign", "--key", "alice.key", "--serial", "3", "-o", "one", "b" });
	typed(cmd_sign, (const char *[WORDS]){ "sign", "--key", "alice.key", "--serial", "3", "-o", "two", "b" });
	tap_ok(!file_read(&one, "one", 1 << 24, &why) && !file_read(&two, "two", 1 << 24, &why) && one.len == two.len &&
	       !memcmp(one.at, two.at, one.len), "same input, same bytes");
}

int main(void)
{
	char dir[] = "/tmp/teg-sign-XXXXXX", command[64];
	struct err why;

	umask(0);
	if (!mkdtemp(dir) || chdir(dir))
		return 1;
	write_bundle("b", "edge");
	if (file_replace("lonely.key", "kept", 4, 0600, &why))
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];

		if (r->words[2] && !strcmp(r->words[2], "open.key") &&
		    (typed(cmd_keygen, (const char *[WORDS]){ "keygen", "open" }) ||
		     chmod("open.key", 0640)))
			return 1;
		int rc = typed(r->command, r->words);
		if (!tap_ok(rc == r->rc && strstr(buf_text(&said), r->says), "%s", r->claim))
			tap_note("exit %d, and says: %s", rc, buf_text(&said));
	}
	tap_ok(has_mode("alice.key", 0600) && has_mode("alice.pub", 0644), "whatever the umask: 0600 and 0644");
	tap_ok(access("lonely.pub", F_OK), "half a pair is not left behind");
	same_key_same_bytes();
	buf_release(&said);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command) | tap_done();
}
