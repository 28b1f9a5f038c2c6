/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the pool (pool.c) and the compositor (compositor.c) have agreed on.
 *
 * The pool's domain shares two things with the compositor's: a page of control,
 * and the pages of the pool. In xenstore, in POOL_DIR, there are control-ref
 * and event-channel; the references of the pool's pages, which can be many, are
 * in the page of control.
 *
 * A buffer is a place in the pool. The pool's side describes one in the page of
 * control, adds 1 to committed and signals; the compositor looks at it where it
 * is, sets released to the same number and signals. The compositor here checks
 * what was drawn, and turns the buffer into its negative for an answer.
 */
#ifndef EXAMPLE_POOL_H
#define EXAMPLE_POOL_H

#include <stddef.h>
#include <stdint.h>

#define POOL_DIR "data/gntshr-pool"
#define MAX_POOL_PAGES 900

struct buffer {
	uint32_t offset;	/* bytes, in the pool */
	uint32_t width, height; /* pixels, of four bytes, line by line */
	uint32_t frame;
};

struct pool_control {
	uint32_t alive; /* cleared by the kernel when the pool's side goes */
	uint32_t num_pages;
	uint32_t committed, released;
	struct buffer buffer;
	uint32_t refs[MAX_POOL_PAGES];
};

static inline size_t pixels(const struct buffer *b)
{
	return (size_t)b->width * b->height;
}

/* The i-th pixel of a frame as it is drawn: each frame is another picture. */
static inline uint32_t pixel(const struct buffer *b, uint32_t i)
{
	return (i + 1) * 2654435761u ^ b->frame << 20;
}

#endif
