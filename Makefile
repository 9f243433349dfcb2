# `make help` lists the targets.

PORT        ?= 8080
DIR         ?= ./run
RATE        ?=
CONNECTIONS ?=
NGINX_SRC   ?= /usr/share/nginx/src
# the binary the module is built for; NGINX_SRC of another version needs its own.
# (a variable NGINX in the environment would mean inherited sockets to nginx)
NGINX_BIN   ?= $(shell command -v nginx || echo /usr/sbin/nginx)
PREFIX      ?= /usr
MODULES_DIR ?= $(PREFIX)/lib/nginx/modules
SBIN_DIR    ?= $(PREFIX)/sbin
DESTDIR     ?=
FUZZ_SECONDS ?= 30
ONLY        ?=

CC          ?= cc
CFLAGS      ?= -O2 -g
O           ?= $(CURDIR)/objs
SANITIZE    ?=
# V=1 shows the commands
Q           := $(if $(V),,@)

ROOT        := $(CURDIR)
HARDENING   := -fPIC -fstack-protector-strong $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
# no header of ours stands in for one of the system's
INCLUDES    := -iquote wire -iquote common -iquote storage -iquote workers -iquote ctl
override CHAT_CFLAGS := -std=gnu11 -Wall -Wextra $(HARDENING) $(SANITIZE) $(INCLUDES) -MMD -MP
CHAT_LIBS   := -lleveldb -lyajl -luv -lhiredis -lcrypto -lutf8proc -lpthread

LIB_SRC     := $(sort $(filter-out workers/chatd.c,$(wildcard wire/*.c common/*.c storage/*.c workers/*.c)))
LIB_OBJ     := $(LIB_SRC:%.c=$(O)/%.o)
CTL_OBJ     := $(patsubst %.c,$(O)/%.o,$(sort $(wildcard ctl/*.c)))
MODULE_SRC  := $(sort $(wildcard ngx_chat_module/*.[ch] wire/*.[ch]))

# the module's files that need no more of nginx than its core: unit tests build
# them against a shim of it
SHIM        := tests/unit/nginx_shim
SHIM_SRC    := $(wildcard $(SHIM)/*.c) $(shell grep -L \
                 '^.include.*ngx_\(http\|event\|chat_module\|chat_client\|chat_link\)' ngx_chat_module/*.c)
SHIM_OBJ    := $(SHIM_SRC:%.c=$(O)/%.o)
SHIM_LIBS   := -lz
UNIT_SRC    := $(sort $(wildcard tests/unit/test_*.c))
UNIT        := $(UNIT_SRC:tests/unit/%.c=$(O)/unit/%)
FUZZ_SRC    := $(sort $(wildcard fuzz/fuzz_*.c))
REPLAY      := $(FUZZ_SRC:fuzz/%.c=$(O)/fuzz/%)
PRELOAD     := $(patsubst tests/preload/%.c,$(O)/preload/%.so,$(wildcard tests/preload/*.c))

TEST_ENV     = CHAT_OBJS=$(O) CHAT_NGINX=$(NGINX_BIN)

.PHONY: all module chatd chatctl run token test asan valgrind soak lint format fuzz mutate \
        install clean help deps check-deps nginx-asan tests-built web web-modules \
        bench bench-quick bench-full bench-idle bench-half bench-storm bench-http bench-mixed bench-flat bench-fair \
        bench-scale bench-plots bench-capacity bench-built
.DELETE_ON_ERROR:

all: module chatd chatctl

help:
	@echo 'make                     the nginx module, chatd and chatctl, in objs/'
	@echo 'make run                 builds and serves; PORT=8080 DIR=./run RATE=50r/s CONNECTIONS=50000'
	@echo 'make web                 the browser client and its SDK, in objs/web and objs/web-sdk'
	@echo 'make token USER=alice    prints a token for the server of DIR=./run'
	@echo 'make test                every test; ONLY=WORD runs the parts whose name has it;'
	@echo '                         ONLY=tests/model SEED=N SECONDS=N repeats a run of the model test'
	@echo 'make asan                the same suites under AddressSanitizer and UBSan'
	@echo 'make valgrind            a short run of chatd under memcheck'
	@echo 'make soak                SECONDS=600, half of them for the crash test, half for the model test'
	@echo 'make fuzz                libFuzzer on every decoder; FUZZ_SECONDS=30'
	@echo 'make bench               compares with a bare program, nchan and ejabberd; also bench-quick,'
	@echo '                         bench-full, bench-half, bench-idle, bench-storm, bench-http, bench-mixed,'
	@echo '                         bench-flat, bench-fair, bench-scale; then bench-plots and bench-capacity; BENCH=options'
	@echo 'make mutate              breaks the code in ten ways; each has to be noticed'
	@echo 'make lint                clang-tidy, cppcheck, format and include checks, gcc and clang'
	@echo 'make format              clang-format on our side of the code'
	@echo 'make deps                installs what is missing (Debian packages)'
	@echo 'make install             module, chatd, chatctl and, if built, the page; DESTDIR= PREFIX=/usr'
	@echo 'make clean               removes objs/ and objs-*/'
	@echo
	@echo 'NGINX_SRC=/path builds for another nginx source; NGINX_BIN=/path/nginx is the binary to run.'


# --- dependencies -----------------------------------------------------------

deps:
	tools/install-deps build run test lint web

# a stamp for each set, so that nothing is asked twice
$(O)/deps-%: tools/install-deps
	@mkdir -p $(O)
	@tools/install-deps $*
	@touch $@

check-deps:
	@NGINX_SRC=$(NGINX_SRC) tools/install-deps --check build


# --- nginx module -----------------------------------------------------------

NGINX_CC_OPT ?= -O2 -g -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2
NGINX_FLAGS   = if [ -f conf_flags ]; then . ./conf_flags; else NGX_CONF_FLAGS=(--with-compat \
                --with-debug --with-threads --with-http_ssl_module --with-http_v2_module); fi

# a running nginx has the old file mapped: it must not change under it
put = { cp $(1) $(2).new && mv -f $(2).new $(2); }

# make's own CFLAGS and the like must not reach nginx's Makefile
module: $(O)/nginx/Makefile $(MODULE_SRC)
	@env -u CFLAGS -u MAKEFLAGS $(MAKE) -j$$(nproc) -C $(NGINX_SRC) -f $(O)/nginx/Makefile modules >$(O)/module.log 2>&1 || \
	   { grep -A5 -E 'error|warning' $(O)/module.log || tail -n 20 $(O)/module.log; false; }
	@cmp -s $(O)/nginx/ngx_chat_module.so $(O)/ngx_chat_module.so || $(call put,$(O)/nginx/ngx_chat_module.so,$(O)/ngx_chat_module.so)

# configured anew when the list of sources or the nginx changes
$(O)/nginx/Makefile: config $(O)/nginx-src | check-deps
	@mkdir -p $(O)/nginx
	@echo 'configuring the module for $(NGINX_SRC)'
	@bash -c 'cd $(NGINX_SRC) && $(NGINX_FLAGS) && ./configure "$${NGX_CONF_FLAGS[@]}" \
	   --with-cc=$(CC) --with-cc-opt="$(NGINX_CC_OPT)" --with-ld-opt="-Wl,-z,relro -Wl,-z,now -fPIC" \
	   --add-dynamic-module=$(ROOT) --builddir=$(O)/nginx' >$(O)/configure.log 2>&1 || \
	   { tail -n 20 $(O)/configure.log; false; }

$(O)/nginx-src: FORCE
	@mkdir -p $(O)
	@echo '$(NGINX_SRC) $(CC) $(NGINX_CC_OPT)' | cmp -s - $@ || echo '$(NGINX_SRC) $(CC) $(NGINX_CC_OPT)' >$@

FORCE:


# --- chatd ------------------------------------------------------------------

chatd: $(O)/chatd
chatctl: $(O)/chatctl

$(O)/chatd: $(O)/workers/chatd.o $(O)/libchat.a
	@echo 'ld chatd'
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -Wl,-z,relro -Wl,-z,now -o $@ $^ $(CHAT_LIBS)

$(O)/chatctl: $(CTL_OBJ) $(O)/libchat.a
	@echo 'ld chatctl'
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -Wl,-z,relro -Wl,-z,now -Wl,--as-needed -o $@ $^ $(CHAT_LIBS)

$(O)/libchat.a: $(LIB_OBJ)
	@rm -f $@
	@ar rcs $@ $^

$(O)/%.o: %.c $(O)/flags | check-deps
	@mkdir -p $(@D)
	@echo 'cc $<'
	$(Q)$(CC) $(CHAT_CFLAGS) $(CFLAGS) -c -o $@ $<

$(SHIM_OBJ): $(O)/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	@echo 'cc $<'
	$(Q)$(CC) -I$(SHIM) -Ingx_chat_module $(CHAT_CFLAGS) $(CFLAGS) -c -o $@ $<

# other flags rebuild
$(O)/flags: FORCE
	@mkdir -p $(O)
	@echo '$(CC) $(CHAT_CFLAGS) $(CFLAGS)' | cmp -s - $@ || echo '$(CC) $(CHAT_CFLAGS) $(CFLAGS)' >$@

-include $(LIB_OBJ:.o=.d) $(CTL_OBJ:.o=.d) $(SHIM_OBJ:.o=.d) $(O)/workers/chatd.d
-include $(wildcard $(O)/unit/*.d $(O)/fuzz/*.d)


# --- web --------------------------------------------------------------------

# objs/web/ is the page, objs/web-sdk/ the package for pages of others.
# tools/install-deps puts a Node under objs/ where the system has none that will do
WEB_ENV      = PATH="$(ROOT)/objs/node/bin:$$PATH" $(TEST_ENV)
WEB_SRC      = $(shell git ls-files -co --exclude-standard web docs/openrpc.json 2>/dev/null)

web: $(O)/deps-web $(O)/web.built

web-modules: web/node_modules/.installed

web/node_modules/.installed: web/package-lock.json web/package.json $(wildcard web/*/package.json) | $(O)/deps-web
	@echo 'npm ci'
	$(Q)cd web && $(WEB_ENV) npm ci --silent --no-audit --no-fund
	@touch $@

$(O)/web.built: web/node_modules/.installed $(WEB_SRC)
	@echo 'building web'
	$(Q)cd web && $(WEB_ENV) npm run --silent build
	@touch $@


# --- run --------------------------------------------------------------------

run: $(O)/deps-build $(O)/deps-run
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@$(MAKE) --no-print-directory web || echo 'run: going on without the page' >&2
	@$(TEST_ENV) tools/run '$(PORT)' '$(DIR)' '$(RATE)' '$(CONNECTIONS)'

# USER comes from the environment too: only one from the command line counts
token:
	@tools/token $(if $(filter command line,$(origin USER)),$(USER),alice) '$(DIR)/jwt.key'


# --- tests ------------------------------------------------------------------

# libchat.a stands on both sides: storage and wire are found from the shim's
# objects and from the test alike
$(UNIT): $(O)/unit/%: tests/unit/%.c $(O)/libchat.a $(SHIM_OBJ)
	@mkdir -p $(@D)
	@echo 'cc $<'
	$(Q)$(CC) $(if $(findstring ngx_chat,$(shell grep ngx_chat $<)),-I$(SHIM) -Ingx_chat_module) \
	   $(CHAT_CFLAGS) $(CFLAGS) -Itests/unit -o $@ $< \
	   $(if $(filter $(O)/bench/%,$^),-iquote bench/load $(filter $(O)/bench/%,$^)) \
	   $(if $(findstring ngx_chat,$(shell grep ngx_chat $<)),$(SHIM_OBJ)) $(O)/libchat.a -lcmocka $(CHAT_LIBS) $(SHIM_LIBS)

# parts of the load generator
$(O)/unit/test_bench: $(addprefix $(O)/bench/load/,frame.o histogram.o)
$(O)/unit/test_xmpp: $(addprefix $(O)/bench/load/,xmpp.o text.o)

# the fuzz targets with an ordinary main, which runs the corpora
$(REPLAY): $(O)/fuzz/%: fuzz/%.c tests/lib/replay.c $(O)/libchat.a $(SHIM_OBJ)
	@mkdir -p $(@D)
	@echo 'cc $<'
	$(Q)$(CC) $(if $(findstring ngx_chat,$(shell grep ngx_chat $<)),-I$(SHIM) -Ingx_chat_module) \
	   $(CHAT_CFLAGS) $(CFLAGS) -o $@ $< tests/lib/replay.c \
	   $(if $(findstring ngx_chat,$(shell grep ngx_chat $<)),$(SHIM_OBJ)) $(O)/libchat.a $(CHAT_LIBS) $(SHIM_LIBS)

$(O)/preload/%.so: tests/preload/%.c
	@mkdir -p $(@D)
	@echo 'cc $<'
	$(Q)$(CC) -std=gnu11 -Wall -Wextra -O1 -g -fPIC -shared -o $@ $< -ldl -lpthread

# chatd with other roles, for the tests of its parent
$(O)/chatd-stub: tests/process/stub_roles.c $(O)/workers/chatd.o $(O)/libchat.a
	@echo 'cc $<'
	$(Q)$(CC) $(CHAT_CFLAGS) $(CFLAGS) -o $@ $^ $(CHAT_LIBS)

tests-built: $(UNIT) $(REPLAY) $(PRELOAD) $(O)/chatd-stub $(O)/bench-load $(O)/bench-limit

test: $(O)/deps-build $(O)/deps-run $(O)/deps-test $(O)/deps-web
	@$(MAKE) --no-print-directory -j$$(nproc) all tests-built web
	@$(WEB_ENV) tools/run-tests $(ONLY)

ASAN_FLAGS  := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ASAN_O      := $(ROOT)/objs-asan

asan: $(O)/deps-build $(O)/deps-run $(O)/deps-test
	@$(MAKE) --no-print-directory -j$$(nproc) O=$(ASAN_O) CFLAGS='-O1 -g' SANITIZE='$(ASAN_FLAGS)' \
	   nginx-asan chatd chatctl tests-built
	@CHAT_OBJS=$(ASAN_O) CHAT_NGINX=$(ASAN_O)/nginx-static CHAT_ASAN=1 tools/run-tests $(ONLY)

nginx-asan:
	@tools/build-nginx-asan $(ASAN_O) $(NGINX_SRC)

valgrind: $(O)/deps-build $(O)/deps-run $(O)/deps-test
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@$(TEST_ENV) CHAT_VALGRIND=$(O)/reports tools/run-tests e2e/two_clients e2e/client_ids e2e/groups

soak: SECONDS ?= 600
soak: all
	@$(TEST_ENV) CHAT_CRASH_SECONDS=$$(($(SECONDS) / 2)) SECONDS=$$(($(SECONDS) / 2)) \
	   tools/run-tests tests/crash tests/model

# needs clang; corpora grow in objs-fuzz, what is worth keeping is copied by hand
fuzz: $(O)/deps-lint
	@tools/fuzz $(FUZZ_SECONDS) $(ONLY)

mutate:
	@tools/mutate $(ONLY)


# --- measurements -----------------------------------------------------------

BENCH_LOAD  := $(patsubst %.c,$(O)/%.o,$(wildcard bench/load/*.c))
BENCH       ?=

$(O)/bench-load: $(BENCH_LOAD) $(O)/common/buf.o
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ -lcrypto

$(O)/bench-limit: $(addprefix $(O)/,bench/limit.o bench/load/conn.o bench/load/frame.o common/buf.o)
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ -lcrypto -lleveldb

$(O)/bench-fill: $(O)/bench/fill.o $(O)/libchat.a
	$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(CHAT_LIBS)

-include $(BENCH_LOAD:.o=.d) $(O)/bench/limit.d $(O)/bench/fill.d

bench-built: all $(O)/bench-load $(O)/bench-limit $(O)/bench-fill

bench-quick: MODE := quick
bench: MODE := standard
bench-full: MODE := full
bench-full: CROWD := idle --servers chat --connections 100000 --tls 0
bench-idle: MODE := idle
bench-half: MODE := half
bench-storm: MODE := storm
bench-http: MODE := http
bench-mixed: MODE := mixed
bench-flat: MODE := flat
bench-fair: MODE := fair
bench-scale: MODE := scale
bench bench-quick bench-full bench-idle bench-half bench-storm bench-http bench-mixed bench-flat bench-fair bench-scale: \
                $(O)/deps-build $(O)/deps-run
	@$(MAKE) --no-print-directory -j$$(nproc) bench-built
	@$(TEST_ENV) bench/run $(MODE) $(BENCH)
	$(if $(CROWD),@$(TEST_ENV) bench/run $(CROWD))

# from what the runs have left in objs/
bench-plots: $(O)/deps-bench
	@$(TEST_ENV) bench/plot $(BENCH)

# its options are the assumptions
bench-capacity:
	@$(TEST_ENV) bench/capacity $(BENCH)


# --- the rest ---------------------------------------------------------------

lint: $(O)/deps-build $(O)/deps-test $(O)/deps-lint web-modules
	@$(WEB_ENV) tools/lint

format:
	clang-format -i $(wildcard wire/*.[ch] common/*.[ch] storage/*.[ch] workers/*.[ch] ctl/*.[ch] \
	   bench/*.c bench/load/*.[ch] tests/unit/*.[ch] tests/lib/*.c tests/preload/*.c tests/process/*.c fuzz/*.c)

install: all
	install -d $(DESTDIR)$(MODULES_DIR) $(DESTDIR)$(SBIN_DIR)
	install -m 644 $(O)/ngx_chat_module.so $(DESTDIR)$(MODULES_DIR)/
	install -m 755 $(O)/chatd $(O)/chatctl $(DESTDIR)$(SBIN_DIR)/
	[ ! -s $(O)/web/index.html ] || { install -d $(DESTDIR)$(PREFIX)/share/nginx-chat && \
	   cp -r --no-preserve=ownership $(O)/web $(DESTDIR)$(PREFIX)/share/nginx-chat/; }

clean:
	rm -rf $(ROOT)/objs $(ROOT)/objs-asan $(ROOT)/objs-fuzz $(ROOT)/objs-lint $(ROOT)/objs-mutate $(ROOT)/web/node_modules
