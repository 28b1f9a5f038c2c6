// SPDX-License-Identifier: LGPL-2.1-or-later

#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/gntalloc.h>
#include <xentoollog.h>

#include "fake-steps.h"
#include "fake.h"
#include "../../kmod/xen-gntalloc.h"

#define FILES 16

/*
 * A descriptor that came through fork: pages and notifications behind it are
 * the parent's, only the mappings are ours.
 */
enum file { FREE, OPEN, INHERITED };
/* The descriptor of pages that came that way. */
#define PARENT (-1)

struct fake fake;
char fake_message[1024];
unsigned int fake_messages;

/* Guards all below. The library calls with its own locks held. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum file files[FILES];
static struct fake_page pages[FAKE_PAGES];
static unsigned int next_page;
/* All pages in a row, and how the peer sees them. */
static int memory_fd = -1;
static unsigned char *memory;

static void settle(struct fake_page *page)
{
	if (page->released || page->listed || page->addr || page->fd == PARENT)
		return;
	if (page->action & UNMAP_NOTIFY_CLEAR_BYTE) {
		page->bytes[page->offset] = 0;
		fake.cleared++;
	}
	if (page->action & UNMAP_NOTIFY_SEND_EVENT)
		fake.events++;
	page->released = true;
	fake.released++;
}

static void delist(struct fake_page *page)
{
	page->listed = false;
	fake.listed--;
	settle(page);
}

static struct fake_page *find(int fd, uint64_t index, uint64_t count)
{
	uint64_t first = index / GNTSHR_PAGE_SIZE, i;

	for (i = first; i < first + count; i++)
		if (i >= next_page || !pages[i].listed || pages[i].fd != fd)
			return NULL;
	return &pages[first];
}

static int device_alloc(int fd, struct ioctl_gntalloc_alloc_gref *op)
{
	uint32_t i;

	fake.domid = op->domid;
	fake.flags = op->flags;
	fake.count = op->count;
	if (op->count > FAKE_PAGES - next_page) {
		errno = ENOSPC;
		return -1;
	}
	op->index = (uint64_t)next_page * GNTSHR_PAGE_SIZE;
	for (i = 0; i < op->count; i++, next_page++) {
		unsigned char *bytes =
			memory + (size_t)next_page * GNTSHR_PAGE_SIZE;

		memset(bytes, 0, GNTSHR_PAGE_SIZE);
		pages[next_page] = (struct fake_page){ .bytes = bytes,
						       .fd = fd,
						       .listed = true };
		op->gref_ids[i] = FAKE_FIRST_REF + next_page;
	}
	fake.listed += op->count;
	return 0;
}

static int device_dealloc(int fd, const struct ioctl_gntalloc_dealloc_gref *op)
{
	struct fake_page *page = find(fd, op->index, op->count);

	if (!page || !op->count) {
		errno = EINVAL;
		return -1;
	}
	for (uint32_t i = 0; i < op->count; i++)
		delist(&page[i]);
	return 0;
}

static int device_notify(int fd, const struct ioctl_gntalloc_unmap_notify *op)
{
	struct fake_page *page = find(fd, op->index, 1);

	if (!page) {
		errno = ENOENT;
		return -1;
	}
	if (op->action & UNMAP_NOTIFY_SEND_EVENT &&
	    op->event_channel_port != FAKE_PORT) {
		errno = EINVAL;
		return -1;
	}
	page->action = op->action;
	page->offset = op->index % GNTSHR_PAGE_SIZE;
	return 0;
}

static int device_ioctl(int fd, unsigned long request, void *arg)
{
	switch (request) {
	case IOCTL_GNTALLOC_ALLOC_GREF:
		return fake_fails(FAKE_ALLOC) ? -1 : device_alloc(fd, arg);
	case IOCTL_GNTALLOC_DEALLOC_GREF:
		return fake_fails(FAKE_DEALLOC) ? -1 : device_dealloc(fd, arg);
	case IOCTL_GNTALLOC_SET_UNMAP_NOTIFY:
		return fake_fails(FAKE_NOTIFY) ? -1 : device_notify(fd, arg);
	default:
		assert(!"an ioctl that the driver knows");
		return -1;
	}
}

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
	pthread_mutex_lock(&lock);
	while (files[i] != FREE)
		assert(++i < FILES);
	files[i] = OPEN;
	fake.open++;
	pthread_mutex_unlock(&lock);
	return FAKE_FD + i;
}

int gntshr_sys_close(int fd)
{
	pthread_mutex_lock(&lock);
	*file(fd) = FREE;
	fake.open--;
	for (unsigned int i = 0; i < next_page; i++)
		if (pages[i].fd == fd && pages[i].listed)
			delist(&pages[i]);
	pthread_mutex_unlock(&lock);
	/* As the real one does: an error, and closed nevertheless. */
	return fake_fails(FAKE_CLOSE) ? -1 : 0;
}

int gntshr_sys_ioctl(int fd, unsigned long request, void *arg)
{
	int rc;

	if (request == IOCTL_GNTALLOC_DEALLOC_GREF && fake.meanwhile)
		fake.meanwhile();
	pthread_mutex_lock(&lock);
	assert(*file(fd) == OPEN || fake.children_share);
	rc = device_ioctl(fd, request, arg);
	pthread_mutex_unlock(&lock);
	return rc;
}

void *gntshr_sys_mmap(int fd, size_t size, uint64_t offset)
{
	struct fake_page *page;
	unsigned char *addr;

	/* As the stock driver, which has no windows. */
	if (offset & GNTALLOC_WINDOW) {
		errno = ENOENT;
		return MAP_FAILED;
	}
	if (fake_fails(FAKE_MMAP))
		return MAP_FAILED;
	pthread_mutex_lock(&lock);
	assert(*file(fd) == OPEN || fake.children_share);
	page = find(fd, offset, size / GNTSHR_PAGE_SIZE);
	assert(page);
	addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd,
		    (off_t)offset);
	assert(addr != MAP_FAILED);
	for (size_t i = 0; i < size; i += GNTSHR_PAGE_SIZE, page++) {
		page->addr = addr + i;
		fake.mapped++;
	}
	pthread_mutex_unlock(&lock);
	return addr;
}

int gntshr_sys_munmap(void *addr, size_t size)
{
	struct fake_page *page;

	if (fake_fails(FAKE_MUNMAP))
		return -1;
	pthread_mutex_lock(&lock);
	page = pages + next_page;
	do
		assert(--page >= pages);
	while (page->addr != addr);
	assert(!munmap(addr, size));
	for (size_t i = 0; i < size; i += GNTSHR_PAGE_SIZE, page++) {
		assert(page->addr == (unsigned char *)addr + i);
		page->addr = NULL;
		fake.mapped--;
		settle(page);
	}
	pthread_mutex_unlock(&lock);
	return 0;
}

int gntshr_sys_empty(void *addr, size_t size)
{
	(void)addr, (void)size;
	assert(!"a window");
	return -1;
}

long gntshr_sys_page_size(void)
{
	return fake.page_size;
}

bool gntshr_sys_exists(const char *path)
{
	for (int i = 0; i < 2; i++)
		if (fake.there[i] && !strcmp(path, fake.there[i]))
			return true;
	return false;
}

int gntshr_sys_parameter(const char *name, unsigned long *value)
{
	if (!strcmp(name, "limit") && fake.limit) {
		*value = fake.limit;
		return 0;
	}
	if (!strcmp(name, "used") && fake.tells_used) {
		*value = next_page - fake.released;
		return 0;
	}
	errno = ENOENT;
	return -1;
}

int gntshr_sys_grant_frames(uint32_t *used, uint32_t *max)
{
	if (!fake.hypercalls) {
		errno = EACCES;
		return -1;
	}
	*used = fake.frames;
	*max = fake.max_frames;
	return 0;
}

/* ---- fork ---- */

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void in_child(void)
{
	for (int i = 0; i < FILES; i++)
		if (files[i] == OPEN)
			files[i] = INHERITED;
	for (unsigned int i = 0; i < next_page; i++)
		pages[i].fd = PARENT;
	fake.listed = 0;
	fake.inherited = next_page - fake.released;
	pthread_mutex_unlock(&lock);
}

void fake_become_child(void)
{
	fake_fork_handlers.before();
	before_fork();
	in_child();
	fake_fork_handlers.in_child();
}

/* ---- for the tests ---- */

const struct fake_page *fake_page(uint32_t ref)
{
	assert(ref >= FAKE_FIRST_REF && ref < FAKE_FIRST_REF + next_page);
	return &pages[ref - FAKE_FIRST_REF];
}

static void keep(struct xentoollog_logger *logger, xentoollog_level level,
		 int errnoval, const char *context, const char *format,
		 va_list args)
{
	(void)logger;
	assert(level == XTL_ERROR);
	assert(!strcmp(context, "gntshr"));
	assert(errnoval);
	vsnprintf(fake_message, sizeof(fake_message), format, args);
	fake_messages++;
	errno = EDOM;
}

struct xentoollog_logger *fake_logger(void)
{
	static struct xentoollog_logger logger = { .vmessage = keep };

	return &logger;
}

static void make_memory(void)
{
	size_t size = (size_t)FAKE_PAGES * GNTSHR_PAGE_SIZE;

	memory_fd = memfd_create("fake", MFD_CLOEXEC);
	assert(memory_fd != -1 && !ftruncate(memory_fd, (off_t)size));
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd,
		      0);
	assert(memory != MAP_FAILED);
	/* Before the library, so that its own locks are taken first. */
	assert(!__real_pthread_atfork(before_fork, in_parent, in_child));
}

int fake_setup(void **state)
{
	(void)state;
	if (!memory)
		make_memory();
	/* What a test that failed has left behind. */
	for (unsigned int i = 0; i < next_page; i++)
		if (pages[i].addr)
			munmap(pages[i].addr, GNTSHR_PAGE_SIZE);
	memset(files, 0, sizeof(files));
	next_page = 0;
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
	assert_int_equal(fake.released + fake.inherited, next_page);
	/* What runs at exit, as the count of lines, is not to fail. */
	fake.fail_at = 0;
	return 0;
}
