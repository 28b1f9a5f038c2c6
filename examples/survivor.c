// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A frontend that outlives its backend, and the restore of its own domain. Its
 * data stay in the same pages, which gntshr_renew() grants to whoever comes
 * next. The end of the standard input ends it. See survivor.h.
 */
#include "survivor.h"
#include "wait.h"

#include <gntshr.h>
#include <stddef.h>
#include <unistd.h>
#include <xentoollog.h>

_Static_assert(sizeof(struct ledger) <= LEDGER_PAGES * 4096ul, "");

struct survivor {
	gntshr_handle *gntshr;
	struct xs_handle *xs;
	struct ledger *ledger;
	uint32_t clerk;
	bool connected;

	/* What the ledger must have in it: the clerk could write anything. */
	struct entry entries[MAX_ENTRIES];
	uint32_t made, stamped;
};

static void open_all(struct survivor *s)
{
	struct xentoollog_logger *logger =
		(struct xentoollog_logger *)xtl_createlogger_stdiostream(
			stderr, XTL_ERROR, 0);

	s->gntshr = gntshr_open(logger, 0);
	if (!s->gntshr)
		err(1, "no grant allocation device");
	s->xs = xs_open(0);
	if (!s->xs)
		err(1, "no xenstore");
	if (!xs_watch(s->xs, SURVIVOR_DIR "/backend-id", "backend-id"))
		err(1, "cannot watch %s in xenstore", SURVIVOR_DIR);
}

static void share(struct survivor *s, uint32_t *refs)
{
	s->ledger = gntshr_share_pages(s->gntshr, s->clerk, LEDGER_PAGES, refs,
				       GNTSHR_WRITABLE);
	if (!s->ledger)
		err(1, "cannot share the ledger with domain %u", s->clerk);
	s->ledger->alive = 1;
	/* It stays through each renewal. */
	if (gntshr_set_unmap_notify(s->gntshr, &s->ledger->alive,
				    GNTSHR_NOTIFY_CLEAR_BYTE, 0))
		err(1, "cannot arm the notification");
}

/* The pages, their address and what is in them are the same afterwards. */
static void renew(struct survivor *s, uint32_t *refs)
{
	if (gntshr_renew(s->gntshr, s->ledger, LEDGER_PAGES, s->clerk, refs,
			 GNTSHR_WRITABLE))
		err(1, "cannot renew the ledger for domain %u", s->clerk);
}

static void publish(struct survivor *s, const uint32_t *refs)
{
	char dir[64], key[16];

	snprintf(dir, sizeof(dir), "%s/%u", SURVIVOR_DIR, s->clerk);
	make_dir(s->xs, dir, s->clerk);
	for (uint32_t i = LEDGER_PAGES; i-- > 0;) {
		snprintf(key, sizeof(key), "ref%u", i);
		write_key(s->xs, XBT_NULL, dir, key, refs[i]);
	}
}

static void connect_clerk(struct survivor *s, uint32_t domid)
{
	uint32_t refs[LEDGER_PAGES];

	s->clerk = domid;
	if (s->ledger)
		renew(s, refs);
	else
		share(s, refs);
	publish(s, refs);
	s->connected = true;
	printf("survivor: %u entries, %u of them stamped, for domain %u\n",
	       s->made, s->stamped, domid);
}

/*
 * After a restore all references are dead, and the clerk's number may be a
 * stranger's: it has to be told again. The old directory has gone with the old
 * domain.
 */
static void see_restore(struct survivor *s)
{
	struct gntshr_status status;

	if (gntshr_status(s->gntshr, &status))
		err(1, "cannot ask for the status");
	s->connected = false;
	printf("survivor: this domain was restored, %u time(s) so far\n",
	       status.restores);
}

/* Both news may come in any order, so it looks after each of them. */
static void see_clerk(struct survivor *s)
{
	uint32_t domid;

	if (!read_key(s->xs, XBT_NULL, SURVIVOR_DIR, "backend-id", MAX_DOMID,
		      &domid))
		return;
	if (!s->connected || domid != s->clerk)
		connect_clerk(s, domid);
}

/* False at the end of the input. */
static bool wait_for_any(struct survivor *s)
{
	struct pollfd polls[3] = {
		{ .fd = gntshr_fd(s->gntshr), .events = POLLPRI },
		{ .fd = xs_fileno(s->xs), .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	char **fired, rest[64];

	if (poll(polls, 3, PACE_MS) < 0)
		err(1, "poll");
	if (polls[0].revents & POLLPRI)
		see_restore(s);
	if (polls[1].revents)
		while ((fired = xs_check_watch(s->xs)))
			free(fired);
	if (polls[0].revents || polls[1].revents)
		see_clerk(s);
	return !polls[2].revents || read(STDIN_FILENO, rest, sizeof(rest)) > 0;
}

/* One entry after the other: the next one when this one is stamped. */
static void work(struct survivor *s)
{
	uint32_t stamped =
		__atomic_load_n(&s->ledger->stamped, __ATOMIC_ACQUIRE);

	if (stamped == s->made && s->stamped < s->made) {
		s->entries[s->stamped].stamp =
			READ_ONCE(s->ledger->entries[s->stamped].stamp);
		s->stamped++;
		write_key(s->xs, XBT_NULL, SURVIVOR_DIR, "stamped", s->stamped);
	}
	if (s->stamped < s->made || s->made == MAX_ENTRIES)
		return;
	s->entries[s->made].number = number_of(s->made);
	s->ledger->entries[s->made] = s->entries[s->made];
	s->made++;
	__atomic_store_n(&s->ledger->made, s->made, __ATOMIC_RELEASE);
}

/* All that was ever written is where it was. */
static void check_ledger(const struct survivor *s)
{
	const struct entry *is = s->ledger->entries, *should = s->entries;
	uint32_t last = 0;

	for (uint32_t i = 0; i < s->stamped; i++)
		if (is[i].number != should[i].number ||
		    is[i].stamp != should[i].stamp)
			errx(1, "entry %u is %#x of domain %u, not %#x of %u",
			     i, is[i].number, is[i].stamp, should[i].number,
			     should[i].stamp);
	printf("survivor: %u entries, stamped by", s->stamped);
	for (uint32_t i = 0; i < s->stamped; i++)
		if (!i || should[i].stamp != last)
			printf(" %u", last = should[i].stamp);
	printf("\n");
}

static void close_all(struct survivor *s)
{
	if (!xs_rm(s->xs, XBT_NULL, SURVIVOR_DIR) && errno != ENOENT)
		err(1, "cannot remove %s from xenstore", SURVIVOR_DIR);
	if ((s->ledger && gntshr_unshare(s->gntshr, s->ledger, LEDGER_PAGES)) ||
	    gntshr_close(s->gntshr))
		err(1, "cannot unshare");
	xs_close(s->xs);
}

int main(void)
{
	static struct survivor s;

	setvbuf(stdout, NULL, _IOLBF, 0);
	open_all(&s);
	while (wait_for_any(&s))
		if (s.ledger)
			work(&s);
	if (s.ledger)
		check_ledger(&s);
	close_all(&s);
	return 0;
}
