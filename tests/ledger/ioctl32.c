// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A request to the device by a real 32-bit program, for the ledger where its
 * cases cannot make the system call of one themselves.
 *
 *	ioctl32 DEVICE MEMORY OFFSET NUMBER
 *
 * DEVICE and MEMORY are descriptors: the request with that number gets what is
 * at OFFSET in the page of MEMORY. Ends with 0, or with errno; with 127 if the
 * request could not be made.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <xen/gntalloc.h>

_Static_assert(sizeof(void *) == 4, "this is no 32-bit program");

static unsigned long request(const char *number)
{
	switch (atoi(number)) {
	case 5:
		return IOCTL_GNTALLOC_ALLOC_GREF;
	case 6:
		return IOCTL_GNTALLOC_DEALLOC_GREF;
	default:
		return IOCTL_GNTALLOC_SET_UNMAP_NOTIFY;
	}
}

int main(int argc, char **argv)
{
	char *page;

	if (argc != 5)
		return 127;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
		    atoi(argv[2]), 0);
	if (page == MAP_FAILED)
		return 127;
	if (ioctl(atoi(argv[1]), request(argv[4]), page + atoi(argv[3])))
		return errno;
	return 0;
}
