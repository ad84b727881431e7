# Voicegate: what can be made.
#
#   make run         install what is missing, build, start, speak the demo
#   make test        every test at everyday size, one prove run
#   make check       style, contract lint, clang, analysis, then the tests
#   make help        the rest

SHELL := /bin/bash
# The same on every machine, and no complaint of a locale that is not there.
export LC_ALL := C.UTF-8
BUILD ?= build
CC ?= gcc
SANITIZE ?=
PREFIX ?= /usr
DESTDIR ?=
B ?=

# One flavour of build a directory: build, build-asan, build-clang.
VARIANT = BUILD=$(BUILD) CC=$(CC) SANITIZE=$(SANITIZE)

# As many compilers as there are processors, unless -j says otherwise.
JOBS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

CFLAGS_ALL = -std=gnu11 -O2 -g -Wall -Wextra -Werror -Ilib -It/unit \
	-MMD -MP $(if $(SANITIZE),-O1 -fsanitize=address$(comma)undefined \
	-fno-omit-frame-pointer -fno-sanitize-recover=undefined)
comma := ,
LIBS = -ljansson -lcrypto -lpcre2-8 -lunistring -lstemmer -lm

UNITS = $(patsubst t/unit/%.c,$(BUILD)/unit/%,$(wildcard t/unit/*.c))
TOOLS = $(patsubst t/tools/%.c,$(BUILD)/tools/%,$(wildcard t/tools/*.c))
FUZZERS = $(patsubst t/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard t/fuzz/*.c))
FUZZ_LIB = $(patsubst lib/%.c,$(BUILD)/fuzz/lib/%.o,$(wildcard lib/*.c))
FUZZ_CTL = $(patsubst ctl/%.c,$(BUILD)/fuzz/ctl/%.o, \
	$(filter-out ctl/ctl_main.c,$(wildcard ctl/*.c)))

PROVE = prove -j3 -It/lib

# They wait more than they work.  The longest begin first, so that none is
# left alone at the end.
LONGEST = $(addprefix t/,95-upgrade.t 81-limits-edge.t 30-pool-jobs.t \
	92-slow-clients.t 30-job-call_processing.t 12-cron-peers.t 44-console.t)
TESTS = $(LONGEST) $(UNITS) \
	$(filter-out $(LONGEST),$(sort $(wildcard t/*.t)))

.PHONY: all module workers ctl unit docs deps deps-test deps-clang deps-check \
	run demo stop reload test test-long prove style analyse lint check check-asan check-clang \
	nginx-debug fuzz fuzzers bench install clean help

all: module workers ctl unit docs

help:
	@sed -n '/^$$/q;s/^# \{0,1\}//p' Makefile
	@printf '  %-16s %s\n' \
	'make stop' 'stop the private stack; data stay' \
	'make demo' 'speak the demo anew' \
	'make reload' 'take changed contract, configuration, SQL' \
	'make test T=FILE' 'some tests only' \
	'make test-long' 'the tests at full size' \
	'make check-asan' 'the tests under ASan and UBSan' \
	'make nginx-debug' 'an nginx with both, which check-asan takes' \
	'make check-clang' 'build with clang, warnings are errors' \
	'make style' 'text, budgets, includes, banned calls' \
	'make lint' 'the contract as an OpenAPI document' \
	'make analyse' 'cppcheck, shellcheck, perl -c' \
	'make fuzz' 'each fuzz target for FUZZ_SECONDS (30)' \
	'make bench B=x' 'one benchmark; without B, their names' \
	'make install' 'programs, templates, units; DESTDIR=, PREFIX=' \
	'make clean' 'delete what was built'

# --- build ----------------------------------------------------------------

include lib/lib.mk

module: lib
	@$(MAKE) --no-print-directory -f ngx_voice_module/module.mk $(VARIANT)

workers: lib
	@$(MAKE) --no-print-directory -f workers/workers.mk $(VARIANT)

ctl: lib
	@$(MAKE) --no-print-directory -f ctl/ctl.mk $(VARIANT)

unit: $(UNITS) $(TOOLS)

$(BUILD)/unit/%: t/unit/%.c $(LIB_ARCHIVE)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CFLAGS_ALL) -o $@ $< $(LIB_ARCHIVE) $(LIBS)

# Code that calls the test at each branch it takes, so that work is counted.
COUNTED = $(patsubst lib/%.c,$(BUILD)/counted/%.o, \
	$(wildcard lib/voice_schema*.c) lib/voice_json.c)

$(BUILD)/counted/%.o: lib/%.c
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_ALL) -fsanitize-coverage=trace-pc -c -o $@ $<

$(BUILD)/unit/schema_work: t/unit/schema_work.c $(COUNTED) $(LIB_ARCHIVE)
	@echo "  CC $<"
	@$(CC) $(CFLAGS_ALL) -o $@ $^ $(LIBS)

# Parts of the command line.
CTL_PARTS = $(patsubst ctl/%.c,$(BUILD)/ctl/%.o, \
	$(filter-out ctl/ctl_main.c,$(wildcard ctl/*.c)))

$(BUILD)/unit/ctl_%: t/unit/ctl_%.c $(wildcard ctl/*.[ch]) $(LIB_ARCHIVE) \
		| ctl
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CFLAGS_ALL) -Ictl -o $@ $< $(CTL_PARTS) $(LIB_ARCHIVE) \
		-lcurl $(LIBS)

# It speaks to a Redis.
$(BUILD)/tools/lease: LIBS += -lhiredis

# And this one to a PostgreSQL.
$(BUILD)/tools/jobs: LIBS += -lhiredis -lpq
$(BUILD)/tools/jobs: CFLAGS_ALL += $(patsubst -I%,-isystem %, \
	$(shell pkg-config --cflags libpq))

$(BUILD)/tools/%: t/tools/%.c $(LIB_ARCHIVE)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CFLAGS_ALL) -o $@ $< $(LIB_ARCHIVE) $(LIBS)

# The fuzzer wants its own compiler and its own marks in the common code.
FUZZ_COMPILE = clang -std=gnu11 -O1 -g -Wall -Wextra -Werror -Ilib -It/unit \
	-MMD -MP -fsanitize=address,undefined -fno-sanitize-recover=undefined

$(BUILD)/fuzz/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(FUZZ_COMPILE) -fsanitize=fuzzer-no-link -c -o $@ $<

$(BUILD)/fuzz/ctl/%.o: ctl/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(FUZZ_COMPILE) -fsanitize=fuzzer-no-link -c -o $@ $<

.SECONDARY: $(FUZZ_LIB) $(FUZZ_CTL)

$(BUILD)/fuzz/voicectl: t/fuzz/voicectl.c $(FUZZ_CTL) $(FUZZ_LIB)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(FUZZ_COMPILE) -Ictl -fsanitize=fuzzer -o $@ $< $(FUZZ_CTL) $(FUZZ_LIB) \
		-lcurl $(LIBS)

$(BUILD)/fuzz/%: t/fuzz/%.c $(FUZZ_LIB)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(FUZZ_COMPILE) -fsanitize=fuzzer -o $@ $< $(FUZZ_LIB) $(LIBS)

docs:
	@bin/build-docs $(BUILD)

-include $(addsuffix .d,$(UNITS) $(TOOLS) $(FUZZERS)) $(FUZZ_LIB:.o=.d) \
	$(FUZZ_CTL:.o=.d) \
	$(COUNTED:.o=.d)

# --- run ------------------------------------------------------------------

deps:
	@bin/deps run

deps-test:
	@bin/deps test

deps-clang:
	@bin/deps clang

deps-check:
	@bin/deps check

run: deps
	@$(MAKE) --no-print-directory $(JOBS) all
	@bin/demo

demo:
	@bin/demo --again

stop:
	@bin/stack stop

reload: all
	@bin/stack reload

# --- test -----------------------------------------------------------------

test: deps-test
	@$(MAKE) --no-print-directory $(JOBS) all
	@$(MAKE) --no-print-directory prove

test-long: export VOICE_TEST_LONG = 1
test-long: test

prove:
	@bin/template $(BUILD)
	@VOICE_BUILD=$(BUILD) VOICE_SANITIZE=$(SANITIZE) \
		$(PROVE) $(or $(T),$(TESTS))

style:
	@.ci/style

analyse:
	@.ci/analyse

lint: unit
	+@bin/lint-contract

check: deps-check
	@$(MAKE) --no-print-directory $(JOBS) style check-clang all analyse lint
	@$(MAKE) --no-print-directory prove

check-clang: deps-clang
	@$(MAKE) --no-print-directory $(JOBS) BUILD=build-clang CC=clang \
		module workers ctl unit

check-asan:
	@$(MAKE) --no-print-directory $(JOBS) BUILD=build-asan SANITIZE=1 \
		module workers ctl unit docs
	@$(if $(wildcard build-asan/nginx-debug), \
		VOICE_NGINX=$(CURDIR)/build-asan/nginx-debug) \
		$(MAKE) --no-print-directory BUILD=build-asan SANITIZE=1 prove

# nginx itself with sanitizers and without pools; check-asan then takes it.
nginx-debug:
	@bin/build-nginx --build build-asan

FUZZ_SECONDS ?= 30

fuzzers: $(FUZZERS)
	@:

fuzz: deps-clang
	@$(MAKE) --no-print-directory $(JOBS) fuzzers
	@for f in $(FUZZERS); do \
		name=$${f##*/}; log=$$f.log; corpus=t/fuzz/corpus/$$name; \
		mkdir -p $(BUILD)/corpus/$$name; \
		[ -d $$corpus ] || corpus=; \
		words=t/fuzz/dict/$$name.dict; \
		$$f -max_total_time=$(FUZZ_SECONDS) -timeout=5 -print_final_stats=1 \
			$$([ ! -f $$words ] || echo -dict=$$words) \
			-artifact_prefix=$$f- $(BUILD)/corpus/$$name $$corpus \
			>$$log 2>&1 || { tail -n 40 $$log; exit 1; }; \
		runs=$$(sed -n 's/^stat::number_of_executed_units: *//p' $$log); \
		printf '  FUZZ %-10s %9d runs, no fault\n' $$name "$$runs"; \
	done

bench:
	@bench/run $(B)

# --- install --------------------------------------------------------------

install: all
	@bin/install-files "$(DESTDIR)" "$(PREFIX)" "$(BUILD)"

clean:
	rm -rf build build-asan build-clang
