// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What libxengnttab does not promise, and programs rely on: a share is its
 * mapping. So libgntshr in its place has to keep to it, also where pages stay
 * mapped for the next share.
 */

#include "test-calls.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define SIZE(count) ((size_t)(count)*PAGE)

static unsigned char *share(uint32_t count)
{
	unsigned char *pages =
		gntshr_share_pages(h, remote_domid(), count, refs, 1);

	assert_non_null(pages);
	for (size_t n = 0; n < SIZE(count); n++)
		assert_int_equal(pages[n], 0);
	memset(pages, 0xA5, SIZE(count));
	return pages;
}

/* So the share of a case meets pages that served before, if any can. */
static void warm_up(void)
{
	for (int i = 0; i < 3; i++)
		assert_int_equal(gntshr_unshare(h, share(4), 4), 0);
}

/* Whatever a case did, the next shares are as good as new ones. */
static void still_shares(void)
{
	uint32_t kept[3][4];
	unsigned char *pages[3];
	long slot;

	for (int i = 0; i < 3; i++) {
		pages[i] = share(4);
		memcpy(kept[i], refs, sizeof(kept[i]));
	}
	for (int i = 0; i < 3; i++) {
		slot = remote_map("rw", kept[i], 4);
		assert_int_not_equal(slot, -1);
		assert_int_equal(remote("fill %ld %d", slot, i), 0);
		assert_int_equal(differing(pages[i], 4, (uint32_t)i), 0);
		assert_int_equal(remote("unmap %ld", slot), 0);
		assert_int_equal(gntshr_unshare(h, pages[i], 4), 0);
	}
}

static void assert_shared(const uint32_t *of, uint32_t count)
{
	assert_int_equal(remote_try(of, count), count);
}

void munmap_ends_a_share(void **state)
{
	uint32_t ref;
	unsigned char *page;
	long slot;

	(void)state;
	warm_up();
	page = gntshr_share_page_notify(h, remote_domid(), &ref, 1, OFFSET,
					-1u);
	assert_non_null(page);
	memset(page, 0xFF, PAGE);
	slot = remote_map("ro", &ref, 1);
	assert_int_not_equal(slot, -1);
	assert_int_equal(remote("byte %ld %u", slot, OFFSET), 0xFF);
	assert_int_equal(munmap(page, PAGE), 0);
	assert_int_equal(remote("byte %ld %u", slot, OFFSET), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	assert_ended(&ref);
	still_shares();
}

/* The stock driver gives nothing back until all of it is gone. */
void parts_go_one_by_one(void **state)
{
	unsigned char *pages;

	(void)state;
	warm_up();
	pages = share(6);
	assert_int_equal(munmap(pages + SIZE(2), SIZE(2)), 0);
	assert_shared(refs, 2);
	assert_shared(refs + 4, 2);
	assert_int_equal(pages[0] & pages[SIZE(6) - 1], 0xA5);
	assert_int_equal(gntshr_unshare(h, pages, 1), 0);
	assert_shared(refs + 1, 1);
	assert_shared(refs + 4, 2);
	assert_int_equal(pages[SIZE(1)], 0xA5);
	assert_int_equal(gntshr_unshare(h, pages + SIZE(1), 5), 0);
	for (int i = 0; i < 6; i++)
		assert_ended(&refs[i]);
	still_shares();
}

void two_shares_go_at_once(void **state)
{
	unsigned char *pages[2];
	uint32_t kept[2];

	(void)state;
	warm_up();
	for (int i = 0; i < 2; i++) {
		pages[i] = share(1);
		kept[i] = refs[0];
	}
	if (pages[1] == pages[0] + PAGE || pages[0] == pages[1] + PAGE) {
		unsigned char *first = pages[pages[1] < pages[0]];

		assert_int_equal(gntshr_unshare(h, first, 2), 0);
	} else {
		assert_int_equal(gntshr_unshare(h, pages[0], 1), 0);
		assert_int_equal(gntshr_unshare(h, pages[1], 1), 0);
	}
	assert_ended(&kept[0]);
	assert_ended(&kept[1]);
	still_shares();
}

void a_share_outlives_its_handle(void **state)
{
	gntshr_handle *other = h;
	unsigned char *pages[2];
	uint32_t kept[2];
	long slot;

	(void)state;
	warm_up();
	for (int i = 0; i < 2; i++) {
		pages[i] = share(1);
		kept[i] = refs[0];
	}
	h = gntshr_open(NULL, 0);
	assert_non_null(h);
	assert_int_equal(gntshr_close(other), 0);
	slot = remote_map("rw", kept, 2);
	assert_int_not_equal(slot, -1);
	assert_int_equal(remote("fill %ld 3", slot), 0);
	assert_int_equal(differing(pages[0], 1, 3), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	/* That handle is another one. */
	assert_int_equal(gntshr_unshare(h, pages[0], 1), 0);
	assert_int_equal(munmap(pages[1], PAGE), 0);
	still_shares();
	assert_ended(&kept[0]);
	assert_ended(&kept[1]);
}

static void assert_gone(void *addr, size_t size)
{
	assert_errno(msync(addr, size, MS_ASYNC), ENOMEM);
}

static int be_child(unsigned char *pages, int from)
{
	unsigned char *own;
	uint32_t ref;
	char byte;

	if (read(from, &byte, 1) != 1 || pages[0] != 0xA5)
		return 1;
	memset(pages, 0x3C, SIZE(2));
	own = gntshr_share_pages(h, remote_domid(), 1, &ref, 1);
	if (!own || own[0] || gntshr_unshare(h, own, 1))
		return 2;
	if (read(from, &byte, 1) != 1)
		return 3;
	return gntshr_unshare(h, pages, 2) ? 4 : 0;
}

static void parent_goes_first(pid_t child, unsigned char *pages, int to)
{
	uint32_t kept[2] = { refs[0], refs[1] };
	int status;
	long slot;

	assert_int_not_equal(child, -1);
	assert_int_equal(gntshr_unshare(h, pages, 2), 0);
	assert_gone(pages, SIZE(2));
	still_shares();
	slot = remote_map("ro", kept, 2);
	assert_int_not_equal(slot, -1);
	assert_int_equal(remote("byte %ld 0", slot), 0xA5);
	assert_int_equal(write(to, "", 1), 1);
	for (int i = 0; i < PATIENCE_MS / 10; i++)
		if (remote("byte %ld %zu", slot, SIZE(2) - 1) == 0x3C)
			break;
	assert_int_equal(remote("byte %ld %zu", slot, SIZE(2) - 1), 0x3C);
	assert_int_equal(remote("unmap %ld", slot), 0);
	assert_int_equal(write(to, "", 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_ended(&kept[0]);
	assert_ended(&kept[1]);
}

static void with_child(bool behind_libc)
{
	unsigned char *pages;
	int to[2];
	pid_t pid;

	warm_up();
	pages = share(2);
	assert_int_equal(pipe(to), 0);
	pid = behind_libc ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)
			  : fork();
	if (!pid)
		_exit(be_child(pages, to[0]));
	parent_goes_first(pid, pages, to[1]);
	close(to[0]);
	close(to[1]);
}

void a_child_has_its_own_end(void **state)
{
	(void)state;
	with_child(false);
}

/* No handler is called. */
void so_has_a_clone(void **state)
{
	(void)state;
	with_child(true);
}

static void put_there(void *addr, size_t size)
{
	assert_ptr_equal(mmap(addr, size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 addr);
	memset(addr, 0x77, size);
}

/* What is where it was is not the share. */
void a_share_can_be_moved(void **state)
{
	unsigned char *pages, *moved;

	(void)state;
	warm_up();
	pages = share(2);
	moved = mmap(NULL, SIZE(2), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	assert_ptr_not_equal(moved, MAP_FAILED);
	assert_ptr_equal(mremap(pages, SIZE(2), SIZE(2),
				MREMAP_MAYMOVE | MREMAP_FIXED, moved),
			 moved);
	put_there(pages, SIZE(2));
	assert_int_equal(gntshr_unshare(h, pages, 2), 0);
	assert_gone(pages, SIZE(1));
	assert_shared(refs, 2);
	assert_int_equal(moved[0] & moved[SIZE(2) - 1], 0xA5);
	assert_int_equal(gntshr_unshare(h, moved, 2), 0);
	assert_gone(moved, SIZE(1));
	assert_ended(&refs[0]);
	assert_ended(&refs[1]);
	still_shares();
}

void a_share_can_be_covered(void **state)
{
	unsigned char *pages;
	uint32_t kept[2];

	(void)state;
	warm_up();
	pages = share(2);
	memcpy(kept, refs, sizeof(kept));
	put_there(pages, SIZE(2));
	assert_ended(&kept[0]);
	assert_ended(&kept[1]);
	still_shares();
	assert_int_equal(pages[0] & pages[SIZE(2) - 1], 0x77);
	assert_int_equal(gntshr_unshare(h, pages, 2), 0);
	assert_gone(pages, SIZE(1));
	still_shares();
}

void a_share_can_be_protected(void **state)
{
	unsigned char *pages;

	(void)state;
	warm_up();
	for (int i = 0; i < 2; i++) {
		pages = share(4);
		if (!i)
			assert_int_equal(
				mprotect(pages + PAGE, PAGE, PROT_READ), 0);
		else
			assert_int_equal(madvise(pages, PAGE, MADV_DONTFORK),
					 0);
		assert_int_equal(gntshr_unshare(h, pages, 4), 0);
		assert_ended(&refs[0]);
		still_shares();
	}
}
