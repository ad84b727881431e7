# The dynamic module, $(BUILD)/ngx_voice_module.so, run from the root:
#
#   make -f ngx_voice_module/module.mk [BUILD=dir] [CC=cc] [SANITIZE=1]
#
# nginx's configure runs once, for its generated headers and the module's
# table; compiling is ours: real dependencies, our warnings, sanitizers.

BUILD ?= build
CC ?= cc
SANITIZE ?=

MODULE_NGINX ?= /usr/share/nginx/src
MODULE_OUT := $(abspath $(BUILD))
MODULE_GEN := $(MODULE_OUT)/nginx
MODULE_OBJ := $(MODULE_OUT)/module

MODULE_SRCS := $(sort $(wildcard ngx_voice_module/*.c))
MODULE_OBJS := $(patsubst %.c,$(MODULE_OBJ)/%.o,$(MODULE_SRCS)) \
	$(MODULE_OBJ)/ngx_voice_module_modules.o

MODULE_INCS := -Ingx_voice_module -Ilib \
	$(addprefix -isystem $(MODULE_NGINX)/src/,core event event/modules \
	os/unix http http/modules http/v2) \
	-isystem $(MODULE_GEN) -isystem $(shell pg_config --includedir)

# nginx's callbacks have fixed parameters, used or not.
MODULE_CFLAGS := -std=gnu11 -O2 -g -fPIC -Wall -Wextra -Werror \
	-Wno-unused-parameter
MODULE_LDFLAGS := -shared -Wl,-z,relro -Wl,-z,now \
	-Wl,--version-script=ngx_voice_module/exports.map

ifneq ($(SANITIZE),)
MODULE_CFLAGS += -O1 -fno-omit-frame-pointer -fsanitize=address,undefined
MODULE_LDFLAGS += -fsanitize=address,undefined
ifneq ($(findstring clang,$(CC)),)
MODULE_LDFLAGS += -shared-libsan
endif
endif

MODULE_COMPILE := $(strip $(CC) $(MODULE_CFLAGS) $(MODULE_INCS))
MODULE_LINK := $(strip $(CC) $(MODULE_LDFLAGS) $(MODULE_OBJS))

.PHONY: ngx_voice_module
ngx_voice_module: $(MODULE_OUT)/ngx_voice_module.so
	@:

include lib/lib.mk

# Another compiler or flag makes all of it anew, another set of sources links.
module_record = { test "$$(cat $(MODULE_OBJ)/$(1) 2>/dev/null)" = '$(2)' \
	|| echo '$(2)' > $(MODULE_OBJ)/$(1); }

$(shell mkdir -p $(MODULE_OBJ) \
	&& $(call module_record,compile,$(MODULE_COMPILE)) \
	&& $(call module_record,link,$(MODULE_LINK)))

$(MODULE_OUT)/ngx_voice_module.so: $(MODULE_OBJS) $(LIB_ARCHIVE) \
		$(MODULE_OBJ)/link ngx_voice_module/exports.map ngx_voice_module/libs
	@echo "  LINK $(notdir $@)"
	@$(CC) $(MODULE_LDFLAGS) -o $@.new $(MODULE_OBJS) $(LIB_ARCHIVE) \
		$$(cat ngx_voice_module/libs)
	@mv $@.new $@

$(MODULE_OBJ)/%.o: %.c $(MODULE_OBJ)/compile $(MODULE_GEN)/ngx_auto_config.h
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(MODULE_CFLAGS) -MMD -MP $(MODULE_INCS) -c -o $@ $<

$(MODULE_OBJ)/ngx_voice_module_modules.o: $(MODULE_GEN)/ngx_auto_config.h \
		$(MODULE_OBJ)/compile
	@$(CC) $(MODULE_CFLAGS) -MMD -MP $(MODULE_INCS) -c -o $@ \
		$(MODULE_GEN)/ngx_voice_module_modules.c

# Configured in a folder of its own, moved in place when whole.
$(MODULE_GEN)/ngx_auto_config.h: config $(MODULE_NGINX)/conf_flags \
		$(MODULE_NGINX)/src/core/nginx.h
	@echo "  CONFIGURE nginx"
	@rm -rf $(MODULE_GEN) $(MODULE_GEN).new
	@cd $(MODULE_NGINX) && . ./conf_flags && \
		./configure --builddir=$(MODULE_GEN).new \
		"$${NGX_CONF_FLAGS[@]}" --with-cc-opt= --with-ld-opt= \
		--add-dynamic-module=$(CURDIR) > $(MODULE_OUT)/configure.log \
		|| { tail -5 $(MODULE_OUT)/configure.log; exit 1; }
	@mv $(MODULE_GEN).new $(MODULE_GEN)
	@touch $@

$(MODULE_GEN)/ngx_auto_config.h: SHELL := /bin/bash

-include $(MODULE_OBJS:.o=.d)
