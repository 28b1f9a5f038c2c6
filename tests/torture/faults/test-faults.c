// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Every call of the device with every allocation, copy and grant-table call in
 * it made to fail, one after another: "--kernel debug" of harness/run has
 * what it takes. After each the result is one that the manual page names,
 * nothing has changed, and a share works.
 *
 *	test-faults [PATTERN]
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/gntalloc.h>
#include <xenevtchn.h>

#include "faults.h"
#include "remote.h"
#include "xen-gntalloc.h"

#define PAGE 4096u
#define DEVICE "/dev/xen/gntalloc"
#define PARAMETERS "/sys/module/xen_gntalloc/parameters/"
/* Two blocks of the module, from one call. */
#define MANY 300
/* A run across two blocks, and more pages than the module ends at once. */
#define RUN 40
/* What one page table maps; the runs are mapped across the border of two. */
#define TABLE (512 * PAGE)

/*
 * The n-th is not always the same one: now and then the kernel needs a page for
 * its small objects, and whatever is behind that comes later.
 */
#define SWEEPS 3

/* Only ever waited for in full when a test fails. */
#define PATIENCE_MS 30000

/*
 * A call to make fail. @prepare makes what it needs, @check looks whether all
 * is as it was (@done: or as it ought to be after the call), and
 * the pages go with the descriptor, which is closed then.
 */
struct op {
	const char *name;
	void (*prepare)(void);
	long (*call)(void);
	void (*check)(bool done);
	int errors[5]; /* that the manual page names, up to a 0 */
};

static int fd;
static unsigned char *pages, *place;
static uint64_t first;
static union {
	struct ioctl_gntalloc_alloc_gref op;
	char room[sizeof(struct ioctl_gntalloc_alloc_gref) +
		  MANY * sizeof(uint32_t)];
} arg, arg_before;
static struct ioctl_gntalloc_dealloc_gref dealloc_arg;
static struct ioctl_gntalloc_unmap_notify notify_arg;
static uint32_t port;
static long slot;

static unsigned int parameter(const char *name)
{
	char path[96], text[16] = "";
	int file;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	file = open(path, O_RDONLY);
	if (file < 0 || read(file, text, sizeof(text) - 1) < 1)
		err(1, "%s", path);
	close(file);
	return (unsigned int)strtoul(text, NULL, 10);
}

/* What was given up while its end failed is tried again in the background. */
static void wait_until_zero(const char *name)
{
	for (int i = 0; i < PATIENCE_MS / 5 && parameter(name); i++)
		usleep(5000);
	assert_int_equal(parameter(name), 0);
}

static void alloc(uint32_t count)
{
	memset(&arg, 0, sizeof(arg));
	arg.op.domid = (uint16_t)remote_domid();
	arg.op.flags = GNTALLOC_FLAG_WRITABLE;
	arg.op.count = count;
	assert_int_equal(ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, &arg.op), 0);
	first = arg.op.index;
}

static int dealloc(uint64_t index, uint32_t count)
{
	dealloc_arg.index = index;
	dealloc_arg.count = count;
	return ioctl(fd, IOCTL_GNTALLOC_DEALLOC_GREF, &dealloc_arg);
}

static void *map_at(void *where, uint32_t count)
{
	return mmap(where, count * PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | (where ? MAP_FIXED : 0), fd, (off_t)first);
}

/* Are all pages still there, and listed? */
static void assert_listed(uint32_t count)
{
	unsigned char *all = map_at(NULL, count);

	assert_ptr_not_equal(all, MAP_FAILED);
	for (uint32_t i = 0; i < count; i++)
		all[i * PAGE]++;
	assert_int_equal(munmap(all, count * PAGE), 0);
	assert_int_equal(parameter("used"), count);
}

/* open */
static void nothing(void)
{
	close(fd);
	fd = -1;
}

static long call_open(void)
{
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -1 : 0;
}

static void check_open(bool done)
{
	assert_int_equal(parameter("used"), 0);
	if (!done)
		assert_int_equal(call_open(), 0);
	alloc(1);
}

/* ALLOC */
static void prepare_alloc(uint32_t count)
{
	memset(&arg, 0, sizeof(arg));
	arg.op.domid = (uint16_t)remote_domid();
	arg.op.count = count;
	memcpy(&arg_before, &arg, sizeof(arg));
}

static void prepare_one(void)
{
	prepare_alloc(1);
}

static void prepare_many(void)
{
	prepare_alloc(MANY);
}

static long call_alloc(void)
{
	return ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, &arg.op);
}

static void check_alloc(bool done)
{
	int error = errno;

	first = arg.op.index;
	if (done)
		assert_listed(arg.op.count);
	else if (error != EFAULT)
		assert_memory_equal(&arg, &arg_before, sizeof(arg));
}

/* DEALLOC */
static void run_listed(void)
{
	alloc(RUN / 2);
	dealloc_arg.index = first;
	dealloc_arg.count = RUN;
	alloc(RUN / 2);
	first = dealloc_arg.index;
}

static void run_unlisted(void)
{
	run_listed();
	pages = map_at(place, RUN);
	assert_ptr_equal(pages, place);
	assert_int_equal(dealloc(first, RUN), 0);
}

static void unmap_all(void)
{
	assert_int_equal(munmap(pages, RUN * PAGE), 0);
	wait_until_zero("used");
}

static long call_dealloc(void)
{
	return ioctl(fd, IOCTL_GNTALLOC_DEALLOC_GREF, &dealloc_arg);
}

static void check_dealloc(bool done)
{
	if (done)
		wait_until_zero("used");
	else
		assert_listed(RUN);
}

/* SET_UNMAP_NOTIFY: what was set before stays, when it fails. */
static void prepare_notify(void)
{
	alloc(1);
	pages = map_at(NULL, 1);
	assert_ptr_not_equal(pages, MAP_FAILED);
	memset(pages, 7, PAGE);
	notify_arg.index = first + 10;
	notify_arg.action = UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT;
	notify_arg.event_channel_port = port;
	assert_int_equal(
		ioctl(fd, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, &notify_arg), 0);
	slot = remote_map("ro", arg.op.gref_ids, 1);
	assert_true(slot >= 0);
	notify_arg.index = first + 20;
}

static long call_notify(void)
{
	return ioctl(fd, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, &notify_arg);
}

static void check_notify(bool done)
{
	assert_int_equal(dealloc(first, 1), 0);
	assert_int_equal(munmap(pages, PAGE), 0);
	assert_int_equal(remote("byte %ld 10", slot), done ? 7 : 0);
	assert_int_equal(remote("byte %ld 20", slot), done ? 0 : 7);
	assert_int_equal(remote("unmap %ld", slot), 0);
}

/* mmap, and what becomes of mappings */
static long call_mmap(void)
{
	return map_at(place, RUN) == MAP_FAILED ? -1 : 0;
}

static void check_mmap(bool done)
{
	if (!done)
		assert_listed(RUN);
	assert_int_equal(dealloc(first, RUN), 0);
	if (done) {
		assert_int_equal(parameter("used"), RUN);
		munmap(place, RUN * PAGE);
	}
	wait_until_zero("used");
}

/* MAP_GREF: a page that stayed would be in the way of the next call. */
static void prepare_window(void)
{
	run_listed();
	pages = mmap(place, RUN * PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_FIXED, fd,
		     (off_t)(GNTALLOC_WINDOW | first));
	assert_ptr_equal(pages, place);
}

static long call_map(void)
{
	struct ioctl_gntalloc_map_gref op = {
		.index = first,
		.addr = (uintptr_t)pages,
		.count = RUN,
	};

	return ioctl(fd, IOCTL_GNTALLOC_MAP_GREF, &op);
}

static void check_map(bool done)
{
	if (!done)
		assert_int_equal(call_map(), 0);
	for (uint32_t i = 0; i < RUN; i++)
		pages[i * PAGE]++;
	assert_int_equal(dealloc(first, RUN), 0);
	unmap_all();
}

static long call_munmap(void)
{
	return munmap(pages + 10 * PAGE, PAGE);
}

static void check_munmap(bool done)
{
	if (!done)
		assert_int_equal(parameter("used"), RUN);
	unmap_all();
}

static long call_mremap(void)
{
	void *to = place + 2 * TABLE;

	return mremap(pages, RUN * PAGE, RUN * PAGE,
		      MREMAP_MAYMOVE | MREMAP_FIXED, to) == to
		       ? 0
		       : -1;
}

static void check_mremap(bool done)
{
	assert_int_equal(parameter("used"), RUN);
	if (done)
		pages += 2 * TABLE;
	for (uint32_t i = 0; i < RUN; i++)
		pages[i * PAGE]++;
	unmap_all();
}

static long call_close(void)
{
	return close(fd);
}

static void check_close(bool done)
{
	assert_true(done);
	fd = -1;
	wait_until_zero("used");
}

static const struct op ops[] = {
	/* EFAULT: the path, which the module does not see. */
	{ "open", nothing, call_open, check_open, { ENOMEM, EFAULT } },
	{ "ALLOC of 1 page",
	  prepare_one,
	  call_alloc,
	  check_alloc,
	  { EFAULT, ENOSPC, ENOMEM, EINTR } },
	{ "ALLOC of 300 pages",
	  prepare_many,
	  call_alloc,
	  check_alloc,
	  { EFAULT, ENOSPC, ENOMEM, EINTR } },
	{ "DEALLOC", run_listed, call_dealloc, check_dealloc, { EFAULT } },
	{ "SET_UNMAP_NOTIFY",
	  prepare_notify,
	  call_notify,
	  check_notify,
	  { EFAULT, EINVAL } },
	{ "mmap", run_listed, call_mmap, check_mmap, { ENOMEM } },
	{ "MAP_GREF",
	  prepare_window,
	  call_map,
	  check_map,
	  { EFAULT, ENOMEM, EINTR } },
	{ "munmap of a part",
	  run_unlisted,
	  call_munmap,
	  check_munmap,
	  { ENOMEM } },
	{ "mremap", run_unlisted, call_mremap, check_mremap, { ENOMEM } },
	{ "close", run_listed, call_close, check_close, { 0 } },
};

static void share_works(void)
{
	unsigned char *shared;
	long there;

	if (fd >= 0)
		assert_int_equal(close(fd), 0);
	wait_until_zero("used");
	wait_until_zero("lingering");
	assert_int_equal(call_open(), 0);
	alloc(2);
	shared = map_at(NULL, 2);
	assert_ptr_not_equal(shared, MAP_FAILED);
	fill_pattern(shared, 2, 5);
	there = remote_map("ro", arg.op.gref_ids, 2);
	assert_true(there >= 0);
	assert_int_equal(remote("check %ld 5", there), 0);
	assert_int_equal(remote("unmap %ld", there), 0);
	assert_int_equal(munmap(shared, 2 * PAGE), 0);
	assert_int_equal(dealloc(first, 2), 0);
	wait_until_zero("used");
}

/* Make the n-th fail, and with @always all later ones that are the module's. */
static bool fail_nth(const struct op *op, unsigned int nth, bool always)
{
	bool fired, named = false;
	long result;
	int error;

	op->prepare();
	faults_arm(nth, always);
	result = op->call();
	error = errno;
	fired = faults_disarm();

	for (const int *known = op->errors; *known; known++)
		named |= *known == error;
	if (result < 0 && (!fired || !named))
		fail_msg("%s: failure %u%s: %s", op->name, nth,
			 fired ? "" : " did not happen", strerror(error));
	errno = error;
	op->check(result >= 0);
	share_works();
	return fired;
}

static void every_failure(void **state)
{
	const struct op *op = *state;
	unsigned int failures = 0, more = 1;

	faults_hooked = false;
	for (int sweep = 0; sweep < SWEEPS; sweep++)
		for (unsigned int nth = 1; fail_nth(op, nth, false); nth++)
			failures++;
	/* Others that fail in a row are those of hooks. */
	while (faults_hooked && fail_nth(op, more, true))
		more++;
	printf("%s: %u failures, %u with those behind them\n", op->name,
	       failures, more - 1);
	assert_true(failures > 0);
}

/* How many pages can be shared at once: as many as there are references. */
static unsigned int room(void)
{
	unsigned int total = 0;

	assert_int_equal(close(fd), 0);
	assert_int_equal(call_open(), 0);
	faults_write(PARAMETERS "limit", "1000000");
	for (uint32_t count = MANY; count; count /= 7)
		for (prepare_alloc(count); !call_alloc(); total += count)
			;
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(close(fd), 0);
	wait_until_zero("used");
	return call_open() ? 0 : total;
}

static unsigned int room_before;

static void no_reference_is_lost(void **state)
{
	(void)state;
	assert_int_equal(room(), room_before);
}

static int setup(void **state)
{
	xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);

	(void)state;
	if (!evtchn)
		err(1, "cannot open evtchn");
	faults_open();
	port = (uint32_t)xenevtchn_bind_unbound_port(evtchn, remote_domid());
	/* The place of a mapping across the border of two page tables. */
	place = mmap(NULL, 8 * TABLE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	assert_ptr_not_equal(place, MAP_FAILED);
	place += 2 * TABLE - (uintptr_t)place % TABLE - RUN / 2 * PAGE;
	room_before = call_open() ? 0 : room();
	return !room_before;
}

int main(int argc, char **argv)
{
	const size_t count = sizeof(ops) / sizeof(*ops);
	struct CMUnitTest tests[sizeof(ops) / sizeof(*ops) + 1];
	int failed;

	for (size_t i = 0; i < count; i++)
		tests[i] = (struct CMUnitTest){
			.name = ops[i].name,
			.test_func = every_failure,
			.initial_state = (void *)&ops[i],
		};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	tests[count] =
		(struct CMUnitTest)cmocka_unit_test(no_reference_is_lost);
	failed = _cmocka_run_group_tests("failures", tests, count + 1, setup,
					 NULL);
	faults_print();
	return failed;
}
