/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the fake device and its windows; all with its lock held. */
#ifndef FAKE_WINDOWS_H
#define FAKE_WINDOWS_H

#include "fake.h"
#include "xen-gntalloc.h"

/* All pages ever allocated, in the order of their indices in memory_fd. */
extern struct fake_page fake_pages[FAKE_PAGES];
extern unsigned int fake_next_page;
extern int fake_memory_fd;

/* The listed pages of @fd from @index on, or NULL if one is missing. */
struct fake_page *fake_find(int fd, uint64_t index, uint64_t count);
/* Release a page that is neither listed nor mapped. */
void fake_settle(struct fake_page *page);

void fake_windows_setup(void);
void *fake_window_make(int fd, size_t size, uint64_t index);
int fake_window_map(int fd, const struct ioctl_gntalloc_map_gref *op);
void fake_window_empty(unsigned char *addr, size_t size);
/* Returns how many there are. */
unsigned int fake_window_list(struct gntshr_mapping *mappings);
/* False if no window is there. */
bool fake_window_unmap(unsigned char *addr, size_t size);
/* These addresses do not belong to a window any more. */
void fake_window_cut(unsigned char *addr, size_t size);

#endif
