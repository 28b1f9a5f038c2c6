/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the fake device and its arenas; all with its lock held. */
#ifndef FAKE_ARENA_H
#define FAKE_ARENA_H

#include "fake.h"
#include "xen-gntalloc.h"

/* What a request that fails leaves in place of references. */
#define FAKE_ANY_BYTE 0xDE
#define FAKE_ANY_REF 0xDEDEDEDE

/* All pages ever shared, in the order of their references. */
extern struct fake_page fake_pages[FAKE_PAGES];
extern unsigned int fake_next_page;
/* A page of memory for each of them. */
extern int fake_memory_fd;

/* The next page, zeroed, listed and not mapped; @bytes NULL: memory of its own.
 */
struct fake_page *fake_new_page(int fd, unsigned char *bytes);
/* The next one, of memory that is as it is. */
struct fake_page *fake_new_grant(int fd, unsigned char *bytes);
/* Its grant ends. */
void fake_delist(struct fake_page *page);
/* Release a page that is neither listed nor mapped. */
void fake_settle(struct fake_page *page);

void fake_arenas_setup(void);
/* The next descriptor with this number knows nothing of them. */
void fake_arenas_close(int fd);
void *fake_arena_make(void *hint, int fd, size_t size, uint64_t index);
int fake_arena_share(int fd, const struct ioctl_gntalloc_share *op);
int fake_arena_unshare(int fd, const struct ioctl_gntalloc_unshare *op);
/* SHARE failed: what it leaves. */
void fake_arena_share_fails(int fd, const struct ioctl_gntalloc_share *op);
/* The page in the place with this index that is listed, or NULL. */
struct fake_page *fake_arena_listed(int fd, uint64_t index);
/* Another process gets copies of all. */
void fake_arenas_copied(void);
/* Returns how many there are. */
unsigned int fake_arena_list(struct gntshr_mapping *mappings);
/* How many of these bytes belonged to arenas, and now do not. */
size_t fake_arena_cut(unsigned char *addr, size_t size);

#endif
