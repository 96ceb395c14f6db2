#include "compiler/cmd/revision.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <git2.h>

#include "lang/base/file.h"

#define LINKS_MOST 8

struct revision {
	struct store store; /* first: a store of ours is a revision */
	git_repository *repo;
	git_tree *tree;	  /* or the index */
	git_index *index;
	const char *name;
	const char *top;  /* the working tree, ends with '/'; NULL when there is none */
	const char *here; /* where the process stands in it: "policies/", "" */
};

/* This is it. */
void revision_program(char **argv)
{
	(void)argv;
}

static int one_is(const git_config_entry *entry, void *is)
{
	*(bool *)is = !strcmp(entry->value, "true");
	return *(bool *)is;
}

static bool is_partial(git_repository *repo)
{
	git_config *config = NULL;
	bool is = false;

	if (!git_repository_config(&config, repo))
		git_config_foreach_match(config, "^remote\\..*\\.promisor$", one_is, &is);
	git_config_free(config);
	return is;
}

/* What is not found may be there, and not in this clone; libgit2 asks no other for it. */
static const char *not_here(git_repository *repo)
{
	if (repo && git_repository_is_shallow(repo) == 1)
		return " (this clone is shallow: git fetch --unshallow brings the rest)";
	if (repo && is_partial(repo))
		return " (this clone is partial: git show of the same name brings what it lacks)";
	return "";
}

static int git_failed(const struct revision *r, struct err *why, int rc, const char *what)
{
	const git_error *e = git_error_last();
	struct err said; /* before git is asked more */
	int code = err_set(&said, rc == GIT_ENOTFOUND ? ENOENT : EINVAL, "%s: %s", what, e ? e->message : "git cannot");

	return err_set(why, -code, "%s%s", said.text, rc == GIT_ENOTFOUND ? not_here(r->repo) : "");
}

/* --- paths ---------------------------------------------------------------------------- */

/* Without ".", ".." and doubled slashes; NULL when it leaves the top. */
static const char *path_normal(struct arena *a, const char *path)
{
	char *out = arena_zero(a, strlen(path) + 2), *end = out;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && !strncmp(path, "..", 2)) {
			if (end == out)
				return NULL;
			for (end--; end > out && end[-1] != '/';)
				end--;
		} else if (len && !(len == 1 && *path == '.')) {
			memcpy(end, path, len);
			end += len;
			*end++ = '/';
		}
		path += len + (path[len] == '/');
	}
	end[end > out ? -1 : 0] = 0;
	return *out ? out : NULL;
}

/* In the tree, from the top; NULL when it lies outside. */
static const char *path_inside(const struct revision *r, struct arena *a, const char *path)
{
	size_t top = r->top ? strlen(r->top) : 0;

	if (*path == '/')
		return top && !strncmp(path, r->top, top) ? path_normal(a, path + top) : NULL;
	if (!strncmp(path, "./", 2) || !strncmp(path, "../", 3))
		return path_normal(a, arena_printf(a, "%s%s", r->here, path));
	return path_normal(a, path);
}

/* --- files ------------------------------------------------------------------------------ */

struct entry {
	git_oid id;
	git_filemode_t mode;
};

static bool entry_find(const struct revision *r, const char *path, struct entry *out)
{
	git_tree_entry *in_tree = NULL;
	const git_index_entry *staged;

	if (r->tree) {
		if (git_tree_entry_bypath(&in_tree, r->tree, path))
			return false;
		*out = (struct entry){ *git_tree_entry_id(in_tree), git_tree_entry_filemode(in_tree) };
		git_tree_entry_free(in_tree);
		return true;
	}
	staged = git_index_get_bypath(r->index, path, 0);
	if (staged)
		*out = (struct entry){ staged->id, (git_filemode_t)staged->mode };
	return staged != NULL;
}

static int blob_read(const struct revision *r, const git_oid *id, size_t most, struct buf *out, struct err *why)
{
	git_blob *blob = NULL;
	int rc = git_blob_lookup(&blob, r->repo, id);

	if (rc)
		return git_failed(r, why, rc, r->name);
	if ((uint64_t)git_blob_rawsize(blob) > most)
		rc = err_set(why, EFBIG, "more than %zu bytes", most);
	else
		buf_add(out, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
	git_blob_free(blob);
	return rc;
}

/* A link's target counts from where the link stands. */
static const char *link_target(const struct revision *r, struct arena *a, const char *path, const git_oid *id)
{
	own(buf) struct buf target = { 0 };
	struct err why = { 0 };
	const char *slash = strrchr(path, '/');

	if (blob_read(r, id, PATH_MAX, &target, &why) || *buf_text(&target) == '/')
		return NULL;
	return path_normal(a, arena_printf(a, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path,
					   buf_text(&target)));
}

/* What a path leads to, links followed; NULL when nothing is there. */
static const char *follow(const struct revision *r, struct arena *a, const char *path, struct entry *e)
{
	for (int links = 0; path && links <= LINKS_MOST; links++) {
		if (!entry_find(r, path, e))
			return NULL;
		if (e->mode != GIT_FILEMODE_LINK)
			return path;
		path = link_target(r, a, path, &e->id);
	}
	return NULL;
}

static bool store_find(const struct store *s, struct arena *a, const char *path, struct store_file *out)
{
	const struct revision *r = (const struct revision *)s;
	const char *inside = path_inside(r, a, path), *real;
	struct entry e;

	if (!inside)
		return *path == '/' && store_disk.find(&store_disk, a, path, out);
	real = follow(r, a, inside, &e);
	if (!real)
		return false;
	*out = (struct store_file){
		.path = inside,
		.shown = arena_printf(a, "%s:%s", r->name, inside),
		.identity = arena_printf(a, "%s:%s", r->name, real),
	};
	return true;
}

/* Where the path leads into a submodule, which is a repository of its own; NULL when it does not. */
static const char *submodule_before(const struct revision *r, struct arena *a, const char *path)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		const char *before = arena_strndup(a, path, (size_t)(slash - path));
		struct entry e;

		if (entry_find(r, before, &e) && e.mode == GIT_FILEMODE_COMMIT)
			return before;
	}
	return NULL;
}

static int store_read(const struct store *s, const char *path, size_t most, struct buf *out, struct err *why)
{
	const struct revision *r = (const struct revision *)s;
	own(arena) struct arena *a = arena_new();
	const char *inside = path_inside(r, a, path);
	struct entry e;

	if (!inside && *path == '/')
		return store_disk.read(&store_disk, path, most, out, why);
	const char *module = inside ? submodule_before(r, a, inside) : NULL;

	if (module)
		return err_set(why, ENOENT, "there is no %s in %s: %s is a submodule, ask where it is checked out", path,
			       revision_name(r), module);
	if (!inside || !follow(r, a, inside, &e))
		return err_set(why, ENOENT, "there is no %s in %s", path, revision_name(r));
	if (e.mode == GIT_FILEMODE_TREE)
		return err_set(why, EISDIR, "%s", path);
	return blob_read(r, &e.id, most, out, why);
}

static void list_tree(const git_tree *t, struct arena *a, struct store_names *out)
{
	for (size_t i = 0; i < git_tree_entrycount(t); i++)
		vec_push(a, out, (const char *)arena_strdup(a, git_tree_entry_name(git_tree_entry_byindex(t, i))));
}

/* The index knows files alone: names in `dir` are those behind its slash that have none of their own. */
static void list_index(git_index *index, struct arena *a, const char *dir, struct store_names *out)
{
	size_t len = strlen(dir);

	for (size_t i = 0; i < git_index_entrycount(index); i++) {
		const char *path = git_index_get_byindex(index, i)->path;

		if (!strncmp(path, dir, len) && !strchr(path + len, '/'))
			vec_push(a, out, (const char *)arena_strdup(a, path + len));
	}
}

static bool store_list(const struct store *s, struct arena *a, const char *path, struct store_names *out)
{
	const struct revision *r = (const struct revision *)s;
	const char *inside = path_inside(r, a, path);
	git_tree_entry *in_tree = NULL;
	git_tree *tree = NULL;

	if (!inside)
		return *path == '/' && store_disk.list(&store_disk, a, path, out);
	if (!r->tree) {
		list_index(r->index, a, *inside ? arena_printf(a, "%s/", inside) : "", out);
		return out->len;
	}
	if (!*inside) {
		list_tree(r->tree, a, out);
		return true;
	}
	if (git_tree_entry_bypath(&in_tree, r->tree, inside))
		return false;
	if (!git_tree_lookup(&tree, r->repo, git_tree_entry_id(in_tree)))
		list_tree(tree, a, out);
	git_tree_free(tree);
	git_tree_entry_free(in_tree);
	return out->len;
}

/* --- opening ---------------------------------------------------------------------------- */

static int tree_find(struct revision *r, struct err *why)
{
	git_object *commit = NULL;
	int rc = git_revparse_single(&commit, r->repo, r->name);

	if (!rc)
		rc = git_object_peel((git_object **)&r->tree, commit, GIT_OBJECT_TREE);
	git_object_free(commit);
	return rc ? git_failed(r, why, rc, r->name) : 0;
}

static void find_here(struct revision *r, struct arena *a)
{
	const char *top = git_repository_workdir(r->repo);
	char here[PATH_MAX];
	size_t len = top ? strlen(top) : 0;

	r->here = "";
	if (!top)
		return;
	r->top = arena_strdup(a, top);
	if (getcwd(here, sizeof here) && !strncmp(here, top, len) && here[len])
		r->here = arena_printf(a, "%s/", here + len);
}

/*
 * As git itself finds it. Not by GIT_REPOSITORY_OPEN_FROM_ENV: libgit2 1.5 refuses when GIT_WORK_TREE
 * is set, which `git difftool` does.
 */
static int repository_find(struct revision *r, struct arena *a, struct err *why)
{
	const char *dir = getenv("GIT_DIR"), *top = getenv("GIT_WORK_TREE");
	int rc = git_repository_open_ext(&r->repo, dir ? dir : ".", dir ? GIT_REPOSITORY_OPEN_NO_SEARCH : 0, NULL);

	if (!rc && top)
		rc = git_repository_set_workdir(r->repo, top, 0);
	if (rc)
		return git_failed(r, why, rc, "git");
	find_here(r, a);
	return 0;
}

/* Hooks of `git commit` may see an index of their own. */
static int index_find(struct revision *r, struct err *why)
{
	const char *file = getenv("GIT_INDEX_FILE");
	int rc = file ? git_index_open(&r->index, file) : git_repository_index(&r->index, r->repo);

	return rc ? git_failed(r, why, rc, "what is staged") : 0;
}

/* What the name means, in place of what was meant before. */
static int turn_to(struct revision *r, const char *name, struct err *why)
{
	git_tree_free(r->tree);
	r->tree = NULL;
	r->name = name;
	if (*name)
		return tree_find(r, why);
	return r->index ? 0 : index_find(r, why);
}

static struct revision *revision_new(void)
{
	struct revision *r = calloc(1, sizeof *r);

	if (!r)
		abort();
	git_libgit2_init();
	r->store = (struct store){ store_find, store_read, store_list };
	return r;
}

int revision_open(struct revision **out, struct arena *a, const char *name, struct err *why)
{
	own(revision) struct revision *r = revision_new();
	int rc = repository_find(r, a, why);

	if (!rc)
		rc = turn_to(r, arena_strdup(a, name), why);
	if (!rc)
		*out = take(r);
	return rc;
}

/* --- which revision has a file ---------------------------------------------------------- */

static bool holds(struct revision *r, const char *name, const char *path, const git_oid *id)
{
	struct err ignored;
	struct entry e;

	return !turn_to(r, name, &ignored) && entry_find(r, path, &e) && git_oid_equal(&e.id, id);
}

static bool found_in_history(struct revision *r, struct arena *a, const char *path, const git_oid *id, bool of_head)
{
	git_revwalk *walk = NULL;
	bool found = false;
	git_oid at;

	if (git_revwalk_new(&walk, r->repo))
		return false;
	git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME);
	if (of_head)
		git_revwalk_push_head(walk);
	else
		git_revwalk_push_glob(walk, "*");
	for (int i = 0; i < REVISIONS_SEARCHED && !found && !git_revwalk_next(&at, walk); i++)
		found = holds(r, git_oid_tostr_s(&at), path, id);
	if (found)
		r->name = arena_strndup(a, git_oid_tostr_s(&at), 7);
	git_revwalk_free(walk);
	return found;
}

int revision_holding(struct revision **out, struct arena *a, const char *path, const void *bytes, size_t len,
		     struct err *why)
{
	own(revision) struct revision *r = revision_new();
	git_oid id;

	if (repository_find(r, a, why) || git_odb_hash(&id, bytes, len, GIT_OBJECT_BLOB))
		return err_set(why, ENOENT, "there is no repository around %s", path);
	if (!holds(r, "", path, &id) && !holds(r, "HEAD", path, &id) &&
	    !found_in_history(r, a, path, &id, true) && !found_in_history(r, a, path, &id, false))
		return err_set(why, ENOENT, "no revision has this %s", path);
	*out = take(r);
	return 0;
}

void revision_free(struct revision *r)
{
	if (!r)
		return;
	git_tree_free(r->tree);
	git_index_free(r->index);
	git_repository_free(r->repo);
	free(r);
	git_libgit2_shutdown();
}

const char *revision_name(const struct revision *r)
{
	return *r->name ? r->name : "what is staged";
}

const struct store *revision_store(const struct revision *r)
{
	return &r->store;
}
