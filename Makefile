# Tegumentar: `make help` lists what can be made.
#
# One Makefile, nothing generated in the source tree. A program is its
# folders' *.c files, rooms within them included: adding a file, or a room, needs no line here.

FLAVOUR ?= release
BUILD   ?= build$(if $(filter-out release,$(FLAVOUR)),-$(FLAVOUR))

CC      ?= cc
CLANG   ?= $(firstword $(shell command -v clang-19 clang-16 clang 2>/dev/null) clang)
FLEX    ?= flex
BISON   ?= bison
BPFTOOL ?= $(firstword $(shell command -v bpftool /usr/sbin/bpftool) bpftool)

WARN    := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
CFLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g -fsanitize=thread -Wno-maybe-uninitialized
CFLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS_release := -pie -Wl,-z,relro,-z,now
LDFLAGS_asan    := -fsanitize=address,undefined
LDFLAGS_tsan    := -fsanitize=thread
LDFLAGS_fuzz    := -fsanitize=fuzzer,address,undefined

# -fexceptions: what functions own() is released too when memory runs out below them (lang/base/memory.h).
ALL_CFLAGS  := -std=gnu17 -fexceptions $(WARN) -D_GNU_SOURCE -I. -I$(BUILD)/gen -MMD -MP $(CFLAGS_$(FLAVOUR)) $(CFLAGS)
ALL_LDFLAGS := $(LDFLAGS_$(FLAVOUR)) $(LDFLAGS)

# Paths as from the tree's root: programs are the same bytes wherever they were built.
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -ffile-prefix-map=$(CURDIR)=. -Wall -Wextra -Werror -I. \
	-I/usr/include/$(shell uname -m)-linux-gnu

# --- what each program is made of -------------------------------------------

sources = $(sort $(wildcard $(addsuffix /*.c,$(1))))
rooms   = $(call sources,$(1) $(addsuffix /*,$(1)) $(addsuffix /*/*,$(1)))
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))

LANG_SHARED := $(call sources,lang/base lang/vocab lang/bundle lang/playbook lang/derme)
LANG_SYNTAX := $(call sources,lang/syntax lang/spell)
GENERATED   := $(BUILD)/gen/teg.tab.o $(BUILD)/gen/teg.lex.o $(BUILD)/gen/shipped.o $(BUILD)/gen/pages.o
COMPILER    := $(call rooms,compiler/front compiler/ir compiler/pattern compiler/import compiler/prove compiler/emit compiler/audit compiler/engine compiler/report compiler/lsp compiler/cmd)
ENFORCER    := $(call rooms,enforcer/proc enforcer/warden enforcer/nft enforcer/hook enforcer/api)
CTL         := $(call sources,enforcer/ctl)

OBJ_SHARED   := $(call objects,$(LANG_SHARED))
# What loads the first hook's program, for the tests that tegc sends through this kernel.
OBJ_HOOK     := $(call objects,$(addprefix enforcer/hook/,shared.c one_value.c reach.c trie.c block_table.c) $(call sources,$(addprefix enforcer/hook/,tables fold atlas)))
OBJ_COMPILER := $(call objects,$(LANG_SYNTAX) $(COMPILER)) $(GENERATED) $(BUILD)/bpf-templates/carried.o
OBJ_ENFORCER := $(call objects,$(ENFORCER)) $(BUILD)/enforcer/hook/anchor.o $(BUILD)/bpf-templates/carried.o $(BUILD)/enforcer/api/console_files.o
OBJ_CTL      := $(call objects,$(CTL))
# Of tegc, what reads git's revisions: in the program tegc-git alone (compiler/cmd/revision.h).
OBJ_GIT      := $(call objects,compiler/cmd/revision.c compiler/cmd/patch.c)
OBJ_BOTH     := $(BUILD)/compiler/tegc.o $(filter-out $(OBJ_GIT),$(OBJ_COMPILER)) $(OBJ_HOOK) $(OBJ_SHARED)
OBJ_TEGC     := $(BUILD)/compiler/without_git.o $(OBJ_BOTH) $(BUILD)/gen/of_build.o
OBJ_TEGC_GIT := $(OBJ_GIT) $(OBJ_BOTH) $(BUILD)/gen/of_build.o

LIBS_tegc   := -lbpf -lelf -lmnl -lcjson -lsodium -lnettle -lpthread -lm
LIBS_git    := $(LIBS_tegc) -lgit2
LIBS_tegd   := -lbpf -lelf -lnftnl -lmnl -lcjson -lmicrohttpd -lgnutls -lsodium -lnettle -lseccomp -lpthread -lm
LIBS_tegctl := -lcurl -lcjson -lsodium -lnettle

PROGRAMS := $(BUILD)/tegc $(BUILD)/tegc-git $(BUILD)/tegd $(BUILD)/tegctl
BPF_OBJECTS := $(patsubst bpf-templates/%.c,$(BUILD)/bpf/%.o,$(wildcard bpf-templates/*.bpf.c))

# --- targets -----------------------------------------------------------------

.PHONY: all help deps install uninstall test test-vm test-kernels tests demo fuzz fuzz-keep bench bench-path bench-enforcer bench-prove bench-lang clean golden
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS) $(BPF_OBJECTS) ## build tegc, tegd and tegctl into build/

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  FLAVOUR=release|asan|tsan chooses how; BUILD=DIR where"

$(BUILD)/tegc: $(OBJ_TEGC)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_tegc)

$(BUILD)/tegc-git: $(OBJ_TEGC_GIT)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_git)

# By what both are made of they know each other (compiler/of_build.h).
$(BUILD)/gen/of_build.c: $(OBJ_BOTH)
	@mkdir -p $(@D)
	printf '#include "compiler/of_build.h"\nOF_BUILD("%s");\n' $$(cat $(sort $^) | sha256sum | cut -c -63) > $@

# No lang/syntax here: what may load programs into the kernel reads no policy text.
$(BUILD)/tegd: $(BUILD)/enforcer/tegd.o $(OBJ_ENFORCER) $(OBJ_SHARED)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_tegd)

$(BUILD)/tegctl: $(BUILD)/enforcer/tegctl.o $(OBJ_CTL) $(OBJ_SHARED)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_tegctl)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

# --- the grammar ---------------------------------------------------------------

$(BUILD)/gen/teg.tab.c $(BUILD)/gen/teg.tab.h &: lang/syntax/teg.y
	@mkdir -p $(@D)
	$(BISON) -Werror -Wcounterexamples --defines=$(BUILD)/gen/teg.tab.h -o $(BUILD)/gen/teg.tab.c $<

$(BUILD)/gen/teg.lex.c $(BUILD)/gen/teg.lex.h &: lang/syntax/teg.l
	@mkdir -p $(@D)
	$(FLEX) --header-file=$(BUILD)/gen/teg.lex.h -o $(BUILD)/gen/teg.lex.c $<

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/gen/teg.tab.h $(BUILD)/gen/teg.lex.h
	$(CC) $(ALL_CFLAGS) -Wno-unused-function -Wno-sign-compare -Wno-missing-prototypes -Wno-shadow -c -o $@ $<

$(call objects,$(LANG_SYNTAX)): $(BUILD)/gen/teg.tab.h $(BUILD)/gen/teg.lex.h

# --- files carried inside tegc, each kind a table of name, text and length -----------
#
# The policy library (compiler/front/load.c) and the pages on diagnostics (compiler/report/pages.c).

# $(call carry,TABLE,FOLDER,NAMES): an assembler's text for names below a folder.
define carry
{ echo '	.section .rodata'; \
  for f in $(3); do n=$$(echo $$f | tr -c 'A-Za-z0-9\n' _); \
    echo "name_$$n: .string \"$$f\""; echo "text_$$n: .incbin \"$(2)/$$f\""; \
    echo "text_end_$$n: .byte 0"; done; \
  echo '	.section .data.rel.ro, "aw"'; echo '	.balign 8'; \
  echo '	.global $(1)_files, $(1)_count'; echo '$(1)_files:'; \
  for f in $(3); do n=$$(echo $$f | tr -c 'A-Za-z0-9\n' _); \
    echo "	.quad name_$$n, text_$$n, text_end_$$n - text_$$n"; done; \
  echo '$(1)_count: .quad (. - $(1)_files) / 24'; \
  echo '	.section .note.GNU-stack, "", %progbits'; }
endef

SHIPPED := $(wildcard policies/std/*.teg)
PAGES   := $(wildcard docs/errors/*.md)

$(BUILD)/gen/shipped.S: $(SHIPPED) Makefile
	@mkdir -p $(@D)
	@$(call carry,shipped,policies,$(SHIPPED:policies/%=%)) > $@

$(BUILD)/gen/pages.S: $(PAGES) Makefile
	@mkdir -p $(@D)
	@$(call carry,page,docs/errors,$(PAGES:docs/errors/%=%)) > $@

$(BUILD)/gen/shipped.o: $(SHIPPED)
$(BUILD)/gen/pages.o: $(PAGES)
$(BUILD)/gen/shipped.o $(BUILD)/gen/pages.o: %.o: %.S
	$(CC) -c -o $@ $<

# --- BPF: real C, compiled ahead, carried inside the programs -------------------

$(BUILD)/bpf/%.bpf.o: bpf-templates/%.bpf.c $(wildcard bpf-templates/*.h bpf-templates/*.def) Makefile
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c -o $@.whole $<
	$(BPFTOOL) gen object $@ $@.whole && rm $@.whole # without DWARF, which no kernel reads: half as large

# The same for another hook.
$(BUILD)/bpf/policy_tc.bpf.o: bpf-templates/policy.bpf.c
$(BUILD)/bpf/anchor_tc.bpf.o: bpf-templates/anchor.bpf.c
$(BUILD)/bpf/floor_tc.bpf.o: bpf-templates/floor.bpf.c

$(BUILD)/bpf/%.o.sha256: $(BUILD)/bpf/%.o
	sha256sum <$< | tr -dc 0-9a-f >$@

$(BUILD)/bpf-templates/carried.o: bpf-templates/carried.S $(foreach o,policy policy_tc,$(BUILD)/bpf/$(o).bpf.o $(BUILD)/bpf/$(o).bpf.o.sha256)
	@mkdir -p $(@D)
	$(CC) -I$(BUILD)/bpf -c -o $@ $<

$(BUILD)/enforcer/hook/anchor.o: enforcer/hook/anchor.S $(BUILD)/bpf/anchor.bpf.o $(BUILD)/bpf/anchor_tc.bpf.o
	@mkdir -p $(@D)
	$(CC) -I$(BUILD)/bpf -c -o $@ $<

# --- the web console, carried inside tegd -----------------------------------------

$(BUILD)/enforcer/api/console_files.o: enforcer/api/console.S $(wildcard enforcer/api/console/*)
	@mkdir -p $(@D)
	$(CC) -c -o $@ $<

# --- tests ------------------------------------------------------------------------
#
# tests/unit/X.c and tests/live/X.c become $(BUILD)/tests/.../X, linked with everything
# but the mains; tests/**/*.sh are run as they are. All speak TAP; tests/run sums up.

TEST_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*.c tests/same/*.c tests/live/*.c))
BENCH_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*.c))
PCAPS := tests/lib/pcaps.c
OBJ_TESTLIB := $(call objects,$(filter-out $(PCAPS),$(call sources,tests/lib)))
LIBS_all := $(sort $(LIBS_git) $(LIBS_tegd) $(LIBS_tegctl))

# BuDDy is the prover's second opinion and its measure; no program of ours links it.
$(BUILD)/tests/unit/prove_buddy $(BUILD)/tests/bench/prove: LIBS_all += -lbdd

# The grammar for editors, as its generator wrote it.
TREE_SITTER := $(BUILD)/lang/editors/tree-sitter/src/parser.o
$(TREE_SITTER): ALL_CFLAGS += -Wno-missing-prototypes
$(BUILD)/tests/same/captures $(BUILD)/tests/same/nft_captures: LIBS_all += -lpcap
$(BUILD)/tests/same/captures $(BUILD)/tests/same/nft_captures: $(call objects,$(PCAPS))
$(BUILD)/tests/unit/tree_sitter: LIBS_all += -ltree-sitter
$(BUILD)/tests/unit/tree_sitter: $(TREE_SITTER)

$(TEST_PROGRAMS) $(BENCH_PROGRAMS): $(BUILD)/%: $(BUILD)/%.o $(OBJ_TESTLIB) $(OBJ_COMPILER) $(OBJ_ENFORCER) $(OBJ_CTL) $(OBJ_SHARED)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_all)

# tegc and tegd as a later version would be, for the tests of upgrades: `later` has other tables of generations, `other`
# another layout of every pinned map too. Only what asks for the version is compiled anew.
VERSION_later := -DTEG_ABI_VERSION=1000u
VERSION_other := -DTEG_ABI_VERSION=1000u -DTEG_FORM_LEAST=1000u
VERSIONED_later := $(shell grep -lE 'TEG_(ABI_VERSION|FORM_LEAST)' $(LANG_SHARED) $(COMPILER) $(ENFORCER))
VERSIONED_other := $(VERSIONED_later)
VERSIONS        := $(foreach v,later other,$(BUILD)/$(v)/tegc $(BUILD)/$(v)/tegd)

# And a tegd for valgrind, without its list of system calls, since valgrind makes its own
# (enforcer/proc/allow.c). It cannot look at what the sanitizers look at.
VERSION_memcheck   := -DTEG_VALGRIND -U_FORTIFY_SOURCE
VERSIONED_memcheck := $(shell grep -l TEG_VALGRIND $(ENFORCER))
VERSIONS           += $(if $(filter release,$(FLAVOUR)),$(BUILD)/memcheck/tegd)

define version
$(call objects,$(VERSIONED_$(1):%=$(1)/%)): $(BUILD)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_CFLAGS) $$(VERSION_$(1)) -c -o $$@ $$<

$(BUILD)/$(1)/tegc: $(OBJ_TEGC)
$(BUILD)/$(1)/tegd: $(BUILD)/enforcer/tegd.o $(OBJ_ENFORCER) $(OBJ_SHARED)
$(BUILD)/$(1)/tegc $(BUILD)/$(1)/tegd: $(call objects,$(VERSIONED_$(1):%=$(1)/%))
	$$(CC) $$(ALL_LDFLAGS) -o $$@ $$(foreach o,$$(filter-out $(BUILD)/$(1)/%,$$^),$$(if $$(filter $$(o:$(BUILD)/%=$(BUILD)/$(1)/%),$$^),$$(o:$(BUILD)/%=$(BUILD)/$(1)/%),$$(o))) $$(LIBS_$$(@F))
endef
$(foreach v,later other memcheck,$(eval $(call version,$(v))))

tests: all $(TEST_PROGRAMS) $(BENCH_PROGRAMS) $(VERSIONS) ## build the test programs and benches

# All cores, unless the caller said how many.
PARALLEL = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

test: deps ## everything: set up, build, all tests; last line counts them
	@$(MAKE) $(PARALLEL) tests
	@BUILD=$(BUILD) tests/run

# KERNEL is a row of tests/vm/kernels; TESTS are patterns of tests/run.
KERNEL ?= debian-6.1
TESTS  ?= same/loads same/nft_told live/engine live/clsact live/generations live/upgrade live/rollout live/vlan live/demo
test-vm: ## the tests TESTS on another kernel, KERNEL, in a virtual machine; not part of test
	@tests/deps --vm
	@$(MAKE) $(PARALLEL) tests
	@BUILD=$(BUILD) tests/vm/run $(KERNEL) $(TESTS)

test-kernels: TESTS = same/loads same/nft_told
test-kernels: ## does every kernel of tests/vm/kernels take the programs, and find what lists of nft hold? TESTS on each, one after the other
	@tests/deps --vm
	@$(MAKE) $(PARALLEL) tests
	@failed=; for kernel in $$(tests/vm/run); do echo "$$kernel:"; \
		BUILD=$(BUILD) tests/vm/run $$kernel $(TESTS) || failed="$$failed $$kernel"; done; \
	[ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

golden: all ## rewrite the golden files; review the diff
	BUILD=$(BUILD) tests/golden/rewrite

# tests/fuzz/X.c is a target of libFuzzer, which is clang's. The words that it tries are the
# rows that the language is made of; it begins with tests/fuzz/corpus and the policies of the tree.
SECONDS     ?= 60
FUZZERS     ?= parse policy
SEEDS       := tests/fuzz/corpus tests/fuzz/reached/parse tests/fuzz/reached/policy policies/std policies/examples tests/wrong tests/golden/forms tests/golden/spelling
WORDS       := $(wildcard lang/vocab/*.def) lang/syntax/teg.y

$(BUILD)/gen/words.dict: $(WORDS)
	@mkdir -p $(@D)
	@grep -ohE '"[^" \\]+"' $(WORDS) | sort -u > $@

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(OBJ_COMPILER) $(OBJ_ENFORCER) $(OBJ_CTL) $(OBJ_SHARED)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_all)

fuzz: ## run the fuzz targets FUZZERS for SECONDS each, 60 unless said
	@$(MAKE) $(PARALLEL) FLAVOUR=fuzz CC=$(CLANG) CFLAGS=-Wno-error BUILD=build-fuzz \
		build-fuzz/gen/words.dict $(FUZZERS:%=build-fuzz/tests/fuzz/%)
	@for f in $(FUZZERS); do mkdir -p build-fuzz/corpus/$$f && echo "fuzz $$f: $(SECONDS) seconds" && \
		build-fuzz/tests/fuzz/$$f -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
			-dict=build-fuzz/gen/words.dict -artifact_prefix=build-fuzz/ -print_final_stats=1 \
			build-fuzz/corpus/$$f $$( [ -d tests/fuzz/reached/$$f ] && echo tests/fuzz/reached/$$f ) $(SEEDS) 2> build-fuzz/$$f.log || \
			{ tail -40 build-fuzz/$$f.log; exit 1; }; \
		grep -E '^(stat::number_of_executed_units|stat::new_units_added)' build-fuzz/$$f.log; done

fuzz-keep: ## of what FUZZERS found, keep in tests/fuzz/reached the fewest inputs that reach as much
	@for f in $(FUZZERS); do rm -rf tests/fuzz/reached/$$f && mkdir -p tests/fuzz/reached/$$f && \
		build-fuzz/tests/fuzz/$$f -set_cover_merge=1 -use_counters=0 -use_cmp=0 -max_len=4096 \
			tests/fuzz/reached/$$f build-fuzz/corpus/$$f 2> build-fuzz/$$f.log || exit 1; done

same-long: SECONDS = 3600
same-long: all $(BUILD)/tests/same/xdp $(BUILD)/tests/same/nft ## set the engines against eval for SECONDS, 3600 unless said; SEED=N
	@BUILD=$(BUILD) tests/same/long $(SECONDS) $(SEED)

bench: all $(BENCH_PROGRAMS) ## the measurements, with their floors and peers
	@BUILD=$(BUILD) tests/bench/run

bench-enforcer: all $(BENCH_PROGRAMS) ## what a change takes and what packets notice of it, requests, restarts, memory at rest
	@BUILD=$(BUILD) tests/bench/run enforcer blocks

bench-path: all $(BENCH_PROGRAMS) ## what the first hook costs a packet, beside a program that only reads the frame
	@BUILD=$(BUILD) tests/bench/run path verify flood sets bulk peers

bench-prove: $(BUILD)/tests/bench/prove ## what the prover's questions cost, beside BuDDy
	$<

bench-lang: $(BUILD)/tegc ## what checking, formatting and building long policies costs, and a keystroke
	@PYTHONDONTWRITEBYTECODE=1 python3 tests/bench/lang.py $<

demo: deps ## set up, build, and show real traffic under a real policy; KEEP=1 leaves it running
	@$(MAKE) $(PARALLEL) all
	@BUILD=$(BUILD) tests/demo/run

deps: ## install what building, running and testing need (apt; idempotent)
	@tests/deps

PREFIX  ?= /usr
DESTDIR ?=

# What is installed: MODE:FILE:PLACE, below PREFIX.
placed = $(foreach f,$(wildcard $(1)),644:$(f):$(2)/$(notdir $(f)))
INSTALLED := 755:$(BUILD)/tegc:bin/tegc 755:$(BUILD)/tegctl:bin/tegctl 755:$(BUILD)/tegd:sbin/tegd \
	755:$(BUILD)/tegc-git:libexec/tegumentar/tegc-git \
	$(call placed,enforcer/systemd/tegd.service enforcer/systemd/tegd.socket,lib/systemd/system) \
	644:enforcer/systemd/tegumentar.sysusers:lib/sysusers.d/tegumentar.conf \
	644:enforcer/systemd/tegumentar.tmpfiles:lib/tmpfiles.d/tegumentar.conf \
	$(foreach n,1 2 3 4 5 6 7 8,$(call placed,docs/man/*.$(n),share/man/man$(n))) \
	644:compiler/cmd/tegc.bash:share/bash-completion/completions/tegc \
	644:enforcer/ctl/tegctl.bash:share/bash-completion/completions/tegctl \
	$(call placed,policies/std/*,share/tegumentar/policies/std) \
	$(call placed,enforcer/monitoring/*,share/tegumentar/monitoring) \
	$(call placed,docs/errors/*,share/doc/tegumentar/errors)
INSTALLED_UNIT := lib/systemd/system/tegd.service
# Directories that are nobody else's, the inner ones first.
INSTALLED_DIRS := share/tegumentar/policies/std share/tegumentar/policies share/tegumentar/monitoring share/tegumentar \
	share/doc/tegumentar/errors share/doc/tegumentar libexec/tegumentar

install: all ## programs, units, manual pages, completions, the policy library; PREFIX, DESTDIR
	@set -e; for row in $(INSTALLED); do \
		from=$${row#*:}; \
		install -D -m $${row%%:*} $${from%%:*} $(DESTDIR)$(PREFIX)/$${from#*:}; \
	done
	sed -i 's|/usr/sbin/|$(PREFIX)/sbin/|' $(DESTDIR)$(PREFIX)/$(INSTALLED_UNIT)

uninstall: ## take away what install put there; settings, state and what the kernel enforces stay
	@set -e; for row in $(INSTALLED); do rm -f $(DESTDIR)$(PREFIX)/$${row##*:}; done
	@for dir in $(INSTALLED_DIRS); do rmdir $(DESTDIR)$(PREFIX)/$$dir 2>/dev/null || :; done
	@echo "what the kernel enforces goes on, and settings and state stay: docs/install.md says how to end it"

clean: ## remove what was built
	rm -rf build build-asan build-tsan build-fuzz

-include $(shell find $(BUILD) -path $(BUILD)/vm -prune -o -name '*.d' -type f -print 2>/dev/null)
