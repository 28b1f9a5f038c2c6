// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The ledger's cases about the grant table and the peer. They need a small
 * table, so that filling it takes little time.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "anypeer.h"
#include "ledger.h"

/* Above what the grant table holds, so that the table is what is full. */
#define NO_LIMIT 1000000

/* A full table; whoever closes @fd empties it. */
static uint32_t fill_table(int fd)
{
	uint32_t count = fill(fd);

	if (errno != ENOSPC || count < 100)
		cannot("fill the grant table (%u pages)", count);
	return count;
}

static void count_after_failure(void)
{
	int fd = must_open_device(), result;
	uint32_t total;

	set_parameter("limit", NO_LIMIT);
	total = fill_table(fd);
	close(fd);
	fd = must_open_device();
	result = alloc(fd, 1);
	expect(!result, "%u pages until ENOSPC, all freed, then 1 page: %s",
	       total, outcome(result));
	if (parameter("used") >= 0)
		expect(parameter("used") == 1, "used %ld", parameter("used"));
}

/* So many calls fail; each may not keep a page. */
#define FAILURES 1500

static void memory_after_failure(void)
{
	int fd = must_open_device(), failed = 0;
	long before, lost, used;

	set_parameter("limit", NO_LIMIT);
	fill_table(fd);
	used = parameter("used");
	before = read_number("/proc/meminfo", "MemFree:");
	for (int i = 0; i < FAILURES; i++)
		failed += alloc(fd, 1) && errno == ENOSPC;
	lost = before - read_number("/proc/meminfo", "MemFree:");
	if (failed != FAILURES)
		cannot("have %d calls fail, only %d", FAILURES, failed);
	/* Half of a page a call: others use memory meanwhile, too. */
	expect(lost < FAILURES * 4 / 2, "%d failed calls cost %ld KiB",
	       FAILURES, lost);
	if (used >= 0)
		expect(parameter("used") == used, "used %ld, before %ld",
		       parameter("used"), used);
}

/* A call that fails after its first page: five are free, ten are wanted. */
static void failure_half_way(void)
{
	int fd = must_open_device(), result;
	long used;
	uint64_t five;

	set_parameter("limit", NO_LIMIT);
	five = must_alloc(fd, 5);
	fill_table(fd);
	if (dealloc(fd, five, 5))
		cannot("free 5 pages");
	used = parameter("used");

	result = alloc(fd, 10);
	expect(result && errno == ENOSPC && refs[0] == 0xAAAAAAAA &&
		       refs[4] == 0xAAAAAAAA && !last_index,
	       "10 pages with 5 references free: %s", outcome(result));
	if (used >= 0)
		expect(parameter("used") == used, "used %ld, before %ld",
		       parameter("used"), used);
	result = alloc(fd, 5);
	expect(!result, "then 5 pages: %s", outcome(result));
}

#define LINGER_LIMIT 50
#define LINGER_STEP 25
#define LINGER_ROUNDS 12

static void lingering_pages_count(void)
{
	long slots[LINGER_ROUNDS];
	int fd = must_open_device(), n, result;
	bool kept;
	long used;

	set_parameter("limit", LINGER_LIMIT);
	for (n = 0; n < LINGER_ROUNDS; n++) {
		if (alloc(fd, LINGER_STEP))
			break;
		slots[n] = peer_map(refs, LINGER_STEP);
		if (slots[n] < 0 || dealloc(fd, last_index, LINGER_STEP))
			cannot("map as the peer and unshare");
		peer_fill(slots[n], (uint32_t)n);
	}
	expect(n * LINGER_STEP <= LINGER_LIMIT && n,
	       "limit %d: %d pages in use, all unshared and still mapped",
	       LINGER_LIMIT, n * LINGER_STEP);
	if (parameter("lingering") >= 0)
		expect(parameter("lingering") == n * LINGER_STEP &&
			       parameter("used") == n * LINGER_STEP,
		       "lingering %ld, used %ld", parameter("lingering"),
		       parameter("used"));

	/* The first are found by a caller, the others in the background. */
	if (n)
		peer_unmap(slots[0]);
	result = alloc(fd, LINGER_STEP);
	expect(!result, "peer unmaps %d, then %d pages at once: %s",
	       LINGER_STEP, LINGER_STEP, outcome(result));
	if (n < 2)
		return;
	if (parameter("used") >= 0) {
		dealloc(fd, last_index, LINGER_STEP);
		while (n > 2)
			peer_unmap(slots[--n]);
		used = parameter_becomes("used", LINGER_STEP);
		expect(used == LINGER_STEP,
		       "it unmaps all but %d: used %ld soon", LINGER_STEP,
		       used);
	}
	/* Without the module the peer still has them. */
	close(fd);
	reload();
	fd = must_open_device();
	set_parameter("limit", NO_LIMIT);
	for (int i = 0; i < 40; i++)
		must_alloc(fd, LINGER_STEP);
	kept = !peer_differing(slots[1], 1);
	expect(kept, "module unloaded and loaded: the peer's pages are %s",
	       kept ? "as before" : "lost");
	while (n > 1)
		peer_unmap(slots[--n]);
}

/* Whether the peer can map what was shared under @ref. */
static bool granted(uint32_t ref)
{
	long slot = peer_map(&ref, 1);

	if (slot >= 0)
		peer_unmap(slot);
	return slot >= 0;
}

static void part_of_a_mapping(void)
{
	int fd = must_open_device(), ended = 0;
	char *pages;

	must_alloc(fd, 4);
	pages = map(fd, last_index, 4);
	if (pages == MAP_FAILED || dealloc(fd, last_index, 4))
		cannot("map and unshare");
	for (int i = 0; i < 4; i++)
		if (!granted(refs[i]))
			cannot("map page %d as the peer", i);
	munmap(pages + PAGE, 2 * PAGE);
	/* What the peer only just unmapped may take a moment. */
	for (int tries = 0; ended < 2 && tries < 20; tries++) {
		usleep(tries ? 100000 : 0);
		ended = !granted(refs[1]) + !granted(refs[2]);
	}
	expect(ended == 2, "2 of 4 pages unmapped: %d grants ended", ended);
	expect(granted(refs[0]) && granted(refs[3]),
	       "those still mapped can%s be mapped by the peer",
	       granted(refs[0]) && granted(refs[3]) ? "" : "not");
}

/* ---- numbers that are used again ---- */

#define REUSE_ROUNDS 50

static const char first[] = "first";

static bool among(uint32_t ref, const uint32_t *list, int count)
{
	while (count--)
		if (list[count] == ref)
			return true;
	return false;
}

/* Share page by page until a number comes that was given back: whose it was. */
static const char *reused(int fd, const uint32_t ref[3])
{
	static const char *const places[] = { first, "second", "third" };

	while (!alloc(fd, 1))
		for (int i = 0; i < 3; i++)
			if (refs[0] == ref[i])
				return places[i];
	return outcome(-1);
}

static void numbers_rest(void)
{
	uint32_t seen[REUSE_ROUNDS], ref[9];
	int fd = must_open_device(), again = 0, result;
	bool back = false;
	const char *got;
	long delay = parameter("ref_delay");
	uint64_t index[9];

	set_parameter("limit", NO_LIMIT);
	/* However slow the machine is: nobody waits for this to end. */
	if (delay >= 0)
		set_parameter("ref_delay", 3600000);
	for (int i = 0; i < REUSE_ROUNDS; i++) {
		must_alloc(fd, 1);
		again += among(refs[0], seen, i);
		seen[i] = refs[0];
		dealloc(fd, last_index, 1);
	}
	expect(!again, "%d shares and unshares: %d got a number back at once",
	       REUSE_ROUNDS, again);

	for (int i = 0; i < 9; i++) {
		index[i] = must_alloc(fd, 1);
		ref[i] = refs[0];
	}
	/* The rest ends: three more, with the delay as it is. */
	if (delay >= 0)
		set_parameter("ref_delay", (unsigned int)delay);
	for (int i = 6; i < 9; i++)
		if (dealloc(fd, index[i], 1))
			cannot("unshare one of three");
	usleep(delay < 0 ? 100000 : (unsigned int)delay * 1500 + 100000);
	/* In no order, and among those of the rounds. */
	for (int i = 0; i < 2 * REUSE_ROUNDS && !back; i++) {
		must_alloc(fd, 1);
		back = among(refs[0], ref + 6, 3);
	}
	expect(back, "after the delay, %d pages: %s", 2 * REUSE_ROUNDS,
	       back ? "one of three" : "none of three");
	if (delay >= 0)
		set_parameter("ref_delay", 3600000);

	for (int i = 0; i < 3; i++)
		if (dealloc(fd, index[i], 1))
			cannot("unshare one of three");
	got = reused(fd, ref);
	expect(got == first,
	       "3 given back, then shares until the table is full: the %s is used first",
	       got);

	/* Others need them then, so that none rests. */
	fill_table(fd);
	for (int i = 3; i < 6; i++)
		if (dealloc(fd, index[i], 1))
			cannot("unshare one of three");
	result = alloc(fd, 3);
	expect(!result, "3 given back in a full table, then 3 pages: %s",
	       outcome(result));
	if (delay >= 0)
		set_parameter("ref_delay", (unsigned int)delay);
}

/* ---- the operation that ends a grant ---- */

static bool module_has(const char *symbol)
{
	static char text[1 << 20];
	int fd = open("/lib/modules/xen-gntalloc.ko", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (size <= 0)
		cannot("read the module");
	close(fd);
	/* With its zero byte, so that no longer name is found. */
	return memmem(text, (size_t)size, symbol, strlen(symbol) + 1);
}

static void end_in_one_step(void)
{
	static const char *const one_step[] = {
		"gnttab_end_foreign_access",
		"gnttab_end_foreign_access_ref",
		"gnttab_try_end_foreign_access",
	};
	const char *two_steps = "gnttab_query_foreign_access";
	bool found = false;

	expect(!module_has(two_steps), "by construction: %s %s",
	       module_has(two_steps) ? "imports" : "does not import",
	       two_steps);
	for (size_t i = 0; i < sizeof(one_step) / sizeof(*one_step); i++)
		if (module_has(one_step[i])) {
			expect(true, "imports %s", one_step[i]);
			found = true;
		}
	if (!found)
		expect(false, "nor anything that ends a grant");
}

const struct ledger_case table_cases[] = {
	{ "K1", count_after_failure },	 { "K3", memory_after_failure },
	{ "K6", lingering_pages_count }, { "K7", part_of_a_mapping },
	{ "K14", failure_half_way },	 { "K15", end_in_one_step },
	{ "K16", numbers_rest },	 { NULL, NULL },
};
