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

#include "fake-arena.h"
#include "fake-device.h"
#include "fake-steps.h"
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
static bool cloexec[FILES];

static enum file *file(int fd)
{
	assert(fd >= FAKE_FD && fd < FAKE_FD + FILES);
	assert(files[fd - FAKE_FD] != FREE);
	return &files[fd - FAKE_FD];
}

static int new_file(bool closes_on_exec)
{
	int i = 0;

	__real_pthread_mutex_lock(&lock);
	while (files[i] != FREE) {
		i++;
		assert(i < FILES);
	}
	files[i] = OPEN;
	cloexec[i] = closes_on_exec;
	fake.open++;
	__real_pthread_mutex_unlock(&lock);
	return FAKE_FD + i;
}

/* ---- in place of sys.c ---- */

int gntshr_sys_open(const char *path, int flags)
{
	assert(!strcmp(path, "/dev/xen/gntalloc"));
	assert(flags == (O_RDWR | O_CLOEXEC));
	return fake_fails(FAKE_OPEN) ? -1 : new_file(true);
}

/* What all requests on files of others come to. */
static int wrong_file(int fd, unsigned long request)
{
	switch (fd) {
	case FAKE_OTHER_FD:
		errno = ENOTTY;
		break;
	case FAKE_GNTDEV_FD:
		errno = request == IOCTL_GNTALLOC_SET_UNMAP_NOTIFY ? ENOENT
								   : ENOTTY;
		break;
	case FAKE_RANDOM_FD:
		errno = EINVAL;
		break;
	default:
		errno = EBADF;
		assert(fd == FAKE_CLOSED_FD);
	}
	return -1;
}

int gntshr_sys_fcntl(int fd, int command, int arg)
{
	if (fake_fails(FAKE_FCNTL))
		return -1;
	if (fd == FAKE_CLOSED_FD)
		return wrong_file(fd, 0);
	if (command == F_GETFL)
		return fake.open_mode | O_LARGEFILE;
	assert(command == F_SETFD && arg == FD_CLOEXEC);
	assert(*file(fd) == OPEN);
	cloexec[fd - FAKE_FD] = true;
	return 0;
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
	fake_arenas_close(fd);
	fake_borrow_close(fd);
	__real_pthread_mutex_unlock(&lock);
	/* As the real one does: an error, and closed nevertheless. */
	return fake_fails(FAKE_CLOSE) ? -1 : 0;
}

int gntshr_sys_ioctl(int fd, unsigned long request, void *arg)
{
	int rc;

	if (fd < FAKE_FD)
		return wrong_file(fd, request);
	__real_pthread_mutex_lock(&lock);
	assert(*file(fd) == OPEN || fake.children_share);
	if (*file(fd) == INHERITED && (request == IOCTL_GNTALLOC_SHARE ||
				       request == IOCTL_GNTALLOC_UNSHARE)) {
		errno = EPERM;
		rc = -1;
	} else {
		rc = fake_ioctl(fd, request, arg);
	}
	__real_pthread_mutex_unlock(&lock);
	return rc;
}

void *gntshr_sys_mmap(void *hint, int fd, size_t size, uint64_t offset)
{
	bool arena = offset & GNTALLOC_ARENA;
	unsigned char *addr = MAP_FAILED;

	if (arena)
		__atomic_add_fetch(&fake.arenas_asked, 1, __ATOMIC_RELAXED);
	/* As the stock driver. */
	if (arena && !fake.has_arenas) {
		errno = ENOENT;
		return MAP_FAILED;
	}
	if (fake_fails(arena ? FAKE_ARENA : FAKE_MMAP))
		return MAP_FAILED;
	__real_pthread_mutex_lock(&lock);
	assert(*file(fd) == OPEN || fake.children_share);
	if (!arena)
		addr = fake_map(hint, fd, size, offset);
	else if (*file(fd) == OPEN && !fake.no_arena)
		addr = fake_arena_make(hint, fd, size, offset);
	else
		errno = EPERM;
	__real_pthread_mutex_unlock(&lock);
	return addr;
}

/* Whatever was there, the kernel does not mind; the library should. */
int gntshr_sys_munmap(void *addr, size_t size)
{
	size_t cut;

	if (fake_fails(FAKE_MUNMAP))
		return -1;
	__real_pthread_mutex_lock(&lock);
	cut = fake_arena_cut(addr, size);
	assert(!cut || cut == size || fake.meddled);
	if (cut)
		assert(!munmap(addr, size));
	else
		fake_unmap(addr, size);
	__real_pthread_mutex_unlock(&lock);
	return 0;
}

/* All of them first, as calls change what there is. */
int gntshr_sys_mappings(int fd, gntshr_mapping_fn *found, void *arg)
{
	static struct gntshr_mapping mappings[FAKE_PAGES];
	int error = fake_fails(FAKE_MAPPINGS) ? errno : 0;
	unsigned int n;

	__real_pthread_mutex_lock(&lock);
	fake.looks++;
	assert(*file(fd));
	n = fake_arena_list(mappings);
	for (unsigned int i = 0; i < fake_next_page; i++) {
		const struct fake_page *page = &fake_pages[i];

		if (!page->addr || page->in_arena)
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
	fake_arenas_copied();
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

void fake_fork(void)
{
	fake_fork_handlers.before();
	before_fork();
	in_parent();
	fake_fork_handlers.in_parent();
}

/* ---- for the tests ---- */

int fake_open(void)
{
	return new_file(false);
}

bool fake_is_cloexec(int fd)
{
	return cloexec[fd - FAKE_FD];
}

void fake_program_unmaps(void *addr, size_t size)
{
	unsigned char *first = addr;

	__real_pthread_mutex_lock(&lock);
	fake.meddled = true;
	fake_arena_cut(first, size);
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
	fake_arenas_setup();
	memset(files, 0, sizeof(files));
	fake = (struct fake){ .page_size = GNTSHR_PAGE_SIZE,
			      .fail_errno = EXFULL,
			      .open_mode = O_RDWR,
			      .decays = true };
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
	assert_int_equal(fake.arenas, 0);
	assert_int_equal(fake.spare, 0);
	assert_int_equal(fake.released + fake.inherited, fake_next_page);
	/* What runs at exit, as the count of lines, is not to fail. */
	fake.fail_at = 0;
	return 0;
}
