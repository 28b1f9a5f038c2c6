// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Kills a process at every system call of its life with shared pages, and at
 * random instants of it. Each time the peer must be told once of the pages that
 * were armed, and never of others, and all must come back.
 *
 *	test-death [DEATHS [SEED]]
 *
 * Half of the deaths are of either kind.
 */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xenevtchn.h>

#include "anypeer.h"
#include "asks.h"
#include "device.h"
#include "module.h"
#include "remote.h"
#include "test-death.h"

/* After so many deaths the peer lets go of everything. */
#define BATCH 8
#define MAX_TOLD 20

struct life *life;
uint32_t domid;
struct seen seen;
unsigned int deaths;
bool has_requests;

/* What the peer had of the deaths of this batch, and still maps. */
static struct {
	long slots[BATCH * PAGES];
	uint32_t refs[BATCH * PAGES], seeds[BATCH * PAGES];
} kept;
static unsigned int num_kept, num_round;

static unsigned int told, spared, wrong;
static xenevtchn_handle *own_ports;

void complain(const char *what, ...)
{
	va_list args;

	if (wrong++ >= MAX_TOLD)
		return;
	printf("WRONG: death %u, %s: ", deaths, seen.how);
	va_start(args, what);
	vprintf(what, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

/* ---- around its life ---- */

void birth(const char *how, unsigned int kind, bool traced)
{
	unsigned long kill_ns = life->kill_ns;
	int status;

	for (int i = 0; i < PAGES; i++)
		seen.slots[i] = -1;
	seen.unlisted = seen.unmapped = false;
	seen.taken = 0;
	*life = (struct life){ .seed = 1 + 8 * num_round++,
			       .mapped = kind & 1,
			       .patient = kind & 1 && !traced,
			       .own_port = kind & 2,
			       .requests = kind & 8 && has_requests,
			       .event_page = kind & 4 ? NOTIFIED : FROM_START,
			       .kill_ns = traced ? 0 : kill_ns };
	if (!life->own_port)
		life->port =
			(uint32_t)xenevtchn_bind_unbound_port(own_ports, domid);
	snprintf(seen.how, sizeof(seen.how), "%s, %s, %s port%s", how,
		 life->mapped ? "mapped" : "not mapped",
		 life->own_port ? "its own" : "another's",
		 life->requests ? ", requests" : "");
	seen.pid = fork();
	if (!seen.pid) {
		if (traced && ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(8);
		live();
	}
	if (waitpid(seen.pid, &status, WUNTRACED) != seen.pid ||
	    !WIFSTOPPED(status))
		errx(1, "the process did not start");
	peer_bind(life->port);
	seen.events = 0;
}

/* The peer maps what there is to map; as pages of their own. */
static void take_pages(void)
{
	int known = life->known, more = known - seen.taken;

	if (more && life->mapped)
		peer_map_each(life->refs + seen.taken, (uint32_t)more,
			      seen.slots + seen.taken);
	seen.taken = known;
	life->seen = known;
}

/* Between how often and how often the peer must have been told by now. */
static void bounds(int page, bool dead, long *least, long *most)
{
	bool gone = dead || life->gone >= (page == FROM_START ? 4 : 2);
	int armed = life->armed[page];

	*least = gone && armed == ARMED;
	*most = gone &&
		(armed == ARMED || armed == ARMING || armed == CANCELLING);
}

static void judge_page(int page, bool dead, const struct look *look)
{
	long least, most, cleared;
	bool event = (uint32_t)page == life->event_page;

	bounds(page, dead, &least, &most);
	if (event && (seen.events < least || seen.events > most))
		complain("page %d: %ld events, not %ld to %ld", page,
			 seen.events, least, most);
	if (dead && event && seen.events)
		told++;
	else if (dead && !most)
		spared++;
	if (seen.slots[page] < 0)
		return;

	cleared = !look->byte;
	if (cleared < least || cleared > most)
		complain("page %d: the byte is %s", page,
			 cleared ? "cleared" : "not cleared");
	if (look->differing != cleared)
		complain("page %d: its content has changed", page);
	if (event && cleared != seen.events)
		complain("page %d: the byte is %s, but %ld events came", page,
			 cleared ? "cleared" : "not cleared", seen.events);
	if (dead && !event && cleared)
		told++;
}

void judge(bool dead)
{
	struct look looks[PAGES];
	long least, most;

	bounds((int)life->event_page, dead, &least, &most);
	peer_look_each(seen.slots, PAGES, life->seed, LIVE_BYTE, looks);
	/* The byte goes first, and the event may be a bit late. */
	if (seen.slots[life->event_page] >= 0 && !looks[life->event_page].byte)
		least = 1;
	/* Once something was wrong nobody waits for the rest. */
	seen.events += peer_events(least > seen.events && !wrong);
	for (int page = 0; page < PAGES; page++)
		judge_page(page, dead, &looks[page]);
}

/* The pages of one death, from @from on: where the next one's begin. */
static unsigned int judge_kept(unsigned int from)
{
	struct look looks[PAGES];
	unsigned int n = 0;

	while (from + n < num_kept && kept.seeds[from + n] == kept.seeds[from])
		n++;
	peer_look_each(kept.slots + from, n, kept.seeds[from], 0, looks);
	for (unsigned int i = 0; i < n; i++)
		if (kept.slots[from + i] >= 0 && looks[i].differing)
			complain("reference %u: changed after the end",
				 kept.refs[from + i]);
	return from + n;
}

/* What was kept must be as the peer left it, and then go. */
static void end_batch(void)
{
	long used, lingering, mapped;

	for (unsigned int i = 0; i < num_kept;)
		i = judge_kept(i);
	peer_unmap_each(kept.slots, num_kept);
	used = parameter_becomes("used", 0);
	lingering = parameter_becomes("lingering", 0);
	if (used > 0 || lingering > 0)
		complain("%ld pages used, %ld lingering", used, lingering);
	mapped = num_kept ? peer_try(kept.refs, num_kept) : 0;
	/* Without the counts nobody knows when they end. */
	for (int n = 0; mapped && used < 0 && n < 500; n++) {
		usleep(10000);
		mapped = peer_try(kept.refs, num_kept);
	}
	if (mapped)
		complain("%ld pages can still be mapped", mapped);
	num_kept = 0;
}

void bury(void)
{
	judge(true);
	peer_fill_each(seen.slots, (uint32_t)seen.taken, life->seed + 1);
	for (int i = 0; i < seen.taken; i++) {
		kept.slots[num_kept] = seen.slots[i];
		kept.seeds[num_kept] = life->seed + 1;
		kept.refs[num_kept++] = life->refs[i];
	}
	if (!life->own_port)
		xenevtchn_unbind(own_ports, life->port);
	if (num_kept + PAGES > BATCH * PAGES)
		end_batch();
}

bool killed(int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		errx(1, "the process ended with status %#x: %s",
		     (unsigned int)status, seen.how);
	return false;
}

/* ---- death at any instant ---- */

static void wait_for_death(void)
{
	int status;

	kill(seen.pid, SIGCONT);
	while (!waitpid(seen.pid, &status, WNOHANG)) {
		take_pages();
		usleep(50);
	}
	if (!killed(status))
		errx(1, "nothing killed the process");
	seen.taken = life->known;
}

static unsigned long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long)now.tv_sec * 1000000000 +
	       (unsigned long)now.tv_nsec;
}

/* How long a life takes that nobody cuts short. */
static unsigned long life_span(unsigned int kind)
{
	unsigned long start;
	int status;

	life->kill_ns = 1000000000ul * 3600;
	birth("measured", kind, false);
	start = now_ns();
	kill(seen.pid, SIGCONT);
	while (!life->done) {
		take_pages();
		usleep(50);
	}
	start = now_ns() - start;
	kill(seen.pid, SIGKILL);
	waitpid(seen.pid, &status, 0);
	bury();
	return start;
}

static void kill_at_random(unsigned int count)
{
	unsigned long span[16] = { 0 }, again;

	for (unsigned int n = 0; n < 12; n++) {
		unsigned int kind = (n & 1) | (n & 2) << 2;

		again = life_span(kind);
		if (again > span[kind])
			span[kind] = again;
	}
	printf("death: a life takes %lu us, %lu us with a peer that maps\n",
	       span[0] / 1000, span[1] / 1000);
	for (unsigned int i = 0; i < count; i++) {
		life->kill_ns = 1 + (unsigned long)(drand48() * 1.1 *
						    (double)span[i & 9]);
		birth("at random", i, false);
		wait_for_death();
		deaths++;
		bury();
	}
}

int main(int argc, char **argv)
{
	unsigned int count, stops = 0, sweeps = 0, traced;
	long seed = argc > 2 ? atol(argv[2]) : 1;
	struct ioctl_gntalloc_status status;
	int fd;

	srand48(seed);
	domid = peer_start();
	count = argc > 1 ? (unsigned int)atoi(argv[1]) : 2000u;
	own_ports = xenevtchn_open(NULL, 0);
	life = mmap(NULL, sizeof(*life), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!own_ports || life == MAP_FAILED)
		err(1, "cannot start");
	parameter_becomes("used", 0);
	fd = open_device();
	has_requests = !ask_status(fd, 0, &status);
	close(fd);

	while (deaths < count / 2) {
		unsigned int found = kill_at_each(sweeps++, count / 2 - deaths);

		stops = found > stops ? found : stops;
	}
	traced = deaths;
	printf("death: %u at entry and exit of system calls, %u of them %u times over\n",
	       traced, stops, sweeps);
	fflush(stdout);
	kill_at_random(count - traced);
	end_batch();
	printf("death: %u at random instants, seed %ld\n", deaths - traced,
	       seed);
	printf("death: told once %u times, rightly not told %u times, %u complaints; %ld used, %ld lingering\n",
	       told, spared, wrong, parameter("used"), parameter("lingering"));
	printf("%d passed, %d failed\n", !wrong, !!wrong);
	return wrong ? 1 : 0;
}
