/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What must be there after the calls so far: handles, shares, and what the
 * device has to say of each page and in all. It knows only the header's text.
 */
#ifndef MODEL_H
#define MODEL_H

#include "../unit/fake.h"

#define MAX_HANDLES 3
#define MAX_SHARES 64
#define MAX_COUNT 5
/* The domains that pages are shared with. */
#define DOMIDS 3
/* Pages of the program's own. */
#define MEMORY_PAGES 8
#define MEMORY_CONTENT 0xC3

struct model_handle {
	gntshr_handle *h;
	bool logs, forked;
	bool restricted;
	uint32_t only_domid, max_pages;
	/* Pages that a failed cleanup left listed, or mapped, until close. */
	unsigned int leaked, kept;
};

struct model_grant {
	bool is;
	uint32_t domid, ref;
	unsigned int action, offset;
};

/* The first grant is that of the share, the others were added. */
struct model_page {
	struct model_grant grants[1 + DOMIDS];
};

struct model_share {
	struct model_handle *owner;
	char *addr;
	uint32_t count;
	/* It is the program's own memory. */
	bool is_memory;
	/* The driver ended it, the mapping could not go. */
	bool unlisted;
	unsigned char content;
	struct model_page pages[MAX_COUNT];
};

struct model {
	struct model_handle handles[MAX_HANDLES];
	struct model_share shares[MAX_SHARES];
	unsigned int number_of_shares;
	/* As in struct fake. */
	unsigned int open, listed, mapped, inherited;
	unsigned int released, cleared, events;
	/* Nobody could be asked what is left of arenas with holes. */
	bool holes_stay;
};

extern struct model model;

/* Abort unless this holds. */
#define expect(what) \
	((what) ? (void)0 : model_violated(__FILE__, __LINE__, #what))
void model_violated(const char *file, int line, const char *what)
	__attribute__((noreturn));

/* The share of @owner, or of any if NULL, that has this byte; or NULL. */
struct model_share *model_find(const struct model_handle *owner,
			       const void *addr);
void model_add(struct model_handle *owner, char *addr, uint32_t count,
	       uint32_t domid, const uint32_t *refs, unsigned int action,
	       unsigned int offset);
void model_set_notify(struct model_grant *grant, unsigned int action,
		      unsigned int offset);
/* The program's own memory, and a share of it. */
extern char model_memory[MEMORY_PAGES * GNTSHR_PAGE_SIZE];
void model_fill_memory(void);
void model_add_memory(struct model_handle *owner, char *addr, uint32_t count,
		      uint32_t domid, const uint32_t *refs);
/* The added grant of a page for this domain; or NULL. */
struct model_grant *model_added(struct model_page *page, uint32_t domid);
void model_add_grant(struct model_page *page, uint32_t domid, uint32_t ref);
/* A grant ended alone, and whoever has it was told. */
void model_end_grant(struct model_share *share, struct model_page *page,
		     struct model_grant *grant);
/* After a failure: added grants that did end. */
void model_end_removed(struct model_share *share);
/* What granting so many pages to this domain fails with, or 0. */
int model_restricted(const struct model_handle *handle, uint32_t domid,
		     uint32_t count);
unsigned int model_count(const struct model_handle *handle);
/* The driver is told to end it; its mapping goes; both. */
void model_delist(struct model_share *share);
void model_end(struct model_share *share);
void model_close(struct model_handle *handle);
void model_fork(void);
/* After a failed share: pages were there and went, unnoticed. */
void model_released(void);

/* Device and program are as the model has them. */
void model_check(void);

#endif
