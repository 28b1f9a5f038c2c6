// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The system calls themselves (sys.c), on files that every machine has. What
 * only Xen has is played (played.c): the module's parameters and libxencall.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#include "../../src/internal.h"
#include "played.h"

#define GIB (1ULL << 30)

/* The number that the next descriptor gets: the same if none was left open. */
static int next_fd(void)
{
	int fd = dup(STDOUT_FILENO);

	close(fd);
	return fd;
}

static void opens_and_closes(void **state)
{
	int fd = gntshr_sys_open("/dev/zero", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	assert_int_equal(gntshr_sys_close(fd), 0);
	errno = 0;
	assert_int_equal(gntshr_sys_close(fd), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(gntshr_sys_open("/dev/zero/none", O_RDWR), -1);
	assert_int_equal(errno, ENOTDIR);
}

static void asks_the_driver(void **state)
{
	int pipes[2], waiting = 0;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(write(pipes[1], "five!", 5), 5);
	assert_int_equal(gntshr_sys_ioctl(pipes[0], FIONREAD, &waiting), 0);
	assert_int_equal(waiting, 5);
	close(pipes[0]);
	close(pipes[1]);
	errno = 0;
	assert_int_equal(gntshr_sys_ioctl(pipes[0], FIONREAD, &waiting), -1);
	assert_int_equal(errno, EBADF);
}

static void waits_and_looks_at_descriptors(void **state)
{
	int64_t before = gntshr_sys_now_ms();
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(gntshr_sys_poll(pipes[0], POLLIN, 20), 0);
	assert_in_range(gntshr_sys_now_ms() - before, 20, 600000);
	assert_int_equal(write(pipes[1], "!", 1), 1);
	assert_int_equal(gntshr_sys_poll(pipes[0], POLLIN, -1), 1);
	/* Only what was asked for. */
	assert_int_equal(gntshr_sys_poll(pipes[0], POLLPRI, 0), 0);
	assert_int_equal(gntshr_sys_fcntl(pipes[1], F_GETFL, 0) & O_ACCMODE,
			 O_WRONLY);
	assert_int_equal(gntshr_sys_fcntl(pipes[0], F_SETFD, FD_CLOEXEC), 0);
	assert_int_equal(fcntl(pipes[0], F_GETFD), FD_CLOEXEC);
	close(pipes[0]);
	close(pipes[1]);
	errno = 0;
	assert_int_equal(gntshr_sys_fcntl(pipes[0], F_GETFL, 0), -1);
	assert_int_equal(errno, EBADF);
}

/* Shared, for both directions, and at offsets past 4 GiB. */
static void maps(void **state)
{
	static const uint64_t offsets[] = { 0, 4096, 5 * GIB + 4096 };
	int fd = memfd_create("device", 0);
	unsigned char there[2];
	char byte, *pages, *more;

	(void)state;
	assert_int_equal(ftruncate(fd, 6 * GIB), 0);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		pages = gntshr_sys_mmap(NULL, fd, 2 * 4096, offsets[i]);
		assert_ptr_not_equal(pages, MAP_FAILED);
		pages[4097] = (char)(i + 1);
		assert_int_equal(pread(fd, &byte, 1, (off_t)offsets[i] + 4097),
				 1);
		assert_int_equal(byte, i + 1);
		assert_int_equal(gntshr_sys_munmap(pages, 2 * 4096), 0);
		assert_int_equal(mincore(pages, 2 * 4096, there), -1);
		assert_int_equal(errno, ENOMEM);
	}
	/* Where nothing is it goes, but over nothing. */
	assert_ptr_equal(gntshr_sys_mmap(pages, fd, 4096, 0), pages);
	more = gntshr_sys_mmap(pages, fd, 4096, 0);
	assert_ptr_not_equal(more, MAP_FAILED);
	assert_ptr_not_equal(more, pages);
	assert_int_equal(gntshr_sys_munmap(more, 4096), 0);
	assert_int_equal(gntshr_sys_munmap(pages, 4096), 0);
	close(fd);
	assert_ptr_equal(gntshr_sys_mmap(NULL, fd, 4096, 0), MAP_FAILED);
	assert_int_equal(errno, EBADF);
	assert_int_equal(gntshr_sys_munmap(&byte + 1, 4096), -1);
	assert_int_equal(errno, EINVAL);
}

static struct gntshr_mapping found[4];
static unsigned int finds;

/* The second call fails, and those after it. */
static int find(void *arg, const struct gntshr_mapping *mapping)
{
	assert_ptr_equal(arg, &finds);
	if (finds)
		errno = EXFULL + (int)finds - 1;
	found[finds++] = *mapping;
	return finds > 1 ? -1 : 0;
}

static int find_all(int fd)
{
	int rc;

	finds = 0;
	errno = 0;
	rc = gntshr_sys_mappings(fd, find, &finds);
	return rc ? errno : 0;
}

static void knows_its_mappings(void **state)
{
	int fd = memfd_create("device", 0), other = memfd_create("other", 0);
	uint64_t offset = 5 * GIB + 4096;
	struct stat device;
	char *pages, *more, text[128];
	int next = next_fd();

	(void)state;
	assert_int_equal(ftruncate(fd, 6 * GIB), 0);
	assert_int_equal(find_all(fd), 0);
	assert_int_equal(finds, 0);
	pages = gntshr_sys_mmap(NULL, fd, 3 * 4096, offset);
	more = gntshr_sys_mmap(NULL, other, 4096, 0);
	assert_int_equal(munmap(pages, 4096), 0);
	assert_int_equal(find_all(fd), 0);
	assert_int_equal(finds, 1);
	assert_ptr_equal(found[0].addr, pages + 4096);
	assert_int_equal(found[0].size, 2 * 4096);
	assert_int_equal(found[0].offset, offset + 4096);
	/* One that fails is told of after all of them. */
	assert_int_equal(mprotect(pages + 4096, 4096, PROT_READ), 0);
	assert_ptr_not_equal(gntshr_sys_mmap(NULL, fd, 4096, 0), MAP_FAILED);
	assert_int_equal(find_all(fd), EXFULL);
	assert_int_equal(finds, 3);
	assert_int_equal(munmap(pages + 4096, 2 * 4096), 0);
	assert_int_equal(munmap(more, 4096), 0);

	/* The same inode on another device is another file. */
	assert_int_equal(fstat(fd, &device), 0);
	for (unsigned int i = 0; i < 2; i++) {
		snprintf(text, sizeof(text),
			 "7000-9000 rw-s 5000 %02x:%02x %lu /dev/a b\n",
			 major(device.st_dev) + i, minor(device.st_dev),
			 (unsigned long)device.st_ino);
		played.maps_text = text;
		assert_int_equal(find_all(fd), 0);
		assert_int_equal(finds, !i);
	}
	assert_int_equal((uintptr_t)found[0].addr, 0x7000);
	assert_int_equal(found[0].size, 0x2000);
	assert_int_equal(found[0].offset, 0x5000);

	played.maps_text = NULL;
	assert_int_equal(find_all(fd), ENOENT);
	played.maps_text = "1000-2000 rw-s 0 0:1 7 /dev/a b\nnonsense\n";
	assert_int_equal(find_all(fd), EIO);
	assert_int_equal(finds, 0);
	played.maps_text = "";
	assert_int_equal(next_fd(), next);
	close(fd);
	assert_int_equal(find_all(fd), EBADF);
	close(other);
}

static void knows_the_page_size(void **state)
{
	(void)state;
	assert_int_equal(gntshr_sys_page_size(), sysconf(_SC_PAGESIZE));
}

static void knows_what_exists(void **state)
{
	(void)state;
	assert_true(gntshr_sys_exists("/proc/self/maps"));
	assert_true(gntshr_sys_exists("/"));
	assert_false(gntshr_sys_exists("/proc/self/maps/no"));
}

static void reads_parameters(void **state)
{
	static const struct {
		const char *text;
		int error;
		unsigned long value;
	} cases[] = {
		{ "1024\n", 0, 1024 },
		{ "0\n", 0, 0 },
		{ "4294967296\n", 0, 4294967296 },
		{ "", EIO, 0 },
		{ "N\n", EIO, 0 },
		{ NULL, ENOENT, 0 },
	};
	int fd = next_fd();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned long value = 77;

		played.parameter = cases[i].text;
		errno = 0;
		assert_int_equal(gntshr_sys_parameter("limit", &value),
				 cases[i].error ? -1 : 0);
		if (cases[i].error)
			assert_int_equal(errno, cases[i].error);
		else
			assert_int_equal(value, cases[i].value);
	}
	assert_int_equal(next_fd(), fd);
}

static void knows_a_pv_domain(void **state)
{
	static const char *const others[] = { "PVH\n", "HVM\n", "", NULL };
	const char *before = played.asked_for;
	int fd = next_fd();

	(void)state;
	played.asked_for = "/sys/hypervisor/guest_type";
	played.guest_type = "PV\n";
	assert_true(gntshr_sys_is_pv());
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		played.guest_type = others[i];
		assert_false(gntshr_sys_is_pv());
	}
	played.asked_for = before;
	assert_int_equal(next_fd(), fd);
}

/* Every processor with the instruction answers leaf 0. */
static void asks_the_processor(void **state)
{
	uint32_t regs[4] = { 0 };

	(void)state;
#if defined(__x86_64__) || defined(__i386__)
	assert_true(gntshr_sys_cpuid(0, regs));
	assert_int_not_equal(regs[0], 0);
	assert_int_equal(regs[0], __get_cpuid_max(0, regs + 3));
	assert_int_equal(regs[1], regs[3]);
#else
	assert_false(gntshr_sys_cpuid(0, regs));
#endif
}

static void asks_xen_for_the_grant_table(void **state)
{
	uint32_t used = 0, max = 0;

	(void)state;
	played.failing = NOTHING;
	played.status = GNTST_okay;
	assert_int_equal(gntshr_sys_grant_frames(&used, &max), 0);
	assert_int_equal(used, 3);
	assert_int_equal(max, 64);
	assert_int_equal(played.held, 0);
}

static void xen_may_refuse(void **state)
{
	static const struct {
		int failing;
		int16_t status;
		int error;
	} cases[] = {
		{ OPENING, GNTST_okay, EACCES },
		{ BUFFER, GNTST_okay, ENOMEM },
		{ CALL, GNTST_okay, EPERM },
		{ NOTHING, GNTST_bad_domain, EIO },
	};
	uint32_t used, max;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		played.failing = cases[i].failing;
		played.status = cases[i].status;
		errno = 0;
		assert_int_equal(gntshr_sys_grant_frames(&used, &max), -1);
		assert_int_equal(errno, cases[i].error);
		assert_int_equal(played.held, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_and_closes),
		cmocka_unit_test(asks_the_driver),
		cmocka_unit_test(waits_and_looks_at_descriptors),
		cmocka_unit_test(maps),
		cmocka_unit_test(knows_its_mappings),
		cmocka_unit_test(knows_the_page_size),
		cmocka_unit_test(knows_what_exists),
		cmocka_unit_test(reads_parameters),
		cmocka_unit_test(knows_a_pv_domain),
		cmocka_unit_test(asks_the_processor),
		cmocka_unit_test(asks_xen_for_the_grant_table),
		cmocka_unit_test(xen_may_refuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
