// SPDX-License-Identifier: LGPL-2.1-or-later
/* Getting and giving back memory, with the clock on. */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "measure.h"

/* The addresses of one page of the page table. */
#define TABLE ((uintptr_t)PAGE * 512)
/* Odd, so that one is in the middle. */
#define SAMPLES 15
#define LARGE_SAMPLES 3
/* The rounds of a sample: as many as make so many pages, within limits. */
#define SAMPLE_PAGES 4096u
#define SAMPLE_ROUNDS 200u

gntshr_handle *h;
uint32_t *refs;

void open_device(void)
{
	h = gntshr_open(NULL, 0);
	if (!h)
		err(1, "cannot open " DEVICE);
}

void close_device(void)
{
	if (gntshr_close(h))
		err(1, "cannot close " DEVICE);
}

void reserve_refs(uint32_t count)
{
	if (!count)
		errx(2, "0 pages cannot be shared");
	refs = realloc(refs, count * sizeof(*refs));
	if (!refs)
		err(1, "no memory for %u references", count);
}

void *share(uint32_t count)
{
	void *pages = gntshr_share_pages(h, 0, count, refs, GNTSHR_WRITABLE);

	if (!pages)
		err(1, "cannot share %u pages", count);
	return pages;
}

void unshare(void *pages, uint32_t count)
{
	if (gntshr_unshare(h, pages, count))
		err(1, "cannot unshare %u pages", count);
}

uint32_t number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!*text || *end || value > 1u << 20)
		errx(2, "'%s' is not a number up to 1048576", text);
	return (uint32_t)value;
}

static char *reserve(size_t size)
{
	void *area = mmap(NULL, size, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		err(1, "cannot reserve addresses");
	return area;
}

/*
 * Where memory comes to lie decides what else is paid for: the first page in
 * 2 MiB of addresses costs a page of the page table, made and freed. The kernel
 * takes the highest hole that is large enough. So it gets none but the one
 * below everything, which is made to begin in the middle of 2 MiB in use: as on
 * average in a program, and the same in each run. And a mapping whose neighbour
 * is in another node of the tree of mappings costs some thousands more; so each
 * sample has a place of its own, and most are not at such an end.
 */
void make_place(uint32_t count)
{
	char *area = reserve(2 * TABLE), *lowest, *filler;

	lowest = (char *)(((uintptr_t)area + TABLE - 1) & -TABLE) + TABLE / 2;
	if (mprotect(lowest, PAGE, PROT_READ | PROT_WRITE) ||
	    munmap(area, (size_t)(lowest - area)))
		err(1, "cannot arrange addresses");
	*(volatile char *)lowest = 1;
	do
		filler = reserve((size_t)count * PAGE);
	while (filler > lowest);
	munmap(filler, (size_t)count * PAGE);
}

/* One page after another, as its first user would. */
void touch(void *pages, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		*((volatile char *)pages + (size_t)i * PAGE) = 1;
}

struct cost sample(const struct way *way, uint32_t count, uint32_t rounds)
{
	struct cost cost = { 0 };
	double pages = (double)count * rounds;

	for (uint32_t i = 0; i < rounds; i++) {
		uint64_t start;
		void *memory;

		if (way->first)
			open_device();
		start = now();
		memory = way->get(count);
		cost.share += since(start);
		start = now();
		touch(memory, count);
		cost.touch += since(start);
		start = now();
		way->put(memory, count);
		cost.unshare += since(start);
		if (!way->first)
			continue;
		start = now();
		close_device();
		cost.close += since(start);
	}
	cost.share /= pages;
	cost.touch /= pages;
	cost.unshare /= pages;
	cost.close /= pages;
	return cost;
}

double sum(const struct cost *cost)
{
	return cost->share + cost->touch + cost->unshare + cost->close;
}

static int by_sum(const void *a, const void *b)
{
	double x = sum(a), y = sum(b);

	return (x > y) - (x < y);
}

void report(const struct way *way, uint32_t as, const struct cost *cost)
{
	printf("%s %s %u share=%.1f touch=%.1f unshare=%.1f", LIBRARY,
	       way->name, as, cost->share, cost->touch, cost->unshare);
	if (way->first)
		printf(" close=%.1f", cost->close);
	printf(" sum=%.1f\n", sum(cost));
	fflush(stdout);
}

/*
 * A sample is a mean: what the kernel does once in a while for many calls, such
 * as refilling its lists of free pages, is part of the cost. Of several samples
 * the one in the middle counts: an interrupt more or less does not show.
 */
void measure(const struct way *way, uint32_t count, uint32_t as)
{
	struct cost samples[SAMPLES];
	uint32_t rounds = SAMPLE_PAGES / count;
	size_t n = count > SAMPLE_PAGES ? LARGE_SAMPLES : SAMPLES;

	if (rounds > SAMPLE_ROUNDS)
		rounds = SAMPLE_ROUNDS;
	if (!rounds)
		rounds = 1;
	/* What is kept for the next share is there from the second on. */
	sample(way, count, 1);
	for (size_t i = 0; i < n; i++) {
		make_place(count);
		samples[i] = sample(way, count, rounds);
	}
	qsort(samples, n, sizeof(*samples), by_sum);
	report(way, as, &samples[n / 2]);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
	return values[count / 2];
}
