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

static struct model_share *add_share(struct model_handle *owner, char *addr,
				     uint32_t count, uint32_t domid,
				     const uint32_t *refs)
{
	struct model_share *share = &model.shares[model.number_of_shares++];

	*share = (struct model_share){ .owner = owner,
				       .addr = addr,
				       .count = count };
	for (uint32_t i = 0; i < count; i++)
		share->pages[i].grants[0] = (struct model_grant){
			.is = true, .domid = domid, .ref = refs[i]
		};
	model.listed += count;
	return share;
}

void model_add(struct model_handle *owner, char *addr, uint32_t count,
	       uint32_t domid, const uint32_t *refs, unsigned int action,
	       unsigned int offset)
{
	static unsigned char content;
	struct model_share *share;

	for (uint32_t i = 0; i < count; i++)
		expect(!model_find(NULL, addr + (size_t)i * PAGE));
	share = add_share(owner, addr, count, domid, refs);
	for (uint32_t i = 0; i < count; i++)
		model_set_notify(&share->pages[i].grants[0], action, offset);
	for (size_t i = 0; i < (size_t)count * PAGE; i++)
		if (addr[i])
			expect(!"zeroed pages");
	/* Never 0, which is what a notification writes. */
	share->content = ++content | 1;
	memset(addr, share->content, (size_t)count * PAGE);
	model.mapped += count;
}

void model_set_notify(struct model_grant *grant, unsigned int action,
		      unsigned int offset)
{
	grant->action = action;
	grant->offset = offset;
}

char model_memory[MEMORY_PAGES * PAGE] __attribute__((aligned(PAGE)));

void model_fill_memory(void)
{
	memset(model_memory, MEMORY_CONTENT, sizeof(model_memory));
}

void model_add_memory(struct model_handle *owner, char *addr, uint32_t count,
		      uint32_t domid, const uint32_t *refs)
{
	struct model_share *share = add_share(owner, addr, count, domid, refs);

	share->is_memory = true;
	share->content = MEMORY_CONTENT;
}

struct model_grant *model_added(struct model_page *page, uint32_t domid)
{
	for (int i = 1; i <= DOMIDS; i++)
		if (page->grants[i].is && page->grants[i].domid == domid)
			return &page->grants[i];
	return NULL;
}

void model_add_grant(struct model_page *page, uint32_t domid, uint32_t ref)
{
	struct model_grant *grant = &page->grants[1];

	while (grant->is)
		grant++;
	*grant = (struct model_grant){ .is = true, .domid = domid, .ref = ref };
	model.listed++;
}

/* Its peer is told, in a page with these bytes. */
static void notify(const struct model_grant *grant, unsigned char *bytes)
{
	if (grant->action & GNTSHR_NOTIFY_CLEAR_BYTE) {
		bytes[grant->offset] = 0;
		model.cleared++;
	}
	model.events += !!(grant->action & GNTSHR_NOTIFY_SEND_EVENT);
}

/* What was cleared the program fills again. */
void model_end_grant(struct model_share *share, struct model_page *page,
		     struct model_grant *grant)
{
	unsigned char bytes[PAGE];
	char *addr = share->addr + (page - share->pages) * PAGE;

	memset(bytes, share->content, PAGE);
	notify(grant, bytes);
	expect(!memcmp(addr, bytes, PAGE));
	memset(addr, share->content, PAGE);
	grant->is = false;
	grant->action = 0;
	if (grant == &page->grants[0])
		return;
	expect(fake_page(grant->ref)->released);
	model.listed--;
	model.released++;
}

/* All of a page together, as one could not tell in which order. */
static void end_removed(struct model_share *share, struct model_page *page)
{
	unsigned char bytes[PAGE];
	char *addr = share->addr + (page - share->pages) * PAGE;

	memset(bytes, share->content, PAGE);
	for (int i = 1; i <= DOMIDS; i++) {
		struct model_grant *grant = &page->grants[i];

		if (!grant->is || fake_page(grant->ref)->listed)
			continue;
		notify(grant, bytes);
		grant->is = false;
		model.listed--;
		model.released++;
	}
	expect(!memcmp(addr, bytes, PAGE));
	memset(addr, share->content, PAGE);
}

void model_end_removed(struct model_share *share)
{
	for (uint32_t i = 0; i < share->count; i++)
		end_removed(share, &share->pages[i]);
}

unsigned int model_count(const struct model_handle *handle)
{
	unsigned int count = handle->leaked;

	for (unsigned int i = 0; i < model.number_of_shares; i++) {
		const struct model_share *share = &model.shares[i];

		if (share->owner != handle)
			continue;
		count += share->unlisted ? 0 : share->count;
		for (uint32_t n = 0; n < share->count; n++)
			for (int k = 1; k <= DOMIDS; k++)
				count += share->pages[n].grants[k].is;
	}
	return count;
}

int model_restricted(const struct model_handle *handle, uint32_t domid,
		     uint32_t count)
{
	if (!handle->restricted)
		return 0;
	if (domid != handle->only_domid)
		return EACCES;
	return model_count(handle) + count > handle->max_pages ? EDQUOT : 0;
}

/* What the peers find in a page when they are told of the end. */
static void check_released(const struct model_share *share,
			   const struct model_page *page)
{
	const struct fake_page *is = fake_page(page->grants[0].ref);
	unsigned char bytes[PAGE];

	memset(bytes, share->content, PAGE);
	for (int i = 0; i <= DOMIDS; i++) {
		/* The first one may be gone, but what is set then holds. */
		if (i && !page->grants[i].is)
			continue;
		notify(&page->grants[i], bytes);
		expect(fake_page(page->grants[i].ref)->released);
		if (!i)
			continue;
		model.listed--;
		model.released++;
	}
	expect(is->released);
	/* Two shares can have memory in common. */
	expect(share->is_memory || !memcmp(is->bytes, bytes, PAGE));
	if (share->is_memory)
		memset(is->bytes, share->content, PAGE);
}

void model_delist(struct model_share *share)
{
	share->unlisted = true;
	model.listed -= share->count;
}

void model_end(struct model_share *share)
{
	model.mapped -= share->is_memory ? 0 : share->count;
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

static void check_grant(const struct model_share *share,
			const struct model_grant *grant,
			const struct fake_page *of)
{
	const struct fake_page *is = fake_page(grant->ref);

	expect(is->ref == grant->ref);
	expect(!is->released);
	expect(is->granted && is->domid == grant->domid);
	expect(is->action == grant->action);
	expect(is->offset == grant->offset || !grant->action);
	expect(is->of == of);
	expect(is->bytes[0] == share->content);
}

static void check_share(const struct model_share *share)
{
	for (uint32_t i = 0; i < share->count; i++) {
		const struct model_grant *grants = share->pages[i].grants;
		const struct fake_page *is = fake_page(grants[0].ref);

		expect(is->granted == grants[0].is);
		expect(is->listed == !share->unlisted);
		expect(share->is_memory ||
		       (char *)is->addr == share->addr + i * PAGE);
		if (grants[0].is)
			check_grant(share, &grants[0], NULL);
		for (int n = 1; n <= DOMIDS; n++) {
			if (!grants[n].is)
				continue;
			check_grant(share, &grants[n], is);
			expect(fake_page(grants[n].ref)->listed);
		}
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
