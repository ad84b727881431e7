# The common code, $(BUILD)/libvoice.a of lib/*.c: compiled once, for the
# module, the pool and the tests alike.
#
#   make -f lib/lib.mk [BUILD=dir] [CC=cc] [SANITIZE=1]

BUILD ?= build
CC ?= gcc
SANITIZE ?=

LIB_COMMA := ,
LIB_OUT := $(abspath $(BUILD))
LIB_ARCHIVE := $(LIB_OUT)/libvoice.a
LIB_OBJECTS := $(patsubst lib/%.c,$(LIB_OUT)/lib/%.o,$(wildcard lib/*.c))

# Position-independent for the module; hidden, so that it costs the others
# nothing.
LIB_COMPILE := $(strip $(CC) -std=gnu11 -O2 -g -fPIC -fvisibility=hidden \
	-Wall -Wextra -Werror -Ilib $(if $(SANITIZE),-O1 \
	-fsanitize=address$(LIB_COMMA)undefined -fno-omit-frame-pointer \
	-fno-sanitize-recover=undefined))

.PHONY: lib
lib: $(LIB_ARCHIVE)
	@:

# Another compiler or flag makes all of it anew.
$(shell mkdir -p $(LIB_OUT)/lib && { \
	test "$$(cat $(LIB_OUT)/lib/compile 2>/dev/null)" = '$(LIB_COMPILE)' \
	|| echo '$(LIB_COMPILE)' > $(LIB_OUT)/lib/compile; })

$(LIB_ARCHIVE): $(LIB_OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

$(LIB_OUT)/lib/%.o: lib/%.c $(LIB_OUT)/lib/compile
	@echo "  CC $<"
	@$(LIB_COMPILE) -MMD -MP -c -o $@ $<

-include $(LIB_OBJECTS:.o=.d)
