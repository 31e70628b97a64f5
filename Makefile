# SPDX-License-Identifier: Apache-2.0
# One non-recursive makefile. `make help` lists the targets.

BUILD ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

ifeq ($(filter-out $(CURDIR) /,$(abspath $(BUILD))),)
$(error BUILD wants a folder of its own, not "$(BUILD)")
endif

# `make WERROR=` for a compiler that knows more warnings than gcc 12 and clang 14.
WERROR ?= -Werror
WARNINGS := -Wall -Wextra $(WERROR) -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum \
	-Wformat=2 -Wvla -Wpointer-arith -Wwrite-strings -Wundef -Wno-missing-field-initializers
LIB_WARNINGS := -Wconversion -Wno-sign-conversion
OPTIMIZE ?= -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
SANITIZE ?=
LINKER ?=
CPPFLAGS_ALL := -I. -D_GNU_SOURCE -DMDC_VERSION='"$(VERSION)"' $(CPPFLAGS)
# The same source gives the same programs, wherever it lies.
CFLAGS_ALL := -std=gnu11 $(WARNINGS) $(OPTIMIZE) $(SANITIZE) -ffile-prefix-map=$(CURDIR)=. $(CFLAGS)
LDFLAGS_ALL := $(SANITIZE) $(LINKER) -Wl,-z,relro,-z,now $(LDFLAGS)

# Other builds of the same source, each in a folder of its own. gold links the many test programs
# in a third of the time.
SANITIZED := BUILD=$(BUILD)/sanitized OPTIMIZE='-O1 -g1 -fno-omit-frame-pointer' \
	LINKER=-fuse-ld=gold \
	SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all'
THREADS := BUILD=$(BUILD)/threads OPTIMIZE='-O1 -g1 -fno-omit-frame-pointer' \
	SANITIZE=-fsanitize=thread
COVERED := BUILD=$(BUILD)/covered OPTIMIZE='-O0 -g1' SANITIZE=--coverage
CLANG := BUILD=$(BUILD)/clang CC=clang
FUZZED := BUILD=$(BUILD)/fuzzed CC=clang OPTIMIZE='-O1 -g1' \
	SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all'

LIB_SRC := $(wildcard lib/*/*.c)
DAEMON_SRC := $(filter-out daemon/main.c daemon/mdcctl%.c,$(wildcard daemon/*.c))
MDCCTL_SRC := $(wildcard daemon/mdcctl*.c)
ESTATE_SRC := $(filter-out tests/estate/azsim%.c,$(wildcard tests/estate/*.c))
AZSIM_SRC := $(wildcard tests/estate/azsim*.c)
HARNESS_SRC := $(wildcard tests/harness/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_HELPER_SRC := $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c))
ESTATE_TEST_SRC := $(wildcard tests/estate/test/test_*.c)
DAEMON_TEST_SRC := $(wildcard tests/daemon/test_*.c)
SCENARIO_SRC := $(wildcard tests/scenario/test_*.c)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC := $(wildcard tests/bench/bench_*.c)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
bin = $(patsubst tests/%.c,$(BUILD)/tests/%,$(1))

LIBS_CORE := -ljansson
LIBS_DAEMON := -lcurl -ljansson -lev -lssl -lcrypto -lsystemd -lsqlite3 -lconfuse -lpthread
LIBS_ESTATE := -ljansson -lssl -lcrypto
LIBS_AZSIM := -lmicrohttpd -lgnutls -lev -lm

PROGRAMS := $(BUILD)/mdcd $(BUILD)/mdcctl $(BUILD)/azsim
# What takes long comes first, so that it does not end last.
TESTS := $(call bin,$(SCENARIO_SRC) $(DAEMON_TEST_SRC) $(ESTATE_TEST_SRC) $(UNIT_SRC) $(FUZZ_SRC))
# What walks the same paths again and again, for minutes when sanitized: `make check` runs it as it
# is, `make check-full` with the sanitizers too.
SWEEPS := $(addprefix $(BUILD)/tests/,scenario/test_observation scenario/test_properties \
	scenario/test_crash scenario/test_throttling scenario/test_errors scenario/test_polls \
	scenario/test_operations scenario/test_drift scenario/test_access scenario/test_control \
	scenario/test_quiet scenario/test_workspaces scenario/test_fights scenario/test_legacy \
	scenario/test_connectors_made scenario/test_failures scenario/test_subscriptions \
	daemon/test_store_errors daemon/test_store_crash daemon/test_judging \
	unit/test_governor_service unit/test_policy_properties)
LONG_SYSTEM_TESTS := $(addprefix tests/system/,identities.t identity_mistakes.t processes.t network.t)
SYSTEM_TESTS := $(LONG_SYSTEM_TESTS) \
	$(filter-out $(LONG_SYSTEM_TESTS),$(wildcard tests/system/*.t))
FULL_TESTS := $(wildcard tests/full/*.t)
LINTS := $(wildcard tests/lint/*.t)
BENCHES := $(call bin,$(BENCH_SRC))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzzers/%,$(FUZZ_SRC))

# One list for building, demo and checks; `make packages` installs what is missing.
PACKAGES := gcc make libc6-dev libcurl4-openssl-dev libjansson-dev libev-dev libssl-dev \
	libsystemd-dev libsqlite3-dev libconfuse-dev libmicrohttpd-dev libgnutls28-dev
CHECK_PACKAGES := libcmocka-dev perl git sqlite3 systemd iproute2 curl openssl clang-format \
	ca-certificates cppcheck universal-ctags binutils mandoc
FULL_PACKAGES := clang libclang-rt-14-dev clang-tidy valgrind shellcheck
# Used from $(BUILD)/unpacked: installed, these would start a service.
UNPACKED_PACKAGES := nginx

# `make V=1` shows the commands.
say = $(if $(V),,@printf '  %-6s %s\n' $(1) $(subst $(BUILD)/,,$@);)

# All processors, unless make was told a number. Not :=, since only recipes see -j.
PARALLEL = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))
SUBMAKE = $(MAKE) --no-print-directory $(PARALLEL)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all programs tests benches fuzzers conf demo check check-full check-programs bench lint \
	fuzz install install-files uninstall clean help packages sanitized \
	sanitized-sweeps threads covered clang fuzzed FORCE

all: packages
	@+$(SUBMAKE) programs
programs: $(BUILD)/libmdc.a $(PROGRAMS)
tests: $(TESTS)
benches: $(BENCHES)
fuzzers: $(FUZZERS)

sanitized:
	@+$(SUBMAKE) $(SANITIZED) tests
sanitized-sweeps:
	@+$(SUBMAKE) $(SANITIZED) $(call sanitized,$(SWEEPS))
threads:
	@+$(SUBMAKE) $(THREADS) tests
covered:
	@+$(SUBMAKE) $(COVERED) programs tests
clang:
	@+$(SUBMAKE) $(CLANG) programs tests benches
fuzzed:
	@+$(SUBMAKE) $(FUZZED) fuzzers

help:
	@echo "make            build $(BUILD)/mdcd, mdcctl and azsim (installs missing packages)"
	@echo "make demo       build, then watch the daemon migrate a simulated estate"
	@echo "make check      all tests, within five minutes on two cores"
	@echo "make check-full check, and clang, valgrind, fuzzing, longer seeds and sweeps"
	@echo "make check-clients"
	@echo "                drive the simulated Azure with Microsoft's clients, check it with their tools"
	@echo "make bench      measure: calls, time and memory by the size of the estate"
	@echo "make lint       only the rules on how the source is written"
	@echo "make fuzz       fuzz each parser of outside text for FUZZ_SECONDS (60) seconds"
	@echo "make sanitized  the tests with ASan and UBSan (as in make check) under $(BUILD)/sanitized/;"
	@echo "                also threads (TSan), covered (gcov), clang"
	@echo "make install    DESTDIR and PREFIX ($(PREFIX)) are honoured; uninstall removes it"
	@echo "make clean      remove $(BUILD)/"

packages:
	@tests/packages $(PACKAGES) $(if $(WITH_CHECKS),$(CHECK_PACKAGES)) \
		$(if $(WITH_FULL),$(FULL_PACKAGES))

# --- building ---

# Everything is made anew when what it is made with changes; an archive, when a source comes or goes.
quoted = '$(subst ','\'',$(1))'
COMMANDS = $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LIB_WARNINGS) $(LDFLAGS_ALL) $(LIBS_DAEMON) \
	$(LIBS_ESTATE) $(LIBS_AZSIM)
SOURCES = $(LIB_SRC) $(DAEMON_SRC) $(MDCCTL_SRC) $(ESTATE_SRC) $(AZSIM_SRC) $(HARNESS_SRC) \
	$(UNIT_HELPER_SRC)
keep_if_same = @mkdir -p $(@D) && printf '%s\n' $(call quoted,$(1)) >$@.new && \
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
$(BUILD)/commands: FORCE
	$(call keep_if_same,$(COMMANDS))
$(BUILD)/sources: FORCE
	$(call keep_if_same,$(SOURCES))

$(BUILD)/libmdc.a: $(call obj,$(LIB_SRC))
$(BUILD)/libmdcd.a: $(call obj,$(DAEMON_SRC))
$(BUILD)/libmdcctl.a: $(call obj,$(filter-out daemon/mdcctl.c,$(MDCCTL_SRC)))
$(BUILD)/libestate.a: $(call obj,$(ESTATE_SRC))
$(BUILD)/libharness.a: $(call obj,$(HARNESS_SRC))
$(BUILD)/libunit.a: $(call obj,$(UNIT_HELPER_SRC))
$(BUILD)/%.a: $(BUILD)/sources
	@mkdir -p $(@D) && rm -f $@
	$(call say,AR)$(AR) crs $@ $(filter %.o,$^)

$(BUILD)/mdcd: $(call obj,daemon/main.c) $(BUILD)/libmdcd.a $(BUILD)/libmdc.a
	$(call say,LD)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_DAEMON)
$(BUILD)/mdcctl: $(call obj,daemon/mdcctl.c) $(BUILD)/libmdcctl.a $(BUILD)/libmdc.a
	$(call say,LD)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_CORE)
$(BUILD)/azsim: $(call obj,$(AZSIM_SRC)) $(BUILD)/libestate.a $(BUILD)/libmdc.a $(BUILD)/sources
	$(call say,LD)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o %.a,$^) $(LIBS_ESTATE) $(LIBS_AZSIM)

LINK_TEST = @mkdir -p $(@D)$(if $(V),, && printf '  %-6s %s\n' LD $(subst $(BUILD)/,,$@)); \
	$(CC) $(LDFLAGS_ALL) -o $@ $^

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libunit.a $(BUILD)/libmdc.a
	$(LINK_TEST) $(LIBS_CORE) -lcmocka
$(BUILD)/tests/estate/%: $(BUILD)/obj/tests/estate/%.o $(BUILD)/libestate.a $(BUILD)/libmdc.a
	$(LINK_TEST) $(LIBS_ESTATE) -lcmocka
$(BUILD)/tests/daemon/%: $(BUILD)/obj/tests/daemon/%.o $(BUILD)/libharness.a $(BUILD)/libmdcd.a \
		$(BUILD)/libmdcctl.a $(BUILD)/libestate.a $(BUILD)/libmdc.a
	$(LINK_TEST) $(LIBS_DAEMON) $(LIBS_ESTATE) -lcmocka
$(BUILD)/tests/scenario/%: $(BUILD)/obj/tests/scenario/%.o $(BUILD)/libharness.a \
		$(BUILD)/libmdcd.a $(BUILD)/libestate.a $(BUILD)/libmdc.a
	$(LINK_TEST) $(LIBS_DAEMON) $(LIBS_ESTATE) -lcmocka
$(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/libharness.a $(BUILD)/libmdcd.a \
		$(BUILD)/libestate.a $(BUILD)/libmdc.a
	$(LINK_TEST) $(LIBS_DAEMON) $(LIBS_ESTATE)
$(BUILD)/tests/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/replay.o \
		$(BUILD)/libmdcd.a $(BUILD)/libestate.a $(BUILD)/libmdc.a
	$(LINK_TEST) $(LIBS_DAEMON) $(LIBS_ESTATE)

$(BUILD)/obj/lib/%.o: lib/%.c $(BUILD)/commands
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LIB_WARNINGS) -MMD -MP -c -o $@ $<
$(BUILD)/obj/%.o: %.c $(BUILD)/commands
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# The example and the manual of the configuration come from its table; `make conf` writes them anew.
$(BUILD)/config_doc: $(BUILD)/obj/conf/config_doc.o $(BUILD)/libmdc.a
	$(call say,LD)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_CORE)
conf: $(BUILD)/config_doc
	$< --example >conf/mdcd.conf
	$< --manual conf/mdcd.conf.5.in >conf/mdcd.conf.5

# Each fuzz target is built twice: to replay its corpus (a test), and for libFuzzer.
$(BUILD)/fuzzers/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/libmdcd.a $(BUILD)/libestate.a \
		$(BUILD)/libmdc.a
	$(LINK_TEST) -fsanitize=fuzzer $(LIBS_DAEMON) $(LIBS_ESTATE)

# --- showing ---

demo: all
	@BUILD=$(BUILD) tests/demo/demo

# --- checking ---

sanitized = $(patsubst $(BUILD)/%,$(BUILD)/sanitized/%,$(1))
CHECKED := $(call sanitized,$(filter-out $(SWEEPS),$(TESTS)))
# System tests wait more than they work: they begin, and more run than there are processors.
CHECKS := $(SYSTEM_TESTS) $(LINTS) $(SWEEPS) $(CHECKED)
AT_ONCE = -j $(shell echo $$((3 * $$(nproc))))

# The search of memory is left unwatched: its check reads the whole text again for each find.
check check-full: export ASAN_OPTIONS = intercept_memmem=0
check check-full: export NGINX ?= $(firstword $(shell PATH=$$PATH:/usr/sbin command -v nginx) \
	$(abspath $(BUILD))/unpacked/usr/sbin/nginx)
check-programs:
	@+$(SUBMAKE) programs $(SWEEPS)
	@tests/packages --unpack $(BUILD)/unpacked $(UNPACKED_PACKAGES)
	@+$(SUBMAKE) $(SANITIZED) $(CHECKED)
check:
	@+$(SUBMAKE) packages WITH_CHECKS=1
	@+$(SUBMAKE) check-programs
	@BUILD=$(BUILD) tests/run $(AT_ONCE) $(CHECKS)

check-full:
	@+$(SUBMAKE) packages WITH_CHECKS=1 WITH_FULL=1
	@+$(SUBMAKE) check-programs
	@+$(SUBMAKE) tests
	@BUILD=$(BUILD) SWEEPS='$(SWEEPS)' tests/run -t 7200 $(FULL_TESTS) $(CHECKS)

# Clients and tools of Microsoft's, from Debian and npm. Not part of any other target.
$(BUILD)/print_queries: $(BUILD)/obj/tests/clients/print_queries.o $(BUILD)/libmdc.a
	$(call say,LD)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_CORE)
check-clients:
	@+$(SUBMAKE) packages
	@+$(SUBMAKE) programs $(BUILD)/print_queries
	@BUILD=$(BUILD) tests/clients/run
.PHONY: check-clients

lint:
	@+$(SUBMAKE) packages WITH_CHECKS=1
	@+$(SUBMAKE) programs
	@BUILD=$(BUILD) tests/run $(LINTS)

# What was found stays under $(BUILD)/fuzzed/ and is where the next run begins.
fuzz:
	@+$(SUBMAKE) packages WITH_CHECKS=1 WITH_FULL=1
	@BUILD=$(BUILD) tests/run -t 86400 tests/full/fuzz.t

bench: all
	@+$(SUBMAKE) benches
	@BUILD=$(BUILD) tests/bench/run

# --- installing ---

SBINDIR := $(DESTDIR)$(PREFIX)/sbin
BINDIR := $(DESTDIR)$(PREFIX)/bin
MANDIR := $(DESTDIR)$(PREFIX)/share/man
SYSTEMD := $(DESTDIR)$(if $(filter /usr,$(PREFIX)),/usr/lib,$(PREFIX)/lib)
DOCDIR := $(DESTDIR)$(PREFIX)/share/doc/mdcd
COMPLETIONS := $(DESTDIR)$(PREFIX)/share/bash-completion/completions

install: all install-files

install-files:
	install -d $(SBINDIR) $(BINDIR) $(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man8 $(DOCDIR) \
		$(COMPLETIONS) \
		$(SYSTEMD)/systemd/system $(SYSTEMD)/systemd/catalog $(SYSTEMD)/sysusers.d \
		$(SYSTEMD)/tmpfiles.d
	install -m 755 $(BUILD)/mdcd $(SBINDIR)/mdcd
	install -m 755 $(BUILD)/mdcctl $(BINDIR)/mdcctl
	install -m 644 conf/mdcctl.bash-completion $(COMPLETIONS)/mdcctl
	install -m 644 conf/mdcctl.1 $(MANDIR)/man1/
	install -m 644 conf/mdcd.conf.5 $(MANDIR)/man5/
	install -m 644 conf/mdcd.8 $(MANDIR)/man8/
	install -m 644 conf/mdcd.conf systemd/mdcd.service.d/*.example README.md LICENSE $(DOCDIR)/
	sed 's,@sbindir@,$(PREFIX)/sbin,; s,@bindir@,$(PREFIX)/bin,' systemd/mdcd.service.in \
		>$(SYSTEMD)/systemd/system/mdcd.service
	chmod 644 $(SYSTEMD)/systemd/system/mdcd.service
	install -m 644 systemd/mdcd.catalog $(SYSTEMD)/systemd/catalog/mdcd.catalog
	install -m 644 systemd/mdcd.sysusers $(SYSTEMD)/sysusers.d/mdcd.conf
	install -m 644 systemd/mdcd.tmpfiles $(SYSTEMD)/tmpfiles.d/mdcd.conf

uninstall:
	rm -f $(SBINDIR)/mdcd $(BINDIR)/mdcctl $(COMPLETIONS)/mdcctl $(MANDIR)/man1/mdcctl.1 $(MANDIR)/man5/mdcd.conf.5 \
		$(MANDIR)/man8/mdcd.8 $(SYSTEMD)/systemd/system/mdcd.service \
		$(SYSTEMD)/systemd/catalog/mdcd.catalog $(SYSTEMD)/sysusers.d/mdcd.conf \
		$(SYSTEMD)/tmpfiles.d/mdcd.conf
	rm -rf $(DOCDIR)

# Only a folder that a build has made.
VARIANTS := sanitized threads covered clang fuzzed
clean:
	$(if $(wildcard $(BUILD)/commands $(VARIANTS:%=$(BUILD)/%/commands)),rm -rf $(BUILD),@true)
