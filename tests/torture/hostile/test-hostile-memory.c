// SPDX-License-Identifier: LGPL-2.1-or-later
/* Memory of the caller that is not what it seems, or changes meanwhile. */

#include "test-hostile.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "asks.h"

/* ---- what must never be pinned comes and goes meanwhile ---- */

#define TURNS 1500
#define MANY_TURNS (100 * TURNS)

static struct {
	_Atomic(unsigned char *) at;
	atomic_int stop;
	int fd;
	uint64_t index;
	uint32_t ref;
} other;

/* A page of another domain: in dom0 of gntdev, in a guest of this device. */
static void come_and_go(void)
{
	unsigned char *page;
	long slot = -1;

	if (peer_is_here()) {
		slot = peer_map(&other.ref, 1);
		page = peer_pages(slot);
	} else {
		page = map(other.fd, other.index, 1);
	}
	other.at = page;
	sched_yield();
	if (slot >= 0)
		peer_unmap(slot);
	else
		munmap(page, PAGE);
	/* The same address, most probably. */
	if (mmap(page, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) == page) {
		sched_yield();
		munmap(page, PAGE);
	}
}

static void *come_and_go_always(void *arg)
{
	(void)arg;
	while (!other.stop)
		come_and_go();
	return NULL;
}

void maps_what_is_anothers_meanwhile(void **state)
{
	unsigned int pinned = 0, refused = 0, nothing = 0;
	int fd = open_device();
	pthread_t thread;
	uint64_t index;

	(void)state;
	if (!can_pin(fd))
		return;
	other.fd = open_device();
	other.index = must_alloc(other.fd, 1);
	other.ref = refs[0];
	other.stop = 0;
	pthread_create(&thread, NULL, come_and_go_always, NULL);
	while (!other.at)
		sched_yield();
	for (unsigned int i = 0; i < MANY_TURNS; i++) {
		if (i >= TURNS && pinned && refused)
			break;
		if (!pin(fd, other.at, 1, &index)) {
			pinned++;
			assert_int_equal(dealloc(fd, index, 1), 0);
			continue;
		}
		if (errno == EFAULT) {
			nothing++;
			continue;
		}
		assert_int_equal(errno, ENODEV);
		refused++;
	}
	other.stop = 1;
	pthread_join(thread, NULL);
	print_message("%u times memory, %u times refused, %u times nothing\n",
		      pinned, refused, nothing);
	assert_true(pinned && refused);
	close(fd);
	assert_used_becomes(1);
	assert_int_equal(pinned_pages(), 0);
	assert_int_equal(dealloc(other.fd, other.index, 1), 0);
	close(other.fd);
}

/* ---- memory that another process has, too ---- */

#define FILE_PAGES 300u
#define CUTS 400

static pid_t start_cutter(int memfd)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	for (unsigned int i = 0;; i++) {
		off_t at = i * 37 % FILE_PAGES * PAGE;

		child_must(!fallocate(
			memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
			3 * PAGE));
		child_must(!ftruncate(memfd, at));
		if (i % 3 == 0)
			sched_yield();
		child_must(!ftruncate(memfd, FILE_PAGES * PAGE));
		child_must(pwrite(memfd, "x", 1, at) == 1);
	}
}

void shares_what_another_cuts(void **state)
{
	int fd = open_device(), memfd = memfd_create("cut", 0);
	unsigned int got = 0, refused = 0;
	unsigned char *pages;
	uint64_t index;
	pid_t pid;
	long slot;

	(void)state;
	if (!can_pin(fd))
		return;
	assert_int_equal(ftruncate(memfd, FILE_PAGES * PAGE), 0);
	pages = mmap(NULL, FILE_PAGES * PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED, memfd, 0);
	pid = start_cutter(memfd);
	for (unsigned int i = 0; i < CUTS || !got; i++) {
		if (pin(fd, pages, i % 2 ? FILE_PAGES : 1 + i % 9, &index)) {
			assert_int_equal(errno, EFAULT);
			refused++;
			continue;
		}
		got++;
		/* The peer keeps its page, whatever becomes of the file. */
		if (i % 64 == 0) {
			slot = peer_map(refs, 1);
			peer_fill(slot, i);
			usleep(1000);
			assert_int_equal(peer_differing(slot, i), 0);
			peer_unmap(slot);
		}
		assert_int_equal(
			dealloc(fd, index, i % 2 ? FILE_PAGES : 1 + i % 9), 0);
	}
	kill(pid, SIGKILL);
	assert_killed(pid);
	print_message("%u times shared, %u times refused\n", got, refused);
	close(fd);
	assert_nothing_pinned();
	munmap(pages, FILE_PAGES * PAGE);
	close(memfd);
}

/* ---- mappings that change in a second thread ---- */

#define CHANGED_PAGES 64u
#define CHANGES 1200

static struct {
	unsigned char *pages, *spare;
	atomic_int stop;
} changing;

static void change(unsigned int i)
{
	unsigned char *at = changing.pages + i * 7 % CHANGED_PAGES * PAGE;
	size_t size = PAGE * (1 + i % 5);
	pid_t pid;

	if (at + size > changing.pages + CHANGED_PAGES * PAGE)
		size = PAGE;
	switch (i % 7) {
	case 0:
		mprotect(at, size, PROT_READ);
		break;
	case 1:
		mprotect(at, size, PROT_READ | PROT_WRITE);
		break;
	case 2:
		munmap(at, size);
		break;
	case 3:
		madvise(at, size, MADV_DONTNEED);
		break;
	case 4:
		mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
		       changing.spare);
		break;
	case 5:
		pid = i % 35 == 5 ? fork() : -1;
		if (!pid)
			_exit(0);
		if (pid > 0)
			waitpid(pid, NULL, 0);
		break;
	default:
		mmap(changing.pages, CHANGED_PAGES * PAGE,
		     PROT_READ | PROT_WRITE,
		     MAP_FIXED | MAP_ANONYMOUS |
			     (i & 8 ? MAP_SHARED : MAP_PRIVATE),
		     -1, 0);
	}
}

static void *change_always(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; !changing.stop; i++)
		change(i);
	return NULL;
}

void changes_its_memory_meanwhile(void **state)
{
	unsigned int got = 0, refused = 0;
	int fd = open_device();
	pthread_t thread;
	uint64_t index;

	(void)state;
	if (!can_pin(fd))
		return;
	changing.spare = mmap(NULL, CHANGED_PAGES * PAGE, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	changing.pages =
		mmap(NULL, CHANGED_PAGES * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	changing.stop = 0;
	pthread_create(&thread, NULL, change_always, NULL);
	for (unsigned int i = 0; i < CHANGES || !got; i++) {
		uint32_t count = 1 + i % CHANGED_PAGES;

		if (pin(fd, changing.pages, count, &index)) {
			if (errno != EFAULT)
				assert_int_equal(errno, ENOMEM);
			refused++;
			continue;
		}
		got++;
		assert_int_equal(dealloc(fd, index, count), 0);
	}
	changing.stop = 1;
	pthread_join(thread, NULL);
	print_message("%u times shared, %u times refused\n", got, refused);
	close(fd);
	assert_nothing_pinned();
	munmap(changing.pages, CHANGED_PAGES * PAGE);
	munmap(changing.spare, CHANGED_PAGES * PAGE);
}
