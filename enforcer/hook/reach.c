#include "enforcer/hook/reach.h"

#include <errno.h>
#include <stdbool.h>

#include <gelf.h>
#include <linux/bpf.h>

#include "lang/base/own.h"

static void elf_own_(Elf **e)
{
	elf_end(*e);
}

static int functions_check(Elf *e, Elf_Scn *section, const GElf_Shdr *head, struct err *why)
{
	Elf_Data *data = elf_getdata(section, NULL);
	const size_t count = data && head->sh_entsize ? data->d_size / head->sh_entsize : 0;

	for (size_t i = 0; i < count; i++) {
		GElf_Sym sym;

		if (!gelf_getsym(data, (int)i, &sym))
			return err_set(why, EINVAL, "the program's object has a symbol that cannot be read");
		const GElf_Xword long_ = sym.st_size / sizeof(struct bpf_insn);
		const char *name = elf_strptr(e, head->sh_link, sym.st_name);
		if (GELF_ST_TYPE(sym.st_info) == STT_FUNC && long_ > REACH_MOST)
			return err_set(why, E2BIG, "the program's function %s is %llu instructions long; a jump goes %u at most, and one that "
				       "should go farther may have been cut by the compiler", name ? name : "?", (unsigned long long)long_, REACH_MOST);
	}
	return 0;
}

int reach_check(const void *object, size_t len, struct err *why)
{
	elf_version(EV_CURRENT);
	own(elf) Elf *e = elf_memory((char *)object, len); /* which is only read: the descriptor has no way to write */
	GElf_Shdr head;
	bool named = false;

	if (!e || elf_kind(e) != ELF_K_ELF)
		return err_set(why, EINVAL, "the program is not a BPF object that can be read");
	for (Elf_Scn *s = elf_nextscn(e, NULL); s; s = elf_nextscn(e, s)) {
		if (!gelf_getshdr(s, &head) || head.sh_type != SHT_SYMTAB)
			continue;
		const int rc = functions_check(e, s, &head, why);
		if (rc)
			return rc;
		named = true;
	}
	return named ? 0 : err_set(why, EINVAL, "the program's object names no function");
}
