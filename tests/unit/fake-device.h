/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the fake calls and the pages behind them; all with the lock held. */
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include "fake.h"

/* The descriptor of pages that came through fork. */
#define FAKE_PARENT (-1)

void fake_device_setup(void);
int fake_ioctl(int fd, unsigned long request, void *arg);
void *fake_map(int fd, size_t size, uint64_t offset);
void fake_unmap(unsigned char *addr, size_t size);

#endif
