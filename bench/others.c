// SPDX-License-Identifier: LGPL-2.1-or-later
/* Notifications, memory of the kernel, and a peer that does not let go. */

#include <err.h>
#include <fcntl.h>
#include <glob.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <xen/gntalloc.h>
#include <xenevtchn.h>

#include "measure.h"
#include "tests/peers/remote.h"

#define SAMPLES 15
#define ROUNDS 100
#define OFFSET 1234

/* ---- notification ---- */

static void *share_notify(uint32_t count)
{
	void *page = gntshr_share_page_notify(h, 0, refs, GNTSHR_WRITABLE,
					      OFFSET, -1u);

	(void)count;
	if (!page)
		err(1, "cannot share a page with a notification");
	return page;
}

#ifdef WITH_XENGNTTAB
/* No call of libxengnttab does this: as a program of its own would. */
static int fd;
static struct ioctl_gntalloc_alloc_gref op = { .count = 1 };

static void arm_setup(void)
{
	fd = open(DEVICE, O_RDWR);
	if (fd < 0 || ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, &op))
		err(1, "cannot share a page");
}

static int arm(unsigned int action, uint32_t port)
{
	struct ioctl_gntalloc_unmap_notify arg = {
		.index = op.index + OFFSET,
		.action = action,
		.event_channel_port = port,
	};

	return ioctl(fd, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, &arg);
}
#else
static char *page;

static void arm_setup(void)
{
	page = share(1);
}

static int arm(unsigned int action, uint32_t port)
{
	return gntshr_set_unmap_notify(h, page + OFFSET, action, port);
}
#endif

/* What it takes to set one, again and again. */
static void arming(const char *name, unsigned int action, uint32_t port)
{
	double costs[SAMPLES];

	for (int i = -1; i < SAMPLES; i++) {
		uint64_t start = now();

		for (int n = 0; n < ROUNDS; n++)
			if (arm(action, port))
				err(1, "cannot set a notification");
		if (i >= 0)
			costs[i] = (double)since(start) / ROUNDS;
	}
	printf("%s %s 1 call=%.1f\n", LIBRARY, name, median(costs, SAMPLES));
}

void notify(void)
{
	static const struct way with_notify = { "share-notify", share_notify,
						unshare, false };
	xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
	int port = evtchn ? xenevtchn_bind_unbound_port(evtchn, 0) : -1;

	if (port < 0)
		err(1, "cannot open an event channel");
	measure(&with_notify, 1, 1);
	arm_setup();
	arming("notify-byte", UNMAP_NOTIFY_CLEAR_BYTE, 0);
	arming("notify-event", UNMAP_NOTIFY_SEND_EVENT, (uint32_t)port);
	arm(0, 0);
	xenevtchn_close(evtchn);
}

/* ---- memory ---- */

#define MEMORY_PAGES 8192u
#define SETTLE_S 4

/* The sum of the numbers behind @key in lines that begin with it. */
static long file_sum(const char *path, const char *key)
{
	char line[256];
	FILE *file = fopen(path, "r");
	long total = 0, value;

	if (!file)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), file)) {
		const char *text = line + strspn(line, " ");

		if (!strncmp(text, key, strlen(key)) &&
		    sscanf(text + strlen(key), "%ld", &value) == 1)
			total += value;
	}
	fclose(file);
	return total;
}

/* Exact: what processors have counted apart, and keep for themselves, too. */
static long free_pages(void)
{
	int refresh = open("/proc/sys/vm/stat_refresh", O_WRONLY);

	if (refresh < 0 || write(refresh, "1", 1) != 1)
		err(1, "/proc/sys/vm/stat_refresh");
	close(refresh);
	return file_sum("/proc/meminfo", "MemFree:") * 1024 / PAGE +
	       file_sum("/proc/zoneinfo", "count:");
}

/* Memory that the kernel keeps for the objects of a kind goes back. */
static void shrink_slabs(void)
{
	glob_t found;

	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &found))
		errx(1, "/sys/kernel/slab: nothing there");
	for (size_t i = 0; i < found.gl_pathc; i++) {
		int shrink = open(found.gl_pathv[i], O_WRONLY);

		if (shrink >= 0 && write(shrink, "1", 1) != 1)
			err(1, "%s", found.gl_pathv[i]);
		close(shrink);
	}
	globfree(&found);
}

static void share_all(char **shares, uint32_t count)
{
	for (uint32_t i = 0; i < MEMORY_PAGES / count; i++)
		shares[i] = share(count);
}

static void unshare_all(char **shares, uint32_t count)
{
	for (uint32_t i = 0; i < MEMORY_PAGES / count; i++)
		unshare(shares[i], count);
}

/*
 * The kernel's memory a page beside the page, in bytes; page tables and all.
 * What grows and stays, as the grant table and the library's heap, has grown
 * before.
 */
void memory(char **counts)
{
	char **shares = calloc(MEMORY_PAGES, sizeof(*shares));

	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	for (; *counts; counts++) {
		uint32_t count = number(*counts);
		long before, used;

		reserve_refs(count);
		make_place(MEMORY_PAGES);
		open_device();
		share_all(shares, count);
		unshare_all(shares, count);
		/* And with it what it keeps. */
		close_device();
		/* References rest, and memory is freed, some time later. */
		sleep(SETTLE_S);
		shrink_slabs();
		before = free_pages();
		open_device();
		share_all(shares, count);
		used = before - free_pages();
		unshare_all(shares, count);
		close_device();
		printf("%s memory %u bytes=%.1f\n", LIBRARY, count,
		       (double)used / MEMORY_PAGES * PAGE - PAGE);
		fflush(stdout);
	}
	free(shares);
}

/* ---- a peer that does not let go ---- */

#define PEER_SAMPLES 5
/* The stock module gives back 10 pages a second. */
#define PEER_SETTLE_S 60
#define POLL_MS 10
#define RETURN_MS 300000

/* Milliseconds until the memory of @count pages is free again. */
static double wait_for_return(long before, uint32_t count)
{
	uint64_t start = now();
	double ms = 0;

	/* Other memory comes and goes meanwhile: all but some is all. */
	while (free_pages() < before - (long)count / 8) {
		usleep((useconds_t)(POLL_MS + ms / 50) * 1000);
		ms = (double)since(start) / 1e6;
		if (ms > RETURN_MS)
			errx(1, "the pages did not come back");
	}
	return ms;
}

/* What unsharing takes, and the time until the pages are back. */
static void peer_once(uint32_t count, double *cost, double *time)
{
	long before = free_pages(), slot;
	char *pages = share(count);
	uint64_t start;

	slot = remote_map("rw", refs, count);
	if (slot < 0)
		err(1, "the peer cannot map %u pages", count);
	start = now();
	unshare(pages, count);
	*cost = (double)since(start) / count;
	if (remote("unmap %ld", slot))
		err(1, "the peer cannot unmap %u pages", count);
	if (time)
		*time = wait_for_return(before, count);
}

void peer(char **counts)
{
	for (; *counts; counts++) {
		uint32_t count = number(*counts);
		double costs[PEER_SAMPLES], times[PEER_SAMPLES];

		reserve_refs(count);
		make_place(count);
		/* The peer's kernel, maybe our own, keeps what it maps with. */
		peer_once(count, costs, NULL);
		sleep(PEER_SETTLE_S);
		for (int i = 0; i < PEER_SAMPLES; i++) {
			peer_once(count, &costs[i], &times[i]);
			sleep(SETTLE_S);
		}
		printf("%s peer %u unshare=%.1f return_ms=%.0f\n", LIBRARY,
		       count, median(costs, PEER_SAMPLES),
		       median(times, PEER_SAMPLES));
		fflush(stdout);
	}
}
