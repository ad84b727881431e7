# The command line: $(BUILD)/voicectl of ctl/*.c and the common code.
# Stands alone: make -f ctl/ctl.mk BUILD=build

BUILD ?= build
CC ?= gcc
SANITIZE ?=

CTL_COMMA := ,
CTL_CFLAGS = -std=gnu11 -O2 -g -Wall -Wextra -Werror -MMD -MP -Ilib \
	$(if $(SANITIZE),-O1 -fsanitize=address$(CTL_COMMA)undefined \
	-fno-omit-frame-pointer -fno-sanitize-recover=undefined)
CTL_LIBS = -lcurl -ljansson -lunistring -lm

CTL_OBJECTS = $(patsubst %.c,$(BUILD)/%.o,$(wildcard ctl/*.c))

.PHONY: ctl-all
ctl-all: $(BUILD)/voicectl
	@:

include lib/lib.mk

$(BUILD)/voicectl: $(CTL_OBJECTS) $(LIB_ARCHIVE)
	@echo "  LD $@"
	@$(CC) $(CTL_CFLAGS) -o $@ $^ $(CTL_LIBS)

$(BUILD)/ctl/%.o: ctl/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CTL_CFLAGS) -c -o $@ $<

-include $(CTL_OBJECTS:.o=.d)
