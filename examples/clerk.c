// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The backend of survivor.c: stamps the entries of its ledger, and goes on
 * where the clerk before it was when its domain ended. See survivor.h.
 */
#include "survivor.h"
#include "wait.h"

#include <sys/mman.h>
#include <unistd.h>
#include <xengnttab.h>

struct clerk {
	uint32_t survivor, own;
	char dir[64];
	xengnttab_handle *gnttab;
	struct xs_handle *xs;
	struct ledger *ledger;
};

static void open_all(struct clerk *c)
{
	char *domid;

	c->gnttab = xengnttab_open(NULL, 0);
	if (!c->gnttab)
		err(1, "no grant mapping device");
	c->xs = xs_open(0);
	if (!c->xs)
		err(1, "no xenstore");
	domid = xs_read(c->xs, XBT_NULL, "domid", NULL);
	if (!domid || !to_number(domid, MAX_DOMID, &c->own))
		err(1, "xenstore does not tell this domain's domid");
	free(domid);
	snprintf(c->dir, sizeof(c->dir), "/local/domain/%u/%s/%u", c->survivor,
		 SURVIVOR_DIR, c->own);
}

static void map_ledger(struct clerk *c)
{
	uint32_t refs[LEDGER_PAGES];
	char key[16];

	wait_key(c->xs, c->dir, "ref0", UINT32_MAX);
	for (uint32_t i = 0; i < LEDGER_PAGES; i++) {
		snprintf(key, sizeof(key), "ref%u", i);
		refs[i] = wait_key(c->xs, c->dir, key, UINT32_MAX);
	}
	c->ledger = xengnttab_map_domain_grant_refs(c->gnttab, LEDGER_PAGES,
						    c->survivor, refs,
						    PROT_READ | PROT_WRITE);
	if (!c->ledger)
		err(1, "cannot map the ledger of domain %u", c->survivor);
}

/* How many have been made and stamped; the survivor is not trusted. */
static uint32_t count(const uint32_t *at)
{
	uint32_t value = __atomic_load_n(at, __ATOMIC_ACQUIRE);

	if (value > MAX_ENTRIES)
		errx(1, "%u entries are more than the ledger holds", value);
	return value;
}

static void check_entry(const struct clerk *c, uint32_t i)
{
	uint32_t number = READ_ONCE(c->ledger->entries[i].number);

	if (number != number_of(i))
		errx(1, "entry %u of domain %u is %#x", i, c->survivor, number);
}

static void work(struct clerk *c)
{
	uint32_t i = count(&c->ledger->stamped);

	for (; i < count(&c->ledger->made); i++) {
		check_entry(c, i);
		c->ledger->entries[i].stamp = c->own;
		__atomic_store_n(&c->ledger->stamped, i + 1, __ATOMIC_RELEASE);
	}
}

/*
 * A domain that is destroyed, or saved, tells nobody, but its directory goes.
 * To ask xenstore takes longer than to look at a byte.
 */
static bool is_there(struct clerk *c, uint32_t turn)
{
	uint32_t ref;

	return READ_ONCE(c->ledger->alive) &&
	       (turn % 20 ||
		read_key(c->xs, XBT_NULL, c->dir, "ref0", UINT32_MAX, &ref));
}

int main(int argc, char **argv)
{
	struct clerk c = { 0 };
	uint32_t before;

	if (argc != 2)
		errx(2, "usage: clerk DOMID");
	c.survivor = argument("DOMID", argv[1], MAX_DOMID);
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_all(&c);
	map_ledger(&c);
	before = count(&c.ledger->stamped);
	for (uint32_t i = 0; i < before; i++)
		check_entry(&c, i);
	printf("clerk: domain %u has %u entries of before, all right\n",
	       c.survivor, before);
	for (uint32_t turn = 0; is_there(&c, turn); turn++) {
		work(&c);
		usleep(PACE_MS * 1000 / 2);
	}
	printf("clerk: domain %u has gone\n", c.survivor);
	if (xengnttab_unmap(c.gnttab, c.ledger, LEDGER_PAGES))
		err(1, "cannot unmap");
	xengnttab_close(c.gnttab);
	xs_close(c.xs);
	return 0;
}
