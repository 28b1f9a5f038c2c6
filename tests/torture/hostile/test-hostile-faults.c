// SPDX-License-Identifier: LGPL-2.1-or-later
/* Memory of the program that is there late, or never: with userfaultfd. */

#include "test-hostile.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- I/O that begins before an unshare and ends after the next share ---- */

/* A page that is not there until it is given: who reads it waits. */
static struct uffdio_register waiting(int uffd, void *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register place = {
		.range = { (uintptr_t)page, PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	assert_int_equal(ioctl(uffd, UFFDIO_API, &api), 0);
	assert_int_equal(ioctl(uffd, UFFDIO_REGISTER, &place), 0);
	return place;
}

static struct {
	void *from, *to;
	ssize_t wrote;
} io;

/* The kernel has pinned @to when it looks at @from. */
static void *write_slowly(void *arg)
{
	struct iovec from = { io.from, PAGE }, to = { io.to, PAGE };

	(void)arg;
	io.wrote = process_vm_writev(getpid(), &from, 1, &to, 1, 0);
	return NULL;
}

static void one_slow_write(int fd, unsigned char *places, int uffd,
			   const unsigned char *old, bool spare)
{
	struct uffdio_copy copy = { .dst = (uintptr_t)io.from,
				    .src = (uintptr_t)old,
				    .len = PAGE };
	struct uffd_msg message;
	pthread_t thread;
	long slot;

	assert_int_equal(share(fd, 0, places, 2), 0);
	io.to = places + PAGE;
	if (spare)
		assert_int_equal(unshare_places(fd, PLACE(0), NULL, 2), 0);
	pthread_create(&thread, NULL, write_slowly, NULL);
	assert_int_equal(read(uffd, &message, sizeof(message)),
			 sizeof(message));
	if (!spare)
		assert_int_equal(unshare_places(fd, PLACE(0), NULL, 2), 0);
	assert_int_equal(share(fd, 0, places, 2), 0);
	slot = peer_map(refs, 2);
	assert_int_equal(ioctl(uffd, UFFDIO_COPY, &copy), 0);
	pthread_join(thread, NULL);
	assert_int_equal(io.wrote, PAGE);
	assert_true(all_are(peer_pages(slot), 2 * PAGE, 0));
	assert_true(all_are(places, 2 * PAGE, 0));
	peer_unmap(slot);
	assert_int_equal(unshare_places(fd, PLACE(0), NULL, 2), 0);
	madvise(io.from, PAGE, MADV_DONTNEED);
}

void io_across_shares(void **state)
{
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	unsigned char *old = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open_device();
	unsigned char *places;

	(void)state;
	if (!has_arenas(fd))
		return;
	assert_true(uffd >= 0);
	places = map(fd, PLACE(0), 2);
	memset(old, 0xA5, PAGE);
	io.from = old + PAGE;
	waiting(uffd, io.from);
	for (int i = 0; i < 20; i++)
		one_slow_write(fd, places, uffd, old, i % 2);
	munmap(places, 2 * PAGE);
	munmap(old, 2 * PAGE);
	close(uffd);
	close(fd);
}

/* ---- references that are claimed, and a fault that nobody serves ---- */

/* More than half of the grant table, and how many more it has not room for. */
#define MOST 20000u
#define REST 16384u

static struct {
	struct ioctl_gntalloc_share op;
	int fd, error;
} slow;

static void *share_slowly(void *arg)
{
	(void)arg;
	slow.error = ioctl(slow.fd, IOCTL_GNTALLOC_SHARE, &slow.op) ? errno : 0;
	return NULL;
}

/* Others get what the table has while a fault of ours is not served. */
static void one_slow_share(int uffd, const void *zeros, int want)
{
	void *to = (void *)(uintptr_t)slow.op.refs;
	struct uffdio_copy copy = { .dst = slow.op.refs,
				    .src = (uintptr_t)zeros,
				    .len = PAGE };
	int fd = open_device();
	struct uffd_msg message;
	pthread_t thread;
	uint64_t index;

	madvise(to, PAGE, MADV_DONTNEED);
	pthread_create(&thread, NULL, share_slowly, NULL);
	assert_int_equal(read(uffd, &message, sizeof(message)),
			 sizeof(message));
	assert_int_equal(alloc(fd, REST, &index), 0);
	close(fd);
	assert_int_equal(ioctl(uffd, UFFDIO_COPY, &copy), 0);
	pthread_join(thread, NULL);
	assert_int_equal(slow.error, want);
}

void faults_that_nobody_serves(void **state)
{
	unsigned int limit = (unsigned int)parameter("limit");
	unsigned int spare_max = (unsigned int)parameter("spare_max");
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	unsigned char *to =
		mmap(NULL, MOST * sizeof(uint32_t), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ioctl_gntalloc_renew renew = { .count = MOST,
					      .domid = (uint16_t)domid };
	static unsigned char zeros[PAGE] __attribute__((aligned(4096)));

	(void)state;
	slow.fd = open_device();
	if (!has_arenas(slow.fd))
		return;
	assert_true(uffd >= 0);
	slow.op = (struct ioctl_gntalloc_share){
		.index = PLACE(0),
		.addr = (uintptr_t)map(slow.fd, PLACE(0), MOST),
		.refs = (uintptr_t)to,
		.count = MOST,
		.domid = (uint16_t)domid,
	};
	waiting(uffd, to);
	/* More than it may have, */
	set_parameter("limit", REST);
	one_slow_share(uffd, zeros, ENOSPC);
	assert_int_equal(ioctl(slow.fd, IOCTL_GNTALLOC_RENEW, &renew), -1);
	assert_int_equal(errno, ENOSPC);
	/* new pages, and those that are spare. */
	set_parameter("limit", MOST + REST);
	set_parameter("spare_max", MOST);
	for (int i = 0; i < 2; i++) {
		one_slow_share(uffd, zeros, 0);
		assert_int_equal(unshare_places(slow.fd, PLACE(0), NULL, MOST),
				 0);
	}
	set_parameter("limit", limit);
	set_parameter("spare_max", spare_max);
	munmap((void *)(uintptr_t)slow.op.addr, MOST * PAGE);
	munmap(to, MOST * sizeof(uint32_t));
	close(uffd);
	close(slow.fd);
}
