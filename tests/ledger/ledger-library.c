// SPDX-License-Identifier: LGPL-2.1-or-later
/* The ledger's cases about the library: libxengnttab on the stock module. */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xen/gntalloc.h>
#include <xengnttab.h>
#include <xentoollog.h>

#include <gntshr.h>

#include "anypeer.h"
#include "ledger.h"
#include "mute.h"
#include "remote.h"

/* A port that no event channel has. */
#define BAD_PORT (1u << 20)
#define UNTOUCHED 0xAAAAAAAAu
#define NO_NOTIFY ((uint32_t)-1)

/* What the calls of both are, names apart. */
struct library {
	void *(*open)(struct xentoollog_logger *logger);
	int (*close)(void *h);
	int (*fd)(void *h);
	void *(*share_pages)(void *h, uint32_t count, uint32_t *to);
	void *(*share_page_notify)(void *h, uint32_t *to, uint32_t offset,
				   uint32_t port);
	int (*unshare)(void *h, void *addr, uint32_t count);
};

#define LIBRARY(name) \
	static void *name##_open_(struct xentoollog_logger *logger) \
	{ \
		return name##_open(logger, 0); \
	} \
	static int name##_close_(void *h) \
	{ \
		return name##_close(h); \
	} \
	static int name##_fd_(void *h) \
	{ \
		return name##_fd(h); \
	} \
	static void *name##_share_pages_(void *h, uint32_t count, \
					 uint32_t *to) \
	{ \
		return name##_share_pages(h, remote_domid(), count, to, 1); \
	} \
	static void *name##_share_page_notify_(void *h, uint32_t *to, \
					       uint32_t offset, uint32_t port) \
	{ \
		return name##_share_page_notify(h, remote_domid(), to, 1, \
						offset, port); \
	} \
	static int name##_unshare_(void *h, void *addr, uint32_t count) \
	{ \
		return name##_unshare(h, addr, count); \
	} \
	static const struct library name = { \
		name##_open_, \
		name##_close_, \
		name##_fd_, \
		name##_share_pages_, \
		name##_share_page_notify_, \
		name##_unshare_, \
	}

LIBRARY(xengntshr);
LIBRARY(gntshr);

static bool module_is_ours(void)
{
	return parameter("used") >= 0;
}

static const struct library *library(void)
{
	return module_is_ours() ? &gntshr : &xengntshr;
}

static void *must_open(const struct library *lib)
{
	void *h = lib->open(&mute);

	if (!h)
		cannot("open the library");
	return h;
}

/* ---- a driver that is played, for counts that no machine has pages for ----
 */

static bool playing, refusing;
static size_t buffer_size;
static unsigned int armed;

/* What was allocated last, in turn. */
#define MADE 8
static struct {
	const void *at;
	size_t size;
} made[MADE];
static unsigned int num_made;

static void *remember(void *at, size_t size)
{
	made[num_made % MADE].at = at;
	made[num_made++ % MADE].size = size;
	return at;
}

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);

void *malloc(size_t size)
{
	return remember(__libc_malloc(size), size);
}

void *calloc(size_t count, size_t size)
{
	return remember(__libc_calloc(count, size), count * size);
}

/* The room that the library has for an argument; on its stack for one page. */
static size_t room_for(const struct ioctl_gntalloc_alloc_gref *op)
{
	for (unsigned int i = 1; i <= MADE; i++)
		if (made[(num_made - i) % MADE].at == op)
			return made[(num_made - i) % MADE].size;
	return op->count == 1 ? sizeof(*op) : 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (!playing)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	if (request == IOCTL_GNTALLOC_ALLOC_GREF) {
		struct ioctl_gntalloc_alloc_gref *op = arg;

		buffer_size = room_for(op);
		if (buffer_size < sizeof(*op) + (op->count - 1ul) * 4) {
			errno = ENOSPC;
			return -1;
		}
		op->index = 0;
	}
	armed += request == IOCTL_GNTALLOC_SET_UNMAP_NOTIFY;
	if (!refusing || request == IOCTL_GNTALLOC_ALLOC_GREF)
		return 0;
	errno = request == IOCTL_GNTALLOC_SET_UNMAP_NOTIFY ? EINVAL : EIO;
	return -1;
}

void *mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
	if (playing && fd >= 0) {
		flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
		fd = -1;
	}
	return (void *)syscall(SYS_mmap, addr, size, prot, flags, fd, offset);
}

/* ---- the cases ---- */

static void close_on_exec(void)
{
	const struct library *lib = library();
	void *h = must_open(lib);
	char path[64];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", lib->fd(h));
	pid = fork();
	if (!pid) {
		execl("/bin/sh", "sh", "-c", "[ -e \"$0\" ]", path, NULL);
		_exit(2);
	}
	if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) > 1)
		cannot("exec a shell");
	expect(status, "after exec the descriptor is %s",
	       status ? "closed" : "open");
	lib->close(h);
}

static void failed_outputs(void)
{
	const struct library *lib = library();
	void *h = must_open(lib), *page;
	uint32_t ref = UNTOUCHED;

	page = lib->share_page_notify(h, &ref, NO_NOTIFY, BAD_PORT);
	expect(!page && ref == UNTOUCHED,
	       "share_page_notify with a wrong port: %s, the reference is %s",
	       page ? "a page" : "NULL",
	       ref == UNTOUCHED ? "untouched" : "written");
	lib->close(h);
}

/* The driver refuses the notification, and then the end of the page. */
static void first_error(void)
{
	const struct library *lib = library();
	void *h = must_open(lib), *page;
	uint32_t ref;

	playing = refusing = true;
	page = lib->share_page_notify(h, &ref, NO_NOTIFY, BAD_PORT);
	playing = false;
	expect(!page && errno == EINVAL,
	       "a wrong port (EINVAL), and a cleanup that fails (EIO): %s",
	       !page && errno == EIO ? "EIO" : outcome(page ? 0 : -1));
	lib->close(h);
}

static bool still_there(void *page)
{
	return !msync(page, PAGE, MS_ASYNC);
}

static void foreign_addresses(void)
{
	const struct library *lib = library();
	void *h = must_open(lib), *page;
	int result;

	page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	result = lib->unshare(h, page, 1);
	expect(result && errno == EINVAL && still_there(page),
	       "unshare of the program's own page: %s, the page is %s",
	       outcome(result), still_there(page) ? "there" : "gone");
	result = lib->unshare(h, NULL, 1);
	expect(result && errno == EINVAL, "of NULL: %s", outcome(result));
	lib->close(h);
}

static void huge_library_counts(void)
{
	const struct library *lib = library();
	size_t least = sizeof(struct ioctl_gntalloc_alloc_gref);
	uint32_t count = 1u << 20, *to = calloc(count, sizeof(*to));
	void *h = must_open(lib), *pages;

	playing = true;
	for (uint32_t minus = 1; minus <= 6; minus += 5) {
		buffer_size = SIZE_MAX;
		pages = lib->share_pages(h, -minus, to);
		if (buffer_size == SIZE_MAX)
			expect(!pages, "count -%u: %s", minus,
			       outcome(pages ? 0 : -1));
		else
			expect(!pages && buffer_size >= least,
			       "count -%u: the driver gets a buffer of %zu bytes of at least %zu",
			       minus, buffer_size, least);
	}
	pages = lib->share_pages(h, count, to);
	expect(pages && !armed, "count 2^20: %s, notifications armed: %u",
	       pages ? "success" : "NULL", armed);
	if (pages)
		lib->unshare(h, pages, count);
	playing = false;
	lib->close(h);
	free(to);
}

/* The index of a first share is 0 on both modules. */
static int notify_later(void *h, unsigned char *pages)
{
	struct ioctl_gntalloc_unmap_notify op = {
		.index = PAGE + 5,
		.action = UNMAP_NOTIFY_CLEAR_BYTE,
	};

	if (module_is_ours())
		return gntshr_set_unmap_notify(h, pages + PAGE + 5,
					       GNTSHR_NOTIFY_CLEAR_BYTE, 0);
	return ioctl(xengntshr_fd(h), IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, &op);
}

static void notification_at_any_time(void)
{
	const struct library *lib = library();
	unsigned char *pages;
	void *h = must_open(lib);
	uint32_t two[2];
	int result;
	bool cleared;
	long slot;

	pages = lib->share_pages(h, 2, two);
	if (!pages)
		cannot("share two pages");
	memset(pages, 0xFF, 2 * PAGE);
	slot = peer_map(two, 2);
	if (slot < 0)
		cannot("map them as the peer");
	result = notify_later(h, pages);
	expect(!result, "set after sharing, on the second of two pages: %s",
	       result && errno == ENOENT ? "ENOENT" : outcome(result));
	lib->unshare(h, pages, 2);
	cleared = !peer_byte(slot, PAGE + 5);
	expect(cleared && peer_byte(slot, 5) == 0xFF,
	       "after unshare the byte is %s",
	       cleared ? "cleared" : "as it was");
	peer_unmap(slot);
	lib->close(h);
}

static void silence(void)
{
	const struct library *lib = library();
	int err = dup(STDERR_FILENO), pipes[2];
	char said[512];
	ssize_t size;
	uint32_t ref;
	void *h;

	if (pipe2(pipes, O_NONBLOCK | O_CLOEXEC))
		cannot("make a pipe");
	dup2(pipes[1], STDERR_FILENO);
	h = lib->open(NULL);
	if (h) {
		lib->share_page_notify(h, &ref, NO_NOTIFY, BAD_PORT);
		lib->close(h);
	}
	dup2(err, STDERR_FILENO);
	if (!h)
		cannot("open the library");
	size = read(pipes[0], said, sizeof(said));
	expect(size <= 0,
	       "a call that fails, without a logger: %zd bytes on stderr",
	       size < 0 ? 0 : size);
}

const struct ledger_case library_cases[] = {
	{ "L1", close_on_exec },
	{ "L2", failed_outputs },
	{ "L3", first_error },
	{ "L4", foreign_addresses },
	{ "L5", huge_library_counts },
	{ "L6", notification_at_any_time },
	{ "L7", silence },
	{ NULL, NULL },
};
