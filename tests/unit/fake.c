// SPDX-License-Identifier: LGPL-2.1-or-later
/* The system calls of the library, on descriptors and pages of our own. */

#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <xen/gntalloc.h>

#include "fake-device.h"
#include "fake-steps.h"
#include "fake-windows.h"
#include "fake.h"

#define FILES 16

/*
 * A descriptor that came through fork: pages and notifications behind it are
 * the parent's, only the mappings are ours.
 */
enum file { FREE, OPEN, INHERITED };

struct fake fake;

/* Guards all of the device. The library calls with its own locks held. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum file files[FILES];

static enum file *file(int fd)
{
	assert(fd >= FAKE_FD && fd < FAKE_FD + FILES);
	assert(files[fd - FAKE_FD] != FREE);
	return &files[fd - FAKE_FD];
}

/* ---- in place of sys.c ---- */

int gntshr_sys_open(const char *path, int flags)
{
	int i = 0;

	assert(!strcmp(path, "/dev/xen/gntalloc"));
	assert(flags == (O_RDWR | O_CLOEXEC));
	if (fake_fails(FAKE_OPEN))
		return -1;
	__real_pthread_mutex_lock(&lock);
	while (files[i] != FREE) {
		i++;
		assert(i < FILES);
	}
	files[i] = OPEN;
	fake.open++;
	__real_pthread_mutex_unlock(&lock);
	return FAKE_FD + i;
}

int gntshr_sys_close(int fd)
{
	/* As in close(). */
	pthread_testcancel();
	__real_pthread_mutex_lock(&lock);
	*file(fd) = FREE;
	fake.open--;
	for (unsigned int i = 0; i < fake_next_page; i++)
		if (fake_pages[i].fd == fd && fake_pages[i].listed)
			fake_delist(&fake_pages[i]);
	__real_pthread_mutex_unlock(&lock);
	/* As the real one does: an error, and closed nevertheless. */
	return fake_fails(FAKE_CLOSE) ? -1 : 0;
}

int gntshr_sys_ioctl(int fd, unsigned long request, void *arg)
{
	int rc;

	if (request == IOCTL_GNTALLOC_DEALLOC_GREF && fake.meanwhile)
		fake.meanwhile();
	__real_pthread_mutex_lock(&lock);
	assert(*file(fd) == OPEN || fake.children_share);
	rc = fake_ioctl(fd, request, arg);
	__real_pthread_mutex_unlock(&lock);
	return rc;
}

void *gntshr_sys_mmap(int fd, size_t size, uint64_t offset)
{
	bool window = offset & GNTALLOC_WINDOW;
	unsigned char *addr;

	if (window)
		__atomic_add_fetch(&fake.windows_asked, 1, __ATOMIC_RELAXED);
	/* As the stock driver. */
	if (window && !fake.has_windows) {
		errno = ENOENT;
		return MAP_FAILED;
	}
	if (fake_fails(window ? FAKE_WINDOW : FAKE_MMAP))
		return MAP_FAILED;
	__real_pthread_mutex_lock(&lock);
	assert(*file(fd) == OPEN || fake.children_share);
	if (window)
		addr = fake_window_make(fd, size, offset - GNTALLOC_WINDOW);
	else
		addr = fake_map(fd, size, offset);
	__real_pthread_mutex_unlock(&lock);
	return addr;
}

int gntshr_sys_munmap(void *addr, size_t size)
{
	if (fake_fails(FAKE_MUNMAP))
		return -1;
	__real_pthread_mutex_lock(&lock);
	if (!fake_window_unmap(addr, size))
		fake_unmap(addr, size);
	__real_pthread_mutex_unlock(&lock);
	return 0;
}

/* As madvise(), which may have come far before it fails. */
int gntshr_sys_empty(void *addr, size_t size)
{
	bool fails = fake_fails(FAKE_EMPTY);
	int error = errno;

	__real_pthread_mutex_lock(&lock);
	fake_window_empty(addr, size);
	__real_pthread_mutex_unlock(&lock);
	errno = error;
	return fails ? -1 : 0;
}

/* All of them first, as calls change what there is. */
int gntshr_sys_mappings(int fd, gntshr_mapping_fn *found, void *arg)
{
	static struct gntshr_mapping mappings[FAKE_PAGES];
	int error = fake_fails(FAKE_MAPPINGS) ? errno : 0;
	unsigned int n;

	__real_pthread_mutex_lock(&lock);
	assert(*file(fd));
	n = fake_window_list(mappings);
	for (unsigned int i = 0; i < fake_next_page; i++) {
		const struct fake_page *page = &fake_pages[i];

		if (!page->addr || page->in_window)
			continue;
		if (i && page[-1].addr && page[-1].mapping == page->mapping)
			mappings[n - 1].size += GNTSHR_PAGE_SIZE;
		else
			mappings[n++] = (struct gntshr_mapping){
				.addr = (char *)page->addr,
				.size = GNTSHR_PAGE_SIZE,
				.offset = (uint64_t)i * GNTSHR_PAGE_SIZE,
			};
	}
	__real_pthread_mutex_unlock(&lock);
	if (error && n > fake.mappings_told)
		n = fake.mappings_told;
	for (unsigned int i = 0; i < n; i++)
		if (found(arg, &mappings[i]) && !error)
			error = errno;
	if (!error)
		return 0;
	errno = error;
	return -1;
}

/* ---- fork ---- */

static void before_fork(void)
{
	__real_pthread_mutex_lock(&lock);
}

static void in_parent(void)
{
	__real_pthread_mutex_unlock(&lock);
}

static void in_child(void)
{
	for (int i = 0; i < FILES; i++)
		if (files[i] == OPEN)
			files[i] = INHERITED;
	for (unsigned int i = 0; i < fake_next_page; i++)
		fake_pages[i].fd = FAKE_PARENT;
	fake.listed = 0;
	fake.inherited = fake_next_page - fake.released;
	__real_pthread_mutex_unlock(&lock);
}

/* Right before the library's, so that its own locks are taken first. */
void fake_register_fork_handlers(void)
{
	assert(!__real_pthread_atfork(before_fork, in_parent, in_child));
}

void fake_become_child(void)
{
	fake_fork_handlers.before();
	before_fork();
	in_child();
	fake_fork_handlers.in_child();
}

/* ---- for the tests ---- */

void fake_program_unmaps(void *addr, size_t size)
{
	unsigned char *first = addr;

	__real_pthread_mutex_lock(&lock);
	fake.meddled = true;
	fake_window_cut(first, size);
	for (unsigned int i = 0; i < fake_next_page; i++) {
		struct fake_page *page = &fake_pages[i];

		if (page->addr < first || page->addr >= first + size)
			continue;
		page->addr = NULL;
		fake.mapped--;
		fake_settle(page);
	}
	assert(!munmap(addr, size));
	__real_pthread_mutex_unlock(&lock);
}

int fake_setup(void **state)
{
	(void)state;
	fake_device_setup();
	fake_windows_setup();
	memset(files, 0, sizeof(files));
	fake = (struct fake){ .page_size = GNTSHR_PAGE_SIZE,
			      .fail_errno = EXFULL };
	fake_message[0] = 0;
	fake_messages = 0;
	return 0;
}

int fake_teardown(void **state)
{
	(void)state;
	assert_int_equal(fake.open, 0);
	assert_int_equal(fake.listed, 0);
	assert_int_equal(fake.mapped, 0);
	assert_int_equal(fake.windows, 0);
	assert_int_equal(fake.released + fake.inherited, fake_next_page);
	/* What runs at exit, as the count of lines, is not to fail. */
	fake.fail_at = 0;
	return 0;
}
