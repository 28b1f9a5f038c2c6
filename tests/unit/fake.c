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
#include "fake-windows.h"
#include "fake.h"

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
struct fake_page fake_pages[FAKE_PAGES];
unsigned int fake_next_page;
/* All pages in a row, and how the peer sees them. */
int fake_memory_fd = -1;
static unsigned char *memory;

void fake_settle(struct fake_page *page)
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
	fake_settle(page);
}

struct fake_page *fake_find(int fd, uint64_t index, uint64_t count)
{
	uint64_t first = index / GNTSHR_PAGE_SIZE, i;

	for (i = first; i < first + count; i++)
		if (i >= fake_next_page || !fake_pages[i].listed ||
		    fake_pages[i].fd != fd)
			return NULL;
	return &fake_pages[first];
}

static int device_alloc(int fd, struct ioctl_gntalloc_alloc_gref *op)
{
	uint32_t i;

	fake.domid = op->domid;
	fake.flags = op->flags;
	fake.count = op->count;
	if (op->count > FAKE_PAGES - fake_next_page) {
		errno = ENOSPC;
		return -1;
	}
	op->index = (uint64_t)fake_next_page * GNTSHR_PAGE_SIZE;
	for (i = 0; i < op->count; i++, fake_next_page++) {
		unsigned char *bytes =
			memory + (size_t)fake_next_page * GNTSHR_PAGE_SIZE;

		memset(bytes, 0, GNTSHR_PAGE_SIZE);
		fake_pages[fake_next_page] = (struct fake_page){
			.bytes = bytes, .fd = fd, .listed = true
		};
		op->gref_ids[i] = FAKE_FIRST_REF + fake_next_page;
	}
	fake.listed += op->count;
	return 0;
}

static int device_dealloc(int fd, const struct ioctl_gntalloc_dealloc_gref *op)
{
	struct fake_page *page = fake_find(fd, op->index, op->count);

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
	struct fake_page *page = fake_find(fd, op->index, 1);

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
	case IOCTL_GNTALLOC_MAP_GREF:
		return fake_fails(FAKE_MAP) ? -1 : fake_window_map(fd, arg);
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

static void *map_pages(int fd, size_t size, uint64_t offset)
{
	struct fake_page *page = fake_find(fd, offset, size / GNTSHR_PAGE_SIZE);
	const struct fake_page *mapping = page;
	unsigned char *addr;

	assert(page);
	addr = mmap(fake.place, size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | (fake.place ? MAP_FIXED_NOREPLACE : 0),
		    fake_memory_fd, (off_t)offset);
	assert(addr != MAP_FAILED);
	fake.place = NULL;
	for (size_t i = 0; i < size; i += GNTSHR_PAGE_SIZE, page++) {
		page->addr = addr + i;
		page->mapping = mapping;
		fake.mapped++;
	}
	return addr;
}

static void unmap_pages(unsigned char *addr, size_t size)
{
	struct fake_page *page = fake_pages + fake_next_page;

	while (page > fake_pages && page[-1].addr != addr)
		page--;
	assert(!munmap(addr, size));
	if (page-- == fake_pages) {
		/* Whatever was there, the kernel does not mind. */
		assert(fake.meddled);
		return;
	}
	for (size_t i = 0; i < size; i += GNTSHR_PAGE_SIZE, page++) {
		assert(page->addr == addr + i);
		page->addr = NULL;
		fake.mapped--;
		fake_settle(page);
	}
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
	for (unsigned int i = 0; i < fake_next_page; i++)
		if (fake_pages[i].fd == fd && fake_pages[i].listed)
			delist(&fake_pages[i]);
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
	pthread_mutex_lock(&lock);
	assert(*file(fd) == OPEN || fake.children_share);
	if (window)
		addr = fake_window_make(fd, size, offset - GNTALLOC_WINDOW);
	else
		addr = map_pages(fd, size, offset);
	pthread_mutex_unlock(&lock);
	return addr;
}

int gntshr_sys_munmap(void *addr, size_t size)
{
	if (fake_fails(FAKE_MUNMAP))
		return -1;
	pthread_mutex_lock(&lock);
	if (!fake_window_unmap(addr, size))
		unmap_pages(addr, size);
	pthread_mutex_unlock(&lock);
	return 0;
}

int gntshr_sys_empty(void *addr, size_t size)
{
	if (fake_fails(FAKE_EMPTY))
		return -1;
	pthread_mutex_lock(&lock);
	fake_window_empty(addr, size);
	pthread_mutex_unlock(&lock);
	return 0;
}

/* All of them first, as calls change what there is. */
int gntshr_sys_mappings(int fd, gntshr_mapping_fn *found, void *arg)
{
	static struct gntshr_mapping mappings[FAKE_PAGES];
	unsigned int n;
	int error = 0;

	if (fake_fails(FAKE_MAPPINGS))
		return -1;
	pthread_mutex_lock(&lock);
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
	pthread_mutex_unlock(&lock);
	for (unsigned int i = 0; i < n; i++)
		if (found(arg, &mappings[i]) && !error)
			error = errno;
	errno = error ? error : errno;
	return error ? -1 : 0;
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
		*value = fake_next_page - fake.released;
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
	for (unsigned int i = 0; i < fake_next_page; i++)
		fake_pages[i].fd = PARENT;
	fake.listed = 0;
	fake.inherited = fake_next_page - fake.released;
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

void fake_program_unmaps(void *addr, size_t size)
{
	unsigned char *first = addr;

	pthread_mutex_lock(&lock);
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
	pthread_mutex_unlock(&lock);
}

const struct fake_page *fake_page(uint32_t ref)
{
	assert(ref >= FAKE_FIRST_REF && ref < FAKE_FIRST_REF + fake_next_page);
	return &fake_pages[ref - FAKE_FIRST_REF];
}

bool fake_skip(unsigned int count)
{
	if (fake_next_page + count > FAKE_PAGES / 2)
		return false;
	fake.released += count;
	while (count--)
		fake_pages[fake_next_page++] =
			(struct fake_page){ .fd = PARENT, .released = true };
	return true;
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

	fake_memory_fd = memfd_create("fake", MFD_CLOEXEC);
	assert(fake_memory_fd != -1 && !ftruncate(fake_memory_fd, (off_t)size));
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      fake_memory_fd, 0);
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
	for (unsigned int i = 0; i < fake_next_page; i++)
		if (fake_pages[i].addr)
			munmap(fake_pages[i].addr, GNTSHR_PAGE_SIZE);
	fake_windows_setup();
	memset(files, 0, sizeof(files));
	fake_next_page = 0;
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
