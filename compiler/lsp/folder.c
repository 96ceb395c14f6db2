#include "compiler/lsp/folder.h"

#include <fts.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void folders_release(struct folders *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->at[i]);
	f->count = 0;
}

void folders_add(struct folders *f, const char *path)
{
	char *whole = realpath(path, NULL);

	for (size_t i = 0; whole && i < f->count; i++)
		if (!strcmp(f->at[i], whole)) {
			free(whole);
			return;
		}
	if (whole && f->count < FOLDERS_MAX)
		f->at[f->count++] = whole;
	else
		free(whole);
}

static int by_name(const FTSENT **x, const FTSENT **y)
{
	return strcmp((*x)->fts_name, (*y)->fts_name);
}

static bool is_policy(const FTSENT *e)
{
	return e->fts_info == FTS_F && e->fts_name[0] != '.' && e->fts_namelen > 4 && !strcmp(e->fts_name + e->fts_namelen - 4, ".teg");
}

static bool is_passed_over(const FTSENT *e)
{
	return e->fts_level > FOLDER_DEPTH_MAX || (e->fts_level > 0 && e->fts_name[0] == '.');
}

void folders_each(const struct folders *f, void (*call)(const char *path, void *arg), void *arg)
{
	char *roots[FOLDERS_MAX + 1] = { NULL };
	size_t files = 0;

	memcpy(roots, f->at, f->count * sizeof *roots);
	FTS *tree = f->count ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name) : NULL;
	for (FTSENT *e; tree && files < FOLDER_FILES_MAX && (e = fts_read(tree));) {
		if (e->fts_info == FTS_D && is_passed_over(e))
			fts_set(tree, e, FTS_SKIP);
		else if (is_policy(e)) {
			call(e->fts_path, arg);
			files++;
		}
	}
	if (tree)
		fts_close(tree);
}
