// SPDX-License-Identifier: LGPL-2.1-or-later
/* Every system call and hypercall of the library. */

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xencall.h>
#include <xentoollog.h>

#include "internal.h"

#define PARAMETERS "/sys/module/xen_gntalloc/parameters/"

int gntshr_sys_open(const char *path, int flags)
{
	return open(path, flags);
}

int gntshr_sys_close(int fd)
{
	return close(fd);
}

int gntshr_sys_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg);
}

int gntshr_sys_fcntl(int fd, int command, int arg)
{
	return fcntl(fd, command, arg);
}

int gntshr_sys_poll(int fd, short events, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	return poll(&poll_fd, 1, timeout_ms);
}

/* A clock that nobody sets. */
int64_t gntshr_sys_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* At @hint if nothing is there and it is not NULL, else anywhere. */
void *gntshr_sys_mmap(void *hint, int fd, size_t size, uint64_t offset)
{
	return mmap(hint, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    (off_t)offset);
}

int gntshr_sys_munmap(void *addr, size_t size)
{
	return munmap(addr, size);
}

/*
 * Call @found for each mapping of the file that @fd is open on. Fails as the
 * first of these calls that did, or if it cannot be known which there are.
 * /proc/self is empty once the first thread ended.
 */
int gntshr_sys_mappings(int fd, gntshr_mapping_fn *found, void *arg)
{
	unsigned long first, end, inode;
	unsigned int major, minor;
	unsigned long long offset;
	struct stat device;
	int error = 0, got;
	FILE *maps;

	if (fstat(fd, &device))
		return -1;
	maps = fopen("/proc/thread-self/maps", "re");
	if (!maps)
		return -1;
	while ((got = fscanf(maps, "%lx-%lx %*s %llx %x:%x %lu%*[^\n]", &first,
			     &end, &offset, &major, &minor, &inode)) == 6) {
		struct gntshr_mapping mapping = { .addr = (char *)first,
						  .size = end - first,
						  .offset = offset };

		if (inode == device.st_ino &&
		    makedev(major, minor) == device.st_dev &&
		    found(arg, &mapping) && !error)
			error = errno;
	}
	if (!error && (got != EOF || ferror(maps)))
		error = EIO;
	fclose(maps);
	if (!error)
		return 0;
	errno = error;
	return -1;
}

long gntshr_sys_page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

bool gntshr_sys_exists(const char *path)
{
	return !access(path, F_OK);
}

/* A parameter of the module, as it is now. */
int gntshr_sys_parameter(const char *name, unsigned long *value)
{
	char path[sizeof(PARAMETERS) + 32];
	FILE *file;
	int got;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	file = fopen(path, "re");
	if (!file)
		return -1;
	got = fscanf(file, "%lu", value);
	fclose(file);
	if (got != 1) {
		errno = EIO;
		return -1;
	}
	return 0;
}

/*
 * What the processor, or Xen in its place, says of itself, as eax to edx; false
 * where none can be asked.
 */
bool gntshr_sys_cpuid(uint32_t leaf, uint32_t regs[4])
{
#if defined(__x86_64__) || defined(__i386__)
	__cpuid_count(leaf, 0, regs[0], regs[1], regs[2], regs[3]);
	return true;
#else
	(void)leaf, (void)regs;
	return false;
#endif
}

/* Whether this is known to be a PV domain. */
bool gntshr_sys_is_pv(void)
{
	FILE *file = fopen("/sys/hypervisor/guest_type", "re");
	char type[8] = "";

	if (!file)
		return false;
	if (!fgets(type, sizeof(type), file))
		type[0] = '\0';
	fclose(file);
	return !strcmp(type, "PV\n");
}

/* libxencall prints to stderr when it has no logger. */
static void mute(struct xentoollog_logger *logger, xentoollog_level level,
		 int errnoval, const char *context, const char *format,
		 va_list args)
{
	(void)logger, (void)level, (void)errnoval;
	(void)context, (void)format, (void)args;
}

/* The size of this domain's grant table, in frames of 4096 bytes. */
int gntshr_sys_grant_frames(uint32_t *used, uint32_t *max)
{
	struct xentoollog_logger logger = { .vmessage = mute };
	struct gnttab_query_size *query;
	xencall_handle *xencall;
	int rc = -1, error;

	xencall = xencall_open(&logger, 0);
	if (!xencall)
		return -1;

	query = xencall_alloc_buffer(xencall, sizeof(*query));
	if (query) {
		*query = (struct gnttab_query_size){ .dom = DOMID_SELF };
		rc = xencall3(xencall, __HYPERVISOR_grant_table_op,
			      GNTTABOP_query_size, (uintptr_t)query, 1);
		if (!rc && query->status != GNTST_okay) {
			errno = EIO;
			rc = -1;
		}
		*used = query->nr_frames;
		*max = query->max_nr_frames;
	}
	error = errno;
	if (query)
		xencall_free_buffer(xencall, query);
	xencall_close(xencall);
	errno = error;
	return rc < 0 ? -1 : 0;
}
