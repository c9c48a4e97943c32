# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# loopstall. `make help` lists the targets; everything built goes into build/.

VERSION  := 0.1.0
B        := build
CC       ?= gcc
CLANG    ?= clang
BPFTOOL  ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PREFIX   ?= /usr/local
PYTHON3  ?= /usr/bin/python3
Q        := $(if $(V),,@)
say       = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(CI),-Werror)
CFLAGS   ?= -O2 -g
override CFLAGS += -std=gnu11 $(WARN) -D_GNU_SOURCE -DLS_VERSION='"$(VERSION)"' -Ibpf -Isrc -I$(B) -MMD -MP
# libbpf is linked statically: `report` and `diff` run where it is not installed.
LDLIBS   := -l:libbpf.a -ldw -lelf -llzma -liberty -ljansson -lmicrohttpd -lzstd -lz -lcrypt -lm -lpthread

SERVER_SRCS := $(wildcard src/server/*.c)
SRCS     := $(filter-out $(SERVER_SRCS),$(wildcard src/*.c src/*/*.c))
OBJS     := $(SRCS:%.c=$(B)/%.o)
LIB_OBJS := $(filter-out $(B)/src/main.o,$(OBJS))
SERVER_OBJS := $(SERVER_SRCS:%.c=$(B)/%.o)
SERVER_LDLIBS := -levent_core -levent_extra -lsqlite3 -lz -lpthread
BPF_SRCS := $(wildcard bpf/*.bpf.c)
BPF_OBJS := $(BPF_SRCS:%.c=$(B)/%.o)
TESTS    := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/test_*.c))
STALLERS := $(patsubst tests/stallers/%.c,$(B)/stallers/%,$(wildcard tests/stallers/*.c))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help deps demo test truth check-vm check-python check-readers check-diff bench asan fuzz lint lint-format lint-tidy \
	lint-cppcheck lint-shell lint-license format install uninstall clean soak soak-export

all: $(B)/loopstall $(if $(SERVER_SRCS),$(B)/offload-server) ## build the programs

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 18

deps: ## install what the build and the tests need (Debian packages)
	$(Q)tests/deps.sh

# --- BPF: one object a concern, linked into one skeleton -------------------------------------
$(B)/vmlinux.h:
	$(call say,BTF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) btf dump file /sys/kernel/btf/vmlinux format c > $@

$(B)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) $(B)/vmlinux.h
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -target bpf -D__TARGET_ARCH_x86 -mcpu=v3 -O2 -g -Wall -Wextra -Wno-unused-parameter \
		-Wno-gnu-variable-sized-type-not-at-end -idirafter /usr/include/$(shell uname -m)-linux-gnu \
		$(if $(CI),-Werror) -Ibpf -I$(B) -c $< -o $@

$(B)/loopstall.bpf.o: $(BPF_OBJS)
	$(call say,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(B)/loopstall.skel.h: $(B)/loopstall.bpf.o
	$(call say,SKEL,$@)
	$(Q){ echo '/* NOLINTBEGIN: generated */'; $(BPFTOOL) gen skeleton $< name loopstall_bpf && \
		echo '/* NOLINTEND */'; } > $@

$(B)/syscall_names.h:
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)echo '#include <asm/unistd_64.h>' | $(CC) -E -dM - | \
		sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$$/[\2] = "\1",/p' | sort > $@

# --- user space ------------------------------------------------------------------------------
$(filter $(B)/src/trace/%.o,$(OBJS)): | $(B)/loopstall.skel.h $(B)/syscall_names.h
$(B)/src/report/assets.o: $(wildcard src/report/assets/*)

$(B)/%.o: %.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -c $< -o $@

$(B)/loopstall: $(OBJS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(B)/offload-server: $(SERVER_OBJS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(SERVER_LDLIBS) -o $@

$(B)/tests/%: tests/%.c $(LIB_OBJS)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -Itests $(LDFLAGS) $< $(LIB_OBJS) $(LDLIBS) -lcmocka -o $@

SERVER_LIB_OBJS := $(filter-out $(B)/src/server/main.o,$(SERVER_OBJS))

$(B)/tests/test_server_%: tests/test_server_%.c $(SERVER_LIB_OBJS)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $< $(SERVER_LIB_OBJS) $(SERVER_LDLIBS) -lcmocka -o $@

$(B)/bench/server_%: tests/bench/server_%.c $(SERVER_LIB_OBJS)
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $< $(SERVER_LIB_OBJS) $(SERVER_LDLIBS) -o $@

$(B)/bench/diff_%: tests/bench/diff_%.c $(LIB_OBJS)
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $< $(LIB_OBJS) $(LDLIBS) -o $@

# The stallers are targets, built as distributions build: optimised, no frame pointers.
$(B)/stallers/%: tests/stallers/%.c $(wildcard tests/stallers/*.h)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -g -fomit-frame-pointer $(WARN) -D_GNU_SOURCE $< -o $@ $(STALLER_FLAGS) -lpthread
$(B)/stallers/fakepython: STALLER_FLAGS := -rdynamic # it exports the interpreter's symbols

-include $(OBJS:.o=.d) $(SERVER_OBJS:.o=.d)

demo: ## the bug, its trace, the fix, the comparison: from nothing, in a minute or two (root)
	$(Q)tests/demo.sh

# --- tests -----------------------------------------------------------------------------------
test: ## install what is missing, then unit tests, then end-to-end tests on real processes (root)
	$(Q)tests/deps.sh || echo 'going on with what is installed'
	$(Q)$(MAKE) --no-print-directory test-build
	$(Q)tests/run.sh $(TESTS)

.PHONY: test-build
test-build: all $(TESTS) $(STALLERS)

truth: all $(B)/stallers/truth ## a thousand iterations of known causes and lengths, held against the trace (root)
	$(Q)TRUTH_ITERATIONS=1000 tests/e2e/truth.sh

check-vm: all $(B)/stallers/truth $(B)/stallers/idle ## the same on Debian's 6.1, 6.12 and newest kernel, in emulated machines
	$(Q)tests/vm/check.sh

# What the benches compare with, tests/bench/*.c, is built where their objects are.
BENCHES := $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/*.c))
bench: all $(STALLERS) $(BENCHES) ## what tracing and export cost, what the reference server gains (root, an idle machine)
	$(Q)tests/bench/overhead.sh
	$(Q)tests/bench/export.sh
	$(Q)tests/bench/python.sh
	$(Q)tests/bench/server.sh

soak: all ## ten minutes of load on offload-server, its workers killed at random (SOAK_SECONDS)
	$(Q)PATH=$(CURDIR)/$(B):$$PATH $(PYTHON3) -B tests/soak/server.py

SOAK_EXPORT_SECONDS ?= 900
soak-export: all $(STALLERS) ## a quarter of an hour of processes coming and going under export --all (root)
	$(Q)tests/bench/soak_export.sh $(SOAK_EXPORT_SECONDS)

# --- fuzzing: each tests/fuzz/fuzz_NAME.c for FUZZ_SECONDS, from tests/fuzz/corpus/fuzz_NAME ---
FUZZ_SECONDS ?= 20
FUZZERS  := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_CC   = $(CLANG) -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined

$(B)/fuzz/fuzz_server_%: tests/fuzz/fuzz_server_%.c $(SERVER_SRCS) $(wildcard src/server/*.h)
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(filter-out -MMD -MP,$(CFLAGS)) $< $(filter-out src/server/main.c,$(SERVER_SRCS)) \
		$(SERVER_LDLIBS) -o $@

$(B)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(SRCS) $(B)/loopstall.skel.h
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(filter-out -MMD -MP,$(CFLAGS)) -Itests $< $(filter-out src/main.c,$(SRCS)) $(LDLIBS) -o $@

fuzz: $(FUZZERS) ## run every fuzz target for FUZZ_SECONDS (20)
	$(Q)tests/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZERS)

check-readers: $(B)/loopstall $(B)/tests/make_trace ## open every report format in its own reader (npm, Chromium)
	$(Q)tests/readers/check.sh

check-diff: $(B)/loopstall $(B)/tests/make_trace $(B)/bench/diff_power ## false alarms and power of diff; cost of a trace of 100,000 stalls
	$(Q)tests/bench/diff_check.sh

check-python: all ## Python frames under each version that Debian's suites have (root; fetches them)
	$(Q)tests/python/check.sh

# The same sources under AddressSanitizer and UBSan, in a build folder of their own.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ASAN_B   := $(B)/asan

asan: ## unit tests and the readers of trace files under ASan and UBSan
	$(Q)$(MAKE) --no-print-directory B=$(ASAN_B) CFLAGS='-O1 -g $(SANITIZE)' asan-build
	$(Q)tests/asan.sh $(ASAN_B)

.PHONY: asan-build
asan-build: test-build $(B)/tests/make_trace

# --- style and static analysis -----------------------------------------------------------------
C_FILES  := $(shell git ls-files -co --exclude-standard '*.c' '*.h' 2>/dev/null)
SCRIPTS  := $(shell git ls-files -co --exclude-standard '*.sh' 2>/dev/null) .ci/run tests/vm/run tests/vm/fetch
TIDY_SRCS := $(SRCS) $(SERVER_SRCS)

lint: lint-license lint-format lint-shell lint-cppcheck lint-tidy ## clang-format, clang-tidy, cppcheck, shellcheck

lint-license:
	$(call say,LINT,SPDX)
	$(Q)! git ls-files -co --exclude-standard '*.c' '*.h' '*.cc' '*.sh' '*.py' '*.js' '*.css' Makefile .ci '*.yml' | \
		xargs -d '\n' grep -L 'SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only' | \
		sed 's/$$/: no SPDX-License-Identifier line/' | grep .

lint-format:
	$(call say,LINT,clang-format)
	$(Q)printf '%s\n' $(C_FILES) | xargs clang-format --dry-run -Werror

lint-shell:
	$(call say,LINT,shellcheck)
	$(Q)shellcheck -x -e SC1091 $(SCRIPTS)
	$(Q)! grep -nE '[^|]\| *(grep -[a-zA-Z]*q|head )' $(SCRIPTS) | \
		sed 's/$$/: ends before its input does, which pipefail takes for a failure/' | grep .

# uninitvar: `fwrite(bytes, 1, encode(c, bytes), out)` is right, and the compilers check this better.
lint-cppcheck:
	$(call say,LINT,cppcheck)
	$(Q)cppcheck --quiet -j$$(nproc) --std=c11 --enable=warning,performance,portability --error-exitcode=1 \
		--inline-suppr --suppress=legacyUninitvar --suppress=uninitvar --suppress=shiftTooManyBitsSigned \
		--suppress=unknownMacro -D__x86_64__ -DLS_VERSION='"$(VERSION)"' -Ibpf -Isrc src

# One stamp a file: what has not changed since is not looked at again.
$(B)/tidy/%.ok: %.c .clang-tidy $(wildcard src/*/*.h bpf/*.h) | $(B)/loopstall.skel.h $(B)/syscall_names.h
	$(call say,TIDY,$<)
	$(Q)mkdir -p $(@D)
	$(Q)clang-tidy --quiet $< -- $(filter-out -MMD -MP -Werror,$(CFLAGS)) 2>$@.log || { cat $@.log; exit 1; }
	$(Q)touch $@

lint-tidy: $(TIDY_SRCS:%.c=$(B)/tidy/%.ok)

format: ## lay out all C as .clang-format says
	$(Q)printf '%s\n' $(C_FILES) | xargs clang-format -i

# --- installation ------------------------------------------------------------------------------
bindir   := $(DESTDIR)$(PREFIX)/bin
mandir   := $(DESTDIR)$(PREFIX)/share/man
datadir  := $(DESTDIR)$(PREFIX)/share/loopstall
PROGRAMS := loopstall $(if $(SERVER_SRCS),offload-server)
MANUALS  := $(wildcard docs/*.1 docs/*.8)
# .json, .yml, .yaml, .service, Dockerfile
DASHBOARDS := $(filter-out %.test.yml,$(wildcard dashboards/*/*))

install: all ## programs, manual, dashboards and what deploys them, under $(DESTDIR)$(PREFIX)
	$(Q)install -d $(bindir) $(datadir)
	$(Q)install -m 755 $(PROGRAMS:%=$(B)/%) $(bindir)
	$(Q)for m in $(MANUALS); do install -D -m 644 -t $(mandir)/man$${m##*.} $$m || exit 1; done
	$(Q)for d in $(DASHBOARDS) docs/export.md; do \
		install -D -m 644 $$d $(datadir)/$$d || exit 1; done
	$(Q)sed -i 's,/usr/local,$(PREFIX),g' $(datadir)/dashboards/deploy/loopstall-export.service

uninstall: ## remove what install has put there
	rm -f $(PROGRAMS:%=$(bindir)/%) $(foreach m,$(MANUALS),$(mandir)/man$(subst .,,$(suffix $(m)))/$(notdir $(m)))
	rm -rf $(datadir)

clean: ## remove what was built
	rm -rf $(B)
