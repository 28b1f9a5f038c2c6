/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the cases of the ledger share: the device, and how a case reports. */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device.h"
#include "module.h"

#define __noreturn __attribute__((noreturn))
#define __format(n) __attribute__((format(printf, n, n + 1)))

/*
 * A case runs in a process of its own, on a module that was just loaded. What
 * it expects makes up its row: one expectation that is not met is enough for
 * "broken".
 */
struct ledger_case {
	const char *id;
	void (*run)(void);
};

extern const struct ledger_case table_cases[], call_cases[], memory_cases[],
	library_cases[];

/* Add words to the row; they say what was seen, met or not. */
void expect(bool met, const char *format, ...) __format(2);
/* The case could not be tried. */
void __noreturn cannot(const char *format, ...) __format(1);

/* Load the module anew: its counts start at 0. No descriptor may be open. */
void reload(void);

/* What the last alloc() made of the caller's index. */
extern uint64_t last_index;
int must_open_device(void);
/* What the device leaves alone is 0 in last_index and 0xAA in refs. */
int alloc_as(int fd, uint32_t domid, uint32_t count, uint32_t flags);
int alloc(int fd, uint32_t count);
/* As alloc(), for what the case cannot do without. */
uint64_t must_alloc(int fd, uint32_t count);
/* Share until it fails: the number of pages; errno says why. */
uint32_t fill(int fd);
/* "" or the name of errno. */
const char *outcome(int result);

/* Text files of the kernel. */
bool write_file(const char *path, const char *text);
long read_number(const char *path, const char *after);
int64_t now_ns(void);

#endif
