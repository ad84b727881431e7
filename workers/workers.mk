# The worker pool: $(BUILD)/voicegate-worker of workers/*.c and the common
# code.
# Stands alone: make -f workers/workers.mk BUILD=build

BUILD ?= build
CC ?= gcc
SANITIZE ?=

WORKER_COMMA := ,
WORKER_PKGS = pocketsphinx sphinxbase
WORKER_CFLAGS = -std=gnu11 -O2 -g -Wall -Wextra -Werror -MMD -MP \
	-Ilib -isystem $(shell pg_config --includedir 2>/dev/null) \
	$(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(WORKER_PKGS))) \
	$(if $(SANITIZE),-O1 -fsanitize=address$(WORKER_COMMA)undefined \
	-fno-omit-frame-pointer -fno-sanitize-recover=undefined)

# hiredis is linked statically, as in the edge.
WORKER_LIBS = -lpq -lcurl -l:libhiredis.a -ljansson -lcrypto -lpcre2-8 \
	-lunistring -lstemmer $(shell pkg-config --libs $(WORKER_PKGS)) \
	-lflite_cmu_us_slt -lflite_cmu_us_rms -lflite_cmu_us_awb \
	-lflite_cmu_us_kal16 -lmicrohttpd -lflite_usenglish \
	-lflite_cmulex -lflite -lm

WORKER_SOURCES = $(wildcard workers/*.c)
WORKER_OBJECTS = $(patsubst %.c,$(BUILD)/pool/%.o,$(WORKER_SOURCES))

# Programs that drive parts of the pool for its tests.
WORKER_TOOLS = $(patsubst t/pool/%.c,$(BUILD)/pool-%,$(wildcard t/pool/*.c))
WORKER_PARTS = $(filter-out %/worker_main.o,$(WORKER_OBJECTS))

.SECONDARY:
.PHONY: worker-all
worker-all: $(BUILD)/voicegate-worker $(WORKER_TOOLS)
	@:

include lib/lib.mk

$(BUILD)/voicegate-worker: $(WORKER_OBJECTS) $(LIB_ARCHIVE)
	@echo "  LD $@"
	@$(CC) $(WORKER_CFLAGS) -o $@ $^ $(WORKER_LIBS)

$(BUILD)/pool-%: $(BUILD)/pool/t/pool/%.o $(WORKER_PARTS) \
		$(LIB_ARCHIVE)
	@echo "  LD $@"
	@$(CC) $(WORKER_CFLAGS) -o $@ $^ $(WORKER_LIBS)

$(BUILD)/pool/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(WORKER_CFLAGS) -c -o $@ $<

-include $(WORKER_OBJECTS:.o=.d) \
	$(patsubst t/pool/%.c,$(BUILD)/pool/t/pool/%.d,$(wildcard t/pool/*.c))
