// SPDX-License-Identifier: LGPL-2.1-or-later
/* Each call: what it needs, the call, and whether all is as it was. */

#include "test-faults.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

int fd;
uint64_t first;
unsigned char *place;
uint32_t port;

static unsigned char *pages;
static union {
	struct ioctl_gntalloc_alloc_gref op;
	char room[sizeof(struct ioctl_gntalloc_alloc_gref) +
		  MANY * sizeof(uint32_t)];
} arg, arg_before;
static struct ioctl_gntalloc_dealloc_gref dealloc_arg;
static struct ioctl_gntalloc_unmap_notify notify_arg;
static long slot;

void wait_until_zero(const char *name)
{
	assert_int_equal(parameter_becomes(name, 0), 0);
}

void alloc(uint32_t count)
{
	assert_int_equal(alloc_for(fd, remote_domid(), count,
				   GNTALLOC_FLAG_WRITABLE, &first),
			 0);
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

long call_open(void)
{
	fd = open_device();
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
	assert_int_equal(dealloc(fd, first, RUN), 0);
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
	slot = remote_map("ro", refs, 1);
	assert_true(slot >= 0);
	notify_arg.index = first + 20;
}

static long call_notify(void)
{
	return ioctl(fd, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, &notify_arg);
}

static void check_notify(bool done)
{
	assert_int_equal(dealloc(fd, first, 1), 0);
	assert_int_equal(munmap(pages, PAGE), 0);
	assert_int_equal(remote("byte %ld 10", slot), done ? 7 : 0);
	assert_int_equal(remote("byte %ld 20", slot), done ? 0 : 7);
	assert_int_equal(remote("unmap %ld", slot), 0);
}

/* mmap, of one page and of many, and what becomes of mappings */
static uint32_t mapped;

static void all_to_map(void)
{
	run_listed();
	mapped = RUN;
}

static void one_to_map(void)
{
	run_listed();
	mapped = 1;
}

static long call_mmap(void)
{
	return map_at(place, mapped) == MAP_FAILED ? -1 : 0;
}

static void check_mmap(bool done)
{
	if (!done)
		assert_listed(RUN);
	assert_int_equal(dealloc(fd, first, RUN), 0);
	if (done) {
		assert_in_range(parameter("used"), mapped, RUN);
		munmap(place, mapped * PAGE);
	}
	wait_until_zero("used");
}

/*
 * SHARE: places that are empty, spare, and some of both. What stayed shared
 * would be in the way of the next call; what is not zeroed the peer would see.
 */
static struct ioctl_gntalloc_share share_arg;
static struct ioctl_gntalloc_unshare unshare_arg;

static void prepare_places(void)
{
	first = PLACE(3);
	pages = map_at(place, RUN);
	assert_ptr_equal(pages, place);
	share_arg = (struct ioctl_gntalloc_share){
		.index = first,
		.addr = (uintptr_t)pages,
		.refs = (uintptr_t)refs,
		.count = RUN,
		.domid = (uint16_t)remote_domid(),
		.flags = GNTALLOC_FLAG_WRITABLE,
	};
	unshare_arg =
		(struct ioctl_gntalloc_unshare){ .index = first, .count = RUN };
}

static long call_share(void)
{
	return ioctl(fd, IOCTL_GNTALLOC_SHARE, &share_arg);
}

static long call_unshare(void)
{
	return ioctl(fd, IOCTL_GNTALLOC_UNSHARE, &unshare_arg);
}

static void prepare_shared(void)
{
	prepare_places();
	assert_int_equal(call_share(), 0);
	memset(pages, 7, RUN * PAGE);
}

static void prepare_spare(void)
{
	prepare_shared();
	assert_int_equal(call_unshare(), 0);
	assert_int_equal(parameter("spare"), RUN);
}

static void prepare_some_spare(void)
{
	prepare_spare();
	for (uint32_t i = 0; i < RUN; i += 3)
		assert_int_equal(madvise(pages + i * PAGE, PAGE, MADV_DONTNEED),
				 0);
}

/* Nobody but the peer has looked at them: they are written to by the kernel. */
static void check_share(bool done)
{
	if (!done) {
		assert_int_equal(call_unshare(), -1);
		assert_int_equal(errno, EINVAL);
		assert_int_equal(parameter("used"), parameter("spare"));
		assert_int_equal(call_share(), 0);
	}
	assert_int_equal(parameter("used"), RUN);
	assert_int_equal(parameter("spare"), 0);
	slot = remote_map("ro", refs, RUN);
	assert_true(slot >= 0);
	assert_int_equal(remote("zero %ld", slot), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	for (uint32_t i = 0; i < RUN; i++)
		pages[i * PAGE]++;
	assert_int_equal(call_unshare(), 0);
	unmap_all();
}

/*
 * They are no longer granted, wherever the pages are: one whose grant did not
 * end at once left its place, but counts for as long as its chunk.
 */
static void check_unshare(bool done)
{
	uint32_t lost;

	if (!done) {
		assert_int_equal(parameter("used"), RUN);
		assert_int_equal(parameter("spare"), 0);
		assert_int_equal(remote_try(refs, RUN), RUN);
		assert_int_equal(call_unshare(), 0);
	}
	assert_int_equal(parameter_becomes("lingering", 0), 0);
	lost = RUN - parameter("spare");
	assert_in_range(parameter("used"), RUN - lost, RUN);
	assert_int_equal(remote_try(refs, RUN), 0);
	assert_int_equal(call_share(), 0);
	assert_in_range(parameter("used"), RUN, RUN + lost);
	assert_int_equal(call_unshare(), 0);
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

const struct op ops[NUM_OPS] = {
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
	{ "mmap", all_to_map, call_mmap, check_mmap, { ENOMEM } },
	{ "mmap of 1 page", one_to_map, call_mmap, check_mmap, { ENOMEM } },
	{ "SHARE in empty places",
	  prepare_places,
	  call_share,
	  check_share,
	  { EFAULT, ENOSPC, ENOMEM, EINTR } },
	{ "SHARE of spare pages",
	  prepare_spare,
	  call_share,
	  check_share,
	  { EFAULT, ENOSPC, ENOMEM, EINTR } },
	{ "SHARE of some of both",
	  prepare_some_spare,
	  call_share,
	  check_share,
	  { EFAULT, ENOSPC, ENOMEM, EINTR } },
	{ "UNSHARE", prepare_shared, call_unshare, check_unshare, { EFAULT } },
	{ "munmap of a part",
	  run_unlisted,
	  call_munmap,
	  check_munmap,
	  { ENOMEM } },
	{ "mremap", run_unlisted, call_mremap, check_mremap, { ENOMEM } },
	{ "close", run_listed, call_close, check_close, { 0 } },
};
