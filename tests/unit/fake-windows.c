// SPDX-License-Identifier: LGPL-2.1-or-later
/* The windows of our driver, by the rules of kmod/mmap.c. */

#undef NDEBUG
#include <assert.h>
#include <sys/mman.h>

#include "fake-windows.h"

#define PAGE GNTSHR_PAGE_SIZE
#define WINDOWS 256

/* A window, or what the program left of it; free if it has no pages. */
static struct window {
	unsigned char *addr;
	unsigned int first, count;
	int fd;
} windows[WINDOWS];

static unsigned char *nowhere(void *addr, size_t size)
{
	unsigned char *got = mmap(addr, size, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
					  (addr ? MAP_FIXED : 0),
				  -1, 0);

	assert(got != MAP_FAILED);
	return got;
}

static void add(struct window window)
{
	int i = 0;

	while (windows[i].count) {
		i++;
		assert(i < WINDOWS);
	}
	windows[i] = window;
}

void *fake_window_make(int fd, size_t size, uint64_t index)
{
	unsigned char *addr = nowhere(fake.window_place, size);

	fake.window_place = NULL;
	assert(size % PAGE == 0 && index % PAGE == 0);
	add((struct window){ .addr = addr,
			     .first = (unsigned int)(index / PAGE),
			     .count = (unsigned int)(size / PAGE),
			     .fd = fd });
	fake.windows++;
	return addr;
}

static struct window *find_window(const unsigned char *addr, size_t size)
{
	for (int i = 0; i < WINDOWS; i++) {
		struct window *window = &windows[i];
		size_t length = (size_t)window->count * PAGE;

		if (window->count && addr >= window->addr &&
		    addr < window->addr + length)
			return size <= length - (size_t)(addr - window->addr)
				       ? window
				       : NULL;
	}
	return NULL;
}

int fake_window_map(int fd, const struct ioctl_gntalloc_map_gref *op)
{
	unsigned char *addr = (unsigned char *)(uintptr_t)op->addr;
	size_t size = (size_t)op->count * PAGE;
	struct window *window = find_window(addr, size);
	struct fake_page *page;
	uint32_t i;

	assert(op->count && !op->pad && !((op->index | op->addr) % PAGE));
	if (!window || window->fd != fd ||
	    op->index / PAGE !=
		    window->first + (size_t)(addr - window->addr) / PAGE) {
		errno = EINVAL;
		return -1;
	}
	page = fake_find(fd, op->index, op->count);
	if (!page) {
		errno = ENOENT;
		return -1;
	}
	for (i = 0; i < op->count; i++)
		if (page[i].addr) {
			assert(page[i].in_window);
			errno = EBUSY;
			return -1;
		}
	assert(mmap(addr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		    fake_memory_fd, (off_t)op->index) == addr);
	for (i = 0; i < op->count; i++, page++) {
		page->addr = addr + (size_t)i * PAGE;
		page->in_window = true;
		fake.mapped++;
	}
	return 0;
}

static unsigned int page_at(const struct window *window,
			    const unsigned char *addr)
{
	return window->first + (unsigned int)((addr - window->addr) / PAGE);
}

/*
 * What is in @window from @addr on is mapped no more. If a mapping goes with
 * it the driver sees that, and what nobody lists or maps is released.
 */
static void take_out(const struct window *window, unsigned char *addr,
		     size_t size, bool seen)
{
	for (; size; addr += PAGE, size -= PAGE) {
		struct fake_page *page = &fake_pages[page_at(window, addr)];

		if (page >= fake_pages + fake_next_page)
			break;
		if (page->in_window && page->addr == addr) {
			page->in_window = false;
			page->addr = NULL;
			fake.mapped--;
		}
		if (seen && page->fd == window->fd)
			fake_settle(page);
	}
}

void fake_window_empty(unsigned char *addr, size_t size)
{
	struct window *window = find_window(addr, size);

	if (!window) {
		assert(fake.meddled);
		return;
	}
	take_out(window, addr, size, false);
	nowhere(addr, size);
}

void fake_window_cut(unsigned char *addr, size_t size)
{
	struct window *window = find_window(addr, size), behind;

	if (!window)
		return;
	take_out(window, addr, size, true);
	behind = *window;
	behind.addr = addr + size;
	behind.first = page_at(window, behind.addr);
	behind.count = window->first + window->count - behind.first;
	window->count = page_at(window, addr) - window->first;
	fake.windows += !!window->count + !!behind.count - 1;
	if (behind.count)
		add(behind);
}

unsigned int fake_window_list(struct gntshr_mapping *mappings)
{
	unsigned int n = 0;

	for (int i = 0; i < WINDOWS; i++)
		if (windows[i].count)
			mappings[n++] = (struct gntshr_mapping){
				.addr = (char *)windows[i].addr,
				.size = (size_t)windows[i].count * PAGE,
				.offset = (uint64_t)windows[i].first * PAGE,
			};
	return n;
}

bool fake_window_unmap(unsigned char *addr, size_t size)
{
	bool there = false;

	for (int i = 0; i < WINDOWS; i++) {
		struct window *window = &windows[i];
		unsigned char *end;

		if (!window->count)
			continue;
		end = window->addr + (size_t)window->count * PAGE;
		if (end <= addr || window->addr >= addr + size)
			continue;
		/* All of it, or the library unmaps what it does not know. */
		assert(window->addr >= addr && end <= addr + size);
		take_out(window, window->addr, (size_t)window->count * PAGE,
			 true);
		window->count = 0;
		fake.windows--;
		there = true;
	}
	if (!there)
		return false;
	for (unsigned int i = 0; i < fake_next_page; i++)
		assert(fake_pages[i].addr < addr ||
		       fake_pages[i].addr >= addr + size);
	assert(!munmap(addr, size));
	return true;
}

/* What a test that failed has left behind goes. */
void fake_windows_setup(void)
{
	for (int i = 0; i < WINDOWS; i++) {
		if (windows[i].count)
			munmap(windows[i].addr,
			       (size_t)windows[i].count * PAGE);
		windows[i].count = 0;
	}
}
