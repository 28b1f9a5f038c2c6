// SPDX-License-Identifier: LGPL-2.1-or-later

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define PAGE GNTSHR_PAGE_SIZE

struct model model;

void model_violated(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not so: %s (errno %d, failed step %d)\n", file,
		line, what, errno, fake.failed);
	abort();
}

struct model_share *model_find(const struct model_handle *owner,
			       const void *addr)
{
	uintptr_t at = (uintptr_t)addr;

	for (unsigned int i = 0; i < model.number_of_shares; i++) {
		struct model_share *share = &model.shares[i];
		uintptr_t first = (uintptr_t)share->addr;

		if ((!owner || share->owner == owner) && at >= first &&
		    at - first < (uintptr_t)share->count * PAGE)
			return share;
	}
	return NULL;
}

void model_add(struct model_handle *owner, char *addr, uint32_t count,
	       const uint32_t *refs, unsigned int action, unsigned int offset)
{
	static unsigned char content;
	struct model_share *share = &model.shares[model.number_of_shares];

	for (uint32_t i = 0; i < count; i++)
		expect(!model_find(NULL, addr + (size_t)i * PAGE));
	model.number_of_shares++;
	*share = (struct model_share){ .owner = owner,
				       .addr = addr,
				       .count = count };
	for (uint32_t i = 0; i < count; i++)
		share->pages[i] =
			(struct model_page){ refs[i], action, offset };
	for (size_t i = 0; i < (size_t)count * PAGE; i++)
		if (addr[i])
			expect(!"zeroed pages");
	/* Never 0, which is what a notification writes. */
	share->content = ++content | 1;
	memset(addr, share->content, (size_t)count * PAGE);
	model.listed += count;
	model.mapped += count;
}

/* What the peer finds in a page when it is told of the end. */
static void check_released(const struct model_share *share,
			   const struct model_page *page)
{
	unsigned char bytes[PAGE];

	memset(bytes, share->content, PAGE);
	if (page->action & GNTSHR_NOTIFY_CLEAR_BYTE) {
		bytes[page->offset] = 0;
		model.cleared++;
	}
	model.events += !!(page->action & GNTSHR_NOTIFY_SEND_EVENT);
	expect(fake_page(page->ref)->released);
	expect(!memcmp(fake_page(page->ref)->bytes, bytes, PAGE));
}

void model_delist(struct model_share *share)
{
	share->unlisted = true;
	model.listed -= share->count;
}

void model_end(struct model_share *share)
{
	model.mapped -= share->count;
	if (!share->owner->forked) {
		if (!share->unlisted)
			model_delist(share);
		for (uint32_t i = 0; i < share->count; i++)
			check_released(share, &share->pages[i]);
		model.released += share->count;
	}
	*share = model.shares[--model.number_of_shares];
}

void model_close(struct model_handle *handle)
{
	for (unsigned int i = model.number_of_shares; i-- > 0;)
		if (model.shares[i].owner == handle)
			model_end(&model.shares[i]);
	model.listed -= handle->leaked;
	model.released += handle->leaked;
	model.mapped -= handle->kept;
	model.open--;
	*handle = (struct model_handle){ 0 };
}

void model_fork(void)
{
	for (int i = 0; i < MAX_HANDLES; i++) {
		model.handles[i].forked = model.handles[i].h;
		model.handles[i].leaked = 0;
	}
	model.listed = 0;
	model.released = fake.released;
	model.inherited = fake.inherited;
}

static void check_share(const struct model_share *share)
{
	for (uint32_t i = 0; i < share->count; i++) {
		const struct model_page *page = &share->pages[i];
		const struct fake_page *is = fake_page(page->ref);

		expect(!is->released);
		expect(is->listed == !share->unlisted);
		expect((char *)is->addr == share->addr + i * PAGE);
		expect(is->action == page->action);
		expect(is->offset == page->offset || !page->action);
		expect(is->bytes[0] == share->content);
	}
}

void model_released(void)
{
	model.released = fake.released;
}

void model_check(void)
{
	expect(fake.open == model.open);
	expect(fake.listed == model.listed);
	expect(fake.inherited == model.inherited);
	expect(fake.has_arenas || !fake.arenas);
	expect(fake.mapped == model.mapped);
	expect(fake.released == model.released);
	expect(fake.cleared == model.cleared);
	expect(fake.events == model.events);
	for (unsigned int i = 0; i < model.number_of_shares; i++)
		check_share(&model.shares[i]);
}
