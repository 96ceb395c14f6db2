#include "compiler/cmd/patch.h"

#include <git2.h>

void patch_print(struct buf *out, const char *path, const struct buf *old, const struct buf *new)
{
	git_buf text = { 0 };
	git_patch *patch = NULL;

	git_libgit2_init();
	if (!git_patch_from_buffers(&patch, old->at, old->len, path, new->at, new->len, path, NULL) &&
	    !git_patch_to_buf(&text, patch))
		buf_add(out, text.ptr, text.size);
	git_buf_dispose(&text);
	git_patch_free(patch);
	git_libgit2_shutdown();
}
