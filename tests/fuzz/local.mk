# SPDX-License-Identifier: LGPL-2.1-or-later
# A libFuzzer target over sequences of calls. It needs clang with its runtime
# (Debian: clang, libclang-rt-dev):
#
#	make fuzz [FUZZ_SECONDS=300] [FUZZ_FLAGS='-seed=1 ...']

fuzz_sources = tests/fuzz/fuzz-calls.c tests/fuzz/fuzz-borrow.c \
	tests/fuzz/fuzz.h tests/fuzz/model.c tests/fuzz/model.h
EXTRA_DIST += $(fuzz_sources)
FUZZ_SECONDS = 300
FUZZ_FLAGS =

tests/fuzz/fuzz-calls: $(fuzz_sources) $(tests_unit_libfake_la_SOURCES) \
		$(src_libgntshr_core_la_SOURCES)
	@$(MKDIR_P) tests/fuzz
	clang $(DEFS) $(AM_CPPFLAGS) $(CPPFLAGS) $(AM_CFLAGS) -g -O1 \
		-fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -o $@ \
		`ls $^ | grep '\.c$$'` $(unit_wrap) $(CMOCKA_LIBS) $(XEN_LIBS)

# From nothing it takes long to come to a share that has a peer.
tests/fuzz/seeds:
	@mkdir $@
	@for i in `seq 100`; do head -c 512 /dev/urandom >$@/$$i; done

fuzz: tests/fuzz/fuzz-calls tests/fuzz/seeds
	tests/fuzz/fuzz-calls tests/fuzz/seeds \
		-max_total_time=$(FUZZ_SECONDS) -max_len=512 -len_control=0 \
		-timeout=60 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix=tests/fuzz/ $(FUZZ_FLAGS)

.PHONY: fuzz
CLEANFILES += tests/fuzz/fuzz-calls tests/fuzz/crash-* tests/fuzz/leak-*
