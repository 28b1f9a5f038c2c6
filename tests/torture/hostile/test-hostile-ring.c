// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A backend that writes what it likes into the ring and the pages of
 * examples/frontend. That may give up, but not crash, and not take an answer
 * that nobody gave.
 */

#include "test-hostile.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xenstore.h>

#include "../../examples/protocol.h"

#define DIRECTORY "/local/domain/0/data/hostile"
#define DATA_PAGES "4"
#define SCRIBBLES 200
#define RING_SLOTS __CONST_RING_SIZE(example, EXAMPLE_PAGE_SIZE)

enum way {
	TOO_FAR,
	BACKWARDS,
	UNKNOWN_ID,
	HUGE_ID,
	SAME_ID,
	WRONG_SUM,
	ALL_ONES,
	NOISE,
	FLOOD,
	WAYS
};

/* What it must say. */
static const char *const words[WAYS] = {
	[TOO_FAR] = "broke the ring",  [BACKWARDS] = "broke the ring",
	[UNKNOWN_ID] = "no request",   [HUGE_ID] = "no request",
	[SAME_ID] = "no request",      [WRONG_SUM] = "checksum",
	[ALL_ONES] = "broke the ring", [NOISE] = "broke the ring",
	[FLOOD] = "no answer",
};

static struct {
	pid_t pid;
	int out;
	char said[512];
	struct xs_handle *xs;
	xenevtchn_handle *evtchn;
	int port;
	long ring_slot, data_slot;
	example_sring_t *sring;
	uint8_t *data;
	uint32_t checksum;
} f;

static uint32_t read_key_of(const char *name)
{
	char path[128], *text = NULL;
	uint32_t value;

	snprintf(path, sizeof(path), DIRECTORY "/%s", name);
	for (int i = 0; !text && i < PATIENCE_MS / 10; i++) {
		text = xs_read(f.xs, XBT_NULL, path, NULL);
		if (!text)
			usleep(10000);
	}
	assert_non_null(text);
	value = (uint32_t)strtoul(text, NULL, 10);
	free(text);
	return value;
}

/* Until it has published all, and asks for something. */
static void start_frontend(void)
{
	uint32_t ref, data[4];
	char key[32];
	int out[2];

	xs_rm(f.xs, XBT_NULL, DIRECTORY);
	assert_int_equal(pipe(out), 0);
	fflush(NULL);
	f.pid = fork();
	if (!f.pid) {
		dup2(out[1], 1);
		dup2(out[1], 2);
		execlp("frontend", "frontend", "--path", DIRECTORY, "--pages",
		       DATA_PAGES, "--requests", "1000", "--timeout", "5",
		       NULL);
		_exit(127);
	}
	close(out[1]);
	f.out = out[0];
	read_key_of("state");
	ref = read_key_of("ring-ref");
	for (int i = 0; i < 4; i++) {
		snprintf(key, sizeof(key), "data-ref%d", i);
		data[i] = read_key_of(key);
	}
	f.port = xenevtchn_bind_interdomain(f.evtchn, 0,
					    read_key_of("event-channel"));
	f.ring_slot = peer_map(&ref, 1);
	f.data_slot = peer_map(data, 4);
	assert_true(f.port >= 0 && f.ring_slot >= 0 && f.data_slot >= 0);
	f.sring = (void *)peer_pages(f.ring_slot);
	f.data = peer_pages(f.data_slot);
	for (int i = 0; READ_ONCE(f.sring->req_prod) == 0; i++) {
		assert_in_range(i, 0, PATIENCE_MS / 10);
		usleep(10000);
	}
}

static void answer(uint32_t n, uint32_t id, uint32_t status, uint32_t checksum)
{
	f.sring->ring[n % RING_SLOTS].rsp =
		(struct example_response){ id, status, checksum };
}

/* The first request, done as it should be, but for the checksum. */
static void do_request(uint32_t off)
{
	struct example_request request = f.sring->ring[0].req;
	uint8_t *text =
		f.data + request.page * EXAMPLE_PAGE_SIZE + request.offset;

	f.checksum = CHECKSUM_START;
	for (uint16_t i = 0; i < request.length; i++) {
		f.checksum = checksum_add(f.checksum, text[i]);
		text[i] = transform(request.operation, text[i]);
	}
	answer(0, request.id, EXAMPLE_DONE, f.checksum + off);
}

static void signal_it(void)
{
	if (xenevtchn_notify(f.evtchn, (uint32_t)f.port))
		fail_msg("cannot signal");
}

static bool it_is_over(int *status)
{
	return waitpid(f.pid, status, WNOHANG) == f.pid;
}

static void noise(void *to, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((volatile uint8_t *)to)[i] = (uint8_t)(rand() >> 7);
}

/* For the time @n. */
static void scribble(enum way way, unsigned int n)
{
	example_sring_t *sring = f.sring;

	switch (way) {
	case TOO_FAR:
		sring->rsp_prod = n * 1000 + 1 + RING_SLOTS;
		break;
	case BACKWARDS:
		sring->rsp_prod = (RING_IDX)-1 - n;
		break;
	case UNKNOWN_ID:
		answer(0, 63, EXAMPLE_DONE, CHECKSUM_START);
		sring->rsp_prod = 1;
		break;
	case HUGE_ID:
		answer(0, 0x7FFFFF00, EXAMPLE_DONE, CHECKSUM_START);
		sring->rsp_prod = 1;
		break;
	case SAME_ID:
		if (n)
			break;
		do_request(0);
		answer(1, 0, EXAMPLE_DONE, f.checksum);
		sring->rsp_prod = 2;
		break;
	case WRONG_SUM:
		if (n)
			break;
		do_request(1);
		sring->rsp_prod = 1;
		break;
	case ALL_ONES:
		memset(sring, 0xFF, EXAMPLE_PAGE_SIZE);
		memset(f.data, 0xFF, 4 * EXAMPLE_PAGE_SIZE);
		break;
	case NOISE:
		noise(sring, EXAMPLE_PAGE_SIZE);
		noise(f.data, 4 * EXAMPLE_PAGE_SIZE);
		break;
	default:
		break;
	}
	signal_it();
}

/* It must end by itself, with a word, or when it is no longer signalled. */
static void must_give_up(enum way way)
{
	int status = 0;
	unsigned int n;
	ssize_t size;

	for (n = 0; n < SCRIBBLES && !it_is_over(&status); n++) {
		scribble(way, n);
		usleep(500);
	}
	if (n == SCRIBBLES)
		assert_int_equal(waitpid(f.pid, &status, 0), f.pid);
	size = read(f.out, f.said, sizeof(f.said) - 1);
	f.said[size > 0 ? size : 0] = '\0';
	close(f.out);
	print_message("way %d: status %#x: %s", (int)way, (unsigned int)status,
		      f.said);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_non_null(strstr(f.said, words[way]));
}

void a_backend_scribbles(void **state)
{
	(void)state;
	srand(4);
	f.xs = xs_open(0);
	f.evtchn = xenevtchn_open(NULL, 0);
	for (int way = 0; way < WAYS; way++) {
		start_frontend();
		must_give_up((enum way)way);
		xenevtchn_unbind(f.evtchn, (uint32_t)f.port);
		peer_unmap(f.ring_slot);
		peer_unmap(f.data_slot);
		assert_used_becomes(0);
	}
	xs_rm(f.xs, XBT_NULL, DIRECTORY);
	xs_close(f.xs);
	xenevtchn_close(f.evtchn);
}
