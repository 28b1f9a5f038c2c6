/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the fake calls and the pages behind them; all with the lock held. */
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include "fake.h"

/* The descriptor of pages that came through fork. */
#define FAKE_PARENT (-1)

void fake_device_setup(void);
/* The page of @fd with this index, or in it, that is listed; or NULL. */
struct fake_page *fake_find(int fd, uint64_t index);
/* Its peer is told. */
void fake_notify(struct fake_page *page);
int fake_ioctl(int fd, unsigned long request, void *arg);
/* The requests that are not about arenas and that only our driver has. */
int fake_borrow_ioctl(int fd, unsigned long request, void *arg);
void fake_borrow_setup(void);
void fake_borrow_close(int fd);
/* May so many more pages be granted to this domain? 0 or an errno. */
int fake_restricted(int fd, uint32_t domid, uint32_t count);
/* Whoever ends pages has ended what was added to them. */
void fake_assert_alone(const struct fake_page *page);
void *fake_map(void *hint, int fd, size_t size, uint64_t offset);
void fake_unmap(unsigned char *addr, size_t size);

#endif
