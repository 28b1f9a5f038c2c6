// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A plugin for QEMU that counts executed instructions by address, between the
 * marks of bench/clock.h. Writes lines "WINDOW ADDRESS INSTRUCTIONS" to the
 * file given as out=; windows are numbered from 0. For one processor.
 *
 * What is used of QEMU's plugin interface, version 1, is declared here: Debian
 * has no package with its header.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;

typedef void on_translate_fn(uint64_t id, struct qemu_plugin_tb *tb);
typedef void on_execute_fn(unsigned int vcpu, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, on_translate_fn *fn);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op,
					      void *counter, uint64_t add);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    on_execute_fn *fn, int flags,
					    void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

extern EXPORT int qemu_plugin_version;
EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_info_t *info,
			       int argc, char **argv);

int qemu_plugin_version = 1;

/* Instructions that were executed from @address on, to the next jump. */
struct block {
	uint64_t address, count;
	struct block *next;
};

#define BUCKETS (1u << 18)
static struct block *blocks[BUCKETS];
static FILE *out;
static bool counting;
static unsigned int window;

static struct block *block_at(uint64_t address)
{
	struct block **bucket = &blocks[(address ^ address >> 18) % BUCKETS];
	struct block *block = *bucket;

	while (block && block->address != address)
		block = block->next;
	if (block)
		return block;
	block = calloc(1, sizeof(*block));
	if (!block)
		abort();
	block->address = address;
	block->next = *bucket;
	return *bucket = block;
}

static void begin(unsigned int vcpu, void *data)
{
	(void)vcpu, (void)data;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct block *b = blocks[i]; b; b = b->next)
			b->count = 0;
	counting = true;
}

static void end(unsigned int vcpu, void *data)
{
	(void)vcpu, (void)data;
	if (!counting)
		return;
	counting = false;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct block *b = blocks[i]; b; b = b->next)
			if (b->count)
				fprintf(out, "%u %" PRIx64 " %" PRIu64 "\n",
					window, b->address, b->count);
	fflush(out);
	window++;
}

/*
 * nopl 0x677368NN(%rax,%rax,1), or on arm64 movz xzr, #0x67NN: NN is the number
 * of the mark. Neither machine has an instruction like the other's.
 */
static int mark(const struct qemu_plugin_insn *insn)
{
	static const unsigned char code[] = { 0x0f, 0x1f, 0x84, 0x00 };
	const unsigned char *data = qemu_plugin_insn_data(insn);
	uint32_t word;

	switch (qemu_plugin_insn_size(insn)) {
	case 8:
		if (memcmp(data, code, sizeof(code)) || data[7] != 0x67 ||
		    data[6] != 0x73 || data[5] != 0x68)
			return -1;
		return data[4];
	case 4:
		memcpy(&word, data, sizeof(word));
		if ((word & 0xffffe01f) != (0xd280001f | 0x6700 << 5))
			return -1;
		return word >> 5 & 0xff;
	default:
		return -1;
	}
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(
		tb, 0, &block_at(qemu_plugin_tb_vaddr(tb))->count, n);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		int number = mark(insn);

		if (number >= 0)
			qemu_plugin_register_vcpu_insn_exec_cb(
				insn, number ? end : begin, 0, NULL);
	}
}

int qemu_plugin_install(uint64_t id, const struct qemu_info_t *info, int argc,
			char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "profile-plugin: needs out=NAME\n");
		return 1;
	}
	out = fopen(argv[0] + 4, "w");
	if (!out) {
		perror(argv[0] + 4);
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
