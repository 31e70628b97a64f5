# SPDX-License-Identifier: Apache-2.0
# One non-recursive makefile. `make help` lists the targets.

BUILD ?= build
CC ?= gcc
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum \
	-Wformat=2 -Wvla -Wpointer-arith -Wwrite-strings -Wundef -Wno-missing-field-initializers
LIB_WARNINGS := -Wconversion -Wno-sign-conversion
OPTIMIZE ?= -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
SANITIZE ?=
CPPFLAGS_ALL := -I. -D_GNU_SOURCE -DMDC_VERSION='"$(VERSION)"' $(CPPFLAGS)
CFLAGS_ALL := -std=gnu11 $(WARNINGS) $(OPTIMIZE) $(SANITIZE) $(CFLAGS)
LDFLAGS_ALL := $(SANITIZE) $(LDFLAGS)

LIB_SRC := $(wildcard lib/*/*.c)
DAEMON_SRC := $(filter-out daemon/main.c daemon/mdcctl%.c,$(wildcard daemon/*.c))
MDCCTL_SRC := $(wildcard daemon/mdcctl*.c)
ESTATE_SRC := $(filter-out tests/estate/azsim%.c,$(wildcard tests/estate/*.c))
AZSIM_SRC := $(wildcard tests/estate/azsim*.c)
HARNESS_SRC := $(wildcard tests/harness/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
ESTATE_TEST_SRC := $(wildcard tests/estate/test/test_*.c)
SCENARIO_SRC := $(wildcard tests/scenario/test_*.c)
DAEMON_TEST_SRC := $(wildcard tests/daemon/test_*.c)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
bin = $(patsubst tests/%.c,$(BUILD)/tests/%,$(1))

LIBS_CORE := -ljansson
LIBS_DAEMON := -lcurl -ljansson -lev -lssl -lcrypto -lsystemd -lsqlite3 -lconfuse -lpthread
LIBS_ESTATE := -ljansson -lssl -lcrypto
LIBS_AZSIM := -lmicrohttpd -lgnutls -lev -lm

PROGRAMS := $(BUILD)/mdcd $(BUILD)/mdcctl $(BUILD)/azsim
TESTS := $(call bin,$(UNIT_SRC) $(ESTATE_TEST_SRC) $(DAEMON_TEST_SRC) $(SCENARIO_SRC))

# One list for building, demo and checks; `make packages` installs what is missing.
PACKAGES := gcc make libc6-dev libcurl4-openssl-dev libjansson-dev libev-dev libssl-dev \
	libsystemd-dev libsqlite3-dev libconfuse-dev libmicrohttpd-dev libgnutls28-dev
CHECK_PACKAGES := libcmocka-dev perl sqlite3 systemd iproute2 clang clang-format clang-tidy \
	valgrind universal-ctags binutils mandoc openssl

# `make V=1` shows the commands.
say = $(if $(V),,@printf '  %-6s %s\n' $(1) $(subst $(BUILD)/,,$@);)

.DEFAULT_GOAL := all
.PHONY: all demo check check-full bench lint fuzz install uninstall clean help packages
all: packages
	@$(MAKE) --no-print-directory programs
programs: $(BUILD)/libmdc.a $(PROGRAMS)
.PHONY: programs tests

tests: $(TESTS)

$(BUILD)/libmdc.a: $(call obj,$(LIB_SRC))
$(BUILD)/libmdcd.a: $(call obj,$(DAEMON_SRC))
$(BUILD)/libestate.a: $(call obj,$(ESTATE_SRC))
$(BUILD)/libharness.a: $(call obj,$(HARNESS_SRC))
$(BUILD)/%.a:
	@mkdir -p $(@D) && rm -f $@
	$(call say,AR)$(AR) crs $@ $^

$(BUILD)/mdcd: $(call obj,daemon/main.c) $(BUILD)/libmdcd.a $(BUILD)/libmdc.a
	$(call say,LD)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_DAEMON)
$(BUILD)/mdcctl: $(call obj,$(MDCCTL_SRC)) $(BUILD)/libmdcd.a $(BUILD)/libmdc.a
	$(call say,LD)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_DAEMON)
$(BUILD)/azsim: $(call obj,$(AZSIM_SRC)) $(BUILD)/libestate.a $(BUILD)/libmdc.a
	$(call say,LD)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_ESTATE) $(LIBS_AZSIM)

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libmdc.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_CORE) -lcmocka
$(BUILD)/tests/estate/%: $(BUILD)/obj/tests/estate/%.o $(BUILD)/libestate.a $(BUILD)/libmdc.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_ESTATE) -lcmocka
$(BUILD)/tests/daemon/%: $(BUILD)/obj/tests/daemon/%.o $(BUILD)/libharness.a $(BUILD)/libmdcd.a \
		$(BUILD)/libestate.a $(BUILD)/libmdc.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_DAEMON) $(LIBS_ESTATE) -lcmocka
$(BUILD)/tests/scenario/%: $(BUILD)/obj/tests/scenario/%.o $(BUILD)/libharness.a \
		$(BUILD)/libmdcd.a $(BUILD)/libestate.a $(BUILD)/libmdc.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_DAEMON) $(LIBS_ESTATE) -lcmocka

$(BUILD)/obj/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LIB_WARNINGS) -MMD -MP -c -o $@ $<
$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

.SECONDARY:
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

packages:
	@tests/lint/packages $(PACKAGES) $(if $(WITH_CHECKS),$(CHECK_PACKAGES))

clean:
	rm -rf $(BUILD)
