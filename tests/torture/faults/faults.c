// SPDX-License-Identifier: LGPL-2.1-or-later

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "faults.h"

#define DEBUG "/sys/kernel/debug/"
/* What the log calls failures by hooks: they have no name. */
#define HOOKS "(null)"

static int log_fd, nth_fd, filter_fd;

/* Calls of the module that failed: "kind function+offset/size". */
#define MAX_SITES 256
static char sites[MAX_SITES][96];
static unsigned int site_count;
bool faults_hooked;

static void add_site(const char *kind, const char *place_in_module)
{
	char text[sizeof(*sites)];
	unsigned int i;

	snprintf(text, sizeof(text), "%.30s %.60s", kind, place_in_module);
	for (i = 0; i < site_count; i++)
		if (!strcmp(sites[i], text))
			return;
	if (site_count == MAX_SITES)
		errx(1, "too many calls of the module fail");
	strcpy(sites[site_count++], text);
}

/*
 * Read the log to its end. A failure begins with "FAULT_INJECTION: ... name
 * KIND,"; of the stack behind it the first line of our module counts.
 */
static void read_log(void)
{
	char record[2048], kind[32] = "", symbol[64];
	bool wanted = false;
	ssize_t size;

	while ((size = read(log_fd, record, sizeof(record) - 1)) > 0) {
		const char *text = memchr(record, ';', (size_t)size), *name;

		record[size] = '\0';
		if (!text++)
			continue;
		name = strstr(text, "FAULT_INJECTION") ? strstr(text, "name ")
						       : NULL;
		if (name) {
			wanted = sscanf(name, "name %31[^,]", kind) == 1;
		} else if (wanted && strstr(text, "[xen_gntalloc]") &&
			   !strstr(text, "? ") &&
			   sscanf(text, " %63s", symbol) == 1) {
			add_site(kind, symbol);
			faults_hooked |= !strcmp(kind, HOOKS);
			wanted = false;
		}
	}
	if (errno != EAGAIN)
		err(1, "cannot read the log");
}

static void write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY);

	if (file < 0 || write(file, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(file);
}

void faults_open(void)
{
	write_file(DEBUG "failslab/ignore-gfp-wait", "N");
	write_file(DEBUG "fail_page_alloc/ignore-gfp-wait", "N");
	write_file(DEBUG "fail_page_alloc/ignore-gfp-highmem", "N");
	write_file(DEBUG "fail_page_alloc/min-order", "0");
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR);
	filter_fd = open("/proc/self/make-it-fail", O_RDWR);
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (nth_fd < 0 || filter_fd < 0 || log_fd < 0)
		err(1, "this kernel does not fail on request");
	lseek(log_fd, 0, SEEK_END);
}

void faults_arm(unsigned int nth, bool always)
{
	char text[16];
	int size = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(filter_fd, always ? "1" : "0", 1, 0) != 1 ||
	    pwrite(nth_fd, text, (size_t)size, 0) != size)
		err(1, "cannot ask for failures");
}

/*
 * Did the failure happen? To ask and to end it copies from and to here, and any
 * of these may be the n-th.
 */
bool faults_disarm(void)
{
	char text[16] = "";
	bool fired =
		pread(nth_fd, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;

	while (pwrite(nth_fd, "0", 1, 0) != 1)
		;
	faults_arm(0, false);
	read_log();
	return fired;
}

void faults_print(void)
{
	for (unsigned int i = 0; i < site_count; i++)
		printf("site: %s\n", sites[i]);
}
