// SPDX-License-Identifier: LGPL-2.1-or-later

#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <xen/gntalloc.h>
#include <xentoollog.h>

#include "fake.h"

#define PAGES 4096

/* A page that was ever allocated, at its index; its reference follows from it.
 */
struct page {
	unsigned char *bytes;
	int fd;
	bool listed;
	unsigned int mapped;
	unsigned int action, offset;
};

struct fake fake;
char fake_message[1024];
unsigned int fake_messages;

static struct page pages[PAGES];
static unsigned int next_page;
static unsigned char *memory;

/* ---- failures ---- */

static bool fails(void)
{
	if (++fake.steps != fake.fail_at)
		return false;
	fake.failed = true;
	errno = fake.fail_errno;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_tsearch(const void *key, void **root,
		     int (*compare)(const void *, const void *));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_tsearch(const void *key, void **root,
		     int (*compare)(const void *, const void *));

/* Memory runs out in its own way, with its own errno. */
static bool memory_fails(void)
{
	if (!fails())
		return false;
	errno = fake.fail_errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return memory_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return memory_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_tsearch(const void *key, void **root,
		     int (*compare)(const void *, const void *))
{
	return memory_fails() ? NULL : __real_tsearch(key, root, compare);
}

/* ---- the device ---- */

static void settle(struct page *page)
{
	if (!page->bytes || page->listed || page->mapped)
		return;
	if (page->action & UNMAP_NOTIFY_CLEAR_BYTE) {
		page->bytes[page->offset] = 0;
		fake.cleared++;
	}
	if (page->action & UNMAP_NOTIFY_SEND_EVENT)
		fake.events++;
	page->bytes = NULL;
	fake.released++;
}

static struct page *find(int fd, uint64_t index, uint64_t count)
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
	if (op->count > PAGES - next_page) {
		errno = ENOSPC;
		return -1;
	}
	op->index = (uint64_t)next_page * GNTSHR_PAGE_SIZE;
	for (i = 0; i < op->count; i++, next_page++) {
		struct page *page = &pages[next_page];

		page->bytes = memory + (size_t)next_page * GNTSHR_PAGE_SIZE;
		page->fd = fd;
		page->listed = true;
		op->gref_ids[i] = FAKE_FIRST_REF + next_page;
	}
	fake.listed += op->count;
	return 0;
}

static int device_dealloc(int fd, const struct ioctl_gntalloc_dealloc_gref *op)
{
	struct page *page = find(fd, op->index, op->count);
	uint32_t i;

	if (!page || !op->count) {
		errno = EINVAL;
		return -1;
	}
	for (i = 0; i < op->count; i++) {
		page[i].listed = false;
		settle(&page[i]);
	}
	fake.listed -= op->count;
	return 0;
}

static int device_notify(int fd, const struct ioctl_gntalloc_unmap_notify *op)
{
	struct page *page = find(fd, op->index, 1);

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

int gntshr_sys_open(const char *path, int flags)
{
	assert_string_equal(path, "/dev/xen/gntalloc");
	assert_int_equal(flags, O_RDWR | O_CLOEXEC);
	if (fails())
		return -1;
	return FAKE_FD + fake.open++;
}

int gntshr_sys_close(int fd)
{
	assert_int_equal(fd, FAKE_FD + --fake.open);
	for (unsigned int i = 0; i < next_page; i++) {
		if (pages[i].fd != fd)
			continue;
		fake.listed -= pages[i].listed;
		pages[i].listed = false;
		settle(&pages[i]);
	}
	/* As the real one does: an error, and closed nevertheless. */
	return fails() ? -1 : 0;
}

int gntshr_sys_ioctl(int fd, unsigned long request, void *arg)
{
	assert_in_range(fd, FAKE_FD, FAKE_FD + fake.open - 1);
	if (fails())
		return -1;
	switch (request) {
	case IOCTL_GNTALLOC_ALLOC_GREF:
		return device_alloc(fd, arg);
	case IOCTL_GNTALLOC_DEALLOC_GREF:
		return device_dealloc(fd, arg);
	case IOCTL_GNTALLOC_SET_UNMAP_NOTIFY:
		return device_notify(fd, arg);
	default:
		fail_msg("ioctl %#lx", request);
		return -1;
	}
}

void *gntshr_sys_mmap(int fd, size_t size, uint64_t offset)
{
	struct page *page = find(fd, offset, size / GNTSHR_PAGE_SIZE);

	assert_non_null(page);
	if (fails())
		return MAP_FAILED;
	for (size_t i = 0; i < size / GNTSHR_PAGE_SIZE; i++, fake.mapped++)
		page[i].mapped++;
	return memory + offset;
}

int gntshr_sys_munmap(void *addr, size_t size)
{
	size_t first =
		(size_t)((unsigned char *)addr - memory) / GNTSHR_PAGE_SIZE;

	assert_in_range(first, 0, next_page - 1);
	if (fails())
		return -1;
	for (size_t i = 0; i < size / GNTSHR_PAGE_SIZE; i++, fake.mapped--) {
		assert_int_equal(pages[first + i].mapped--, 1);
		settle(&pages[first + i]);
	}
	return 0;
}

long gntshr_sys_page_size(void)
{
	return fake.page_size;
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

unsigned char *fake_page(uint32_t ref)
{
	assert_in_range(ref, FAKE_FIRST_REF, FAKE_FIRST_REF + next_page - 1);
	return pages[ref - FAKE_FIRST_REF].bytes;
}

/* ---- for the tests ---- */

static void keep(struct xentoollog_logger *logger, xentoollog_level level,
		 int errnoval, const char *context, const char *format,
		 va_list args)
{
	(void)logger;
	assert_int_equal(level, XTL_ERROR);
	assert_string_equal(context, "gntshr");
	assert_int_not_equal(errnoval, 0);
	vsnprintf(fake_message, sizeof(fake_message), format, args);
	fake_messages++;
	errno = EDOM;
}

struct xentoollog_logger *fake_logger(void)
{
	static struct xentoollog_logger logger = { .vmessage = keep };

	return &logger;
}

int fake_setup(void **state)
{
	(void)state;
	if (!memory)
		memory = mmap(NULL, (size_t)PAGES * GNTSHR_PAGE_SIZE,
			      PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -1;
	memset(memory, 0, (size_t)next_page * GNTSHR_PAGE_SIZE);
	memset(pages, 0, sizeof(pages));
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
	assert_int_equal(fake.released, next_page);
	return 0;
}
