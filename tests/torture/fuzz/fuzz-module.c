// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A fuzzer with a model for the kernel module: random calls of several
 * processes, and after each one what it came to, the module's counters, events,
 * bytes in memory and what the peer can map are compared with the model.
 *
 * What deviates is made short: the same steps are taken again, in new
 * processes, without some of them, as long as they end in the same deviation.
 *
 *	fuzz-module --help
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xen/gntalloc.h>

#include "fuzz.h"
#include "module.h"
#include "xen-gntalloc.h"

/* Until a broken module is taken to have lost pages; more at first. */
#define PATIENCE_MS 20000
#define AGAIN_MS 200

static unsigned long steps = 20000, seconds, shrink_seconds = 120;
static const char *peer;
static time_t started;

static void usage(void)
{
	puts("Usage: fuzz-module [OPTION]...\n"
	     "\n"
	     "  --seed N        of the first episode; the next has N + 1 (default: any)\n"
	     "  --steps N       how many (default 20000)\n"
	     "  --length N      of an episode (default 3000)\n"
	     "  --seconds N     stop after that time\n"
	     "  --shrink N      seconds to make a failure short (default 120)\n"
	     "  --peer WHICH    self: this domain maps what it grants; remote: the\n"
	     "                  program peer in dom0; none (default: self in dom0,\n"
	     "                  else remote)\n"
	     "  --peer-every N  only one in N of the peer's steps (default 1, for\n"
	     "                  remote 100)\n"
	     "  --valid         only arguments that are right by themselves, and no\n"
	     "                  read-only descriptors\n"
	     "  --trace         tell each step before it is taken\n"
	     "\n"
	     "After each step what it came to is compared with the model, and the places that\n"
	     "it was about. The counters are read if they ought to have changed, and each 4th\n"
	     "step; so are events. When steps are taken again to shorten them, all is compared\n"
	     "after each.");
}

static void probe(void)
{
	struct ioctl_gntalloc_unshare op = { .pad = 1 };

	fuzz->device_fd = open("/dev/xen/gntalloc", O_RDWR);
	if (fuzz->device_fd < 0)
		err(1, "cannot open /dev/xen/gntalloc");
	fuzz->arenas = ioctl(fuzz->device_fd, IOCTL_GNTALLOC_UNSHARE, &op) &&
		       errno != ENOTTY;
	fuzz->spare_fd = open_parameter("spare", O_RDONLY);
	/* None goes by itself. */
	if (fuzz->arenas)
		set_parameter("spare_idle", 3600000);
	fuzz->used_fd = open_parameter("used", O_RDONLY);
	fuzz->lingering_fd = open_parameter("lingering", O_RDONLY);
	fuzz->counters = fuzz->used_fd >= 0 && fuzz->lingering_fd >= 0;
	set_parameter("limit", LIMIT);
}

static const struct option options[] = { { "seed", 1, NULL, 's' },
					 { "steps", 1, NULL, 'n' },
					 { "length", 1, NULL, 'l' },
					 { "seconds", 1, NULL, 't' },
					 { "shrink", 1, NULL, 'k' },
					 { "peer", 1, NULL, 'p' },
					 { "trace", 0, NULL, 'v' },
					 { "peer-every", 1, NULL, 'e' },
					 { "valid", 0, NULL, 'r' },
					 { "help", 0, NULL, 'h' },
					 { 0 } };

static bool is_peer(const char *name)
{
	return !strcmp(name, "self") || !strcmp(name, "remote") ||
	       !strcmp(name, "none");
}

static void parse(int argc, char **argv)
{
	const char *type = getenv("XEN_DOMAIN_TYPE");
	int option;

	peer = type && strcmp(type, "dom0") ? "remote" : "self";
	fuzz->seed = (uint64_t)time(NULL);
	fuzz->length = 3000;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			fuzz->seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			steps = strtoul(optarg, NULL, 0);
			break;
		case 'l':
			fuzz->length = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 't':
			seconds = strtoul(optarg, NULL, 0);
			break;
		case 'k':
			shrink_seconds = strtoul(optarg, NULL, 0);
			break;
		case 'p':
			peer = optarg;
			break;
		case 'e':
			fuzz->peer_every =
				(unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 'v':
			fuzz->trace = true;
			break;
		case 'r':
			fuzz->valid = true;
			break;
		case 'h':
			usage();
			exit(0);
		default:
			usage();
			exit(2);
		}
	}
	if (optind < argc || !steps || !fuzz->length ||
	    fuzz->length > MAX_STEPS || !is_peer(peer)) {
		usage();
		exit(2);
	}
	if (!fuzz->peer_every)
		fuzz->peer_every = strcmp(peer, "remote") ? 1 : 100;
}

/* Whether the module comes to the counts from before an episode. */
static void check_nothing_left(unsigned int patience_ms)
{
	long used = 0, lingering = 0;

	if (!fuzz->counters)
		return;
	for (unsigned int i = 0; i < patience_ms; i++) {
		used = read_counter(fuzz->used_fd);
		lingering = read_counter(fuzz->lingering_fd);
		if (used == fuzz->m.base && lingering == fuzz->m.base_linger)
			return;
		reap();
		usleep(1000);
	}
	deviation("left behind: used is %ld more than before, lingering %ld",
		  used - fuzz->m.base, lingering - fuzz->m.base_linger);
	fuzz->m.base = used;
	fuzz->m.base_linger = lingering;
}

/* Returns whether all was as it must be. */
static bool episode(unsigned int patience_ms)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		peer_open(peer);
		run_episode();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		err(1, "cannot run an episode");
	if (status)
		deviation("controller: ended with status %#x",
			  (unsigned int)status);
	check_nothing_left(patience_ms);
	return !fuzz->failed;
}

/* ---- making it short ---- */

static bool same_kind(const char *a, const char *b)
{
	return !strncmp(a, b, strcspn(a, ":") + 1);
}

static unsigned long tries;

/* Does the list that is in place still fail, in the same way? */
static bool still_fails(unsigned int count, const char *kind)
{
	fuzz->steps = count;
	fuzz->replay = true;
	tries++;
	return !episode(AGAIN_MS) && same_kind(fuzz->what, kind);
}

static bool fails_without(const struct step *list, unsigned int count,
			  unsigned int from, unsigned int n, const char *kind)
{
	memcpy(fuzz->list, list, from * sizeof(*list));
	memcpy(fuzz->list + from, list + from + n,
	       (count - from - n) * sizeof(*list));
	return still_fails(count - n, kind);
}

/* Most of what was refused or skipped is of no matter. */
static unsigned int only_done(struct step *list, unsigned int count,
			      const char *kind)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < count; i++)
		if (list[i].done || i + 1 == count)
			fuzz->list[n++] = list[i];
	if (!still_fails(n, kind))
		return count;
	memcpy(list, fuzz->list, n * sizeof(*list));
	return n;
}

/* Take away halves, quarters, ... single steps. */
static unsigned int shorten(struct step *list, unsigned int count,
			    const char *kind, char *what)
{
	time_t end = time(NULL) + (time_t)shrink_seconds;
	unsigned int n = (count + 1) / 2, from;
	bool any = false;

	while (n && count > 1) {
		any = false;
		for (from = 0; from + n <= count && time(NULL) < end;) {
			if (!fails_without(list, count, from, n, kind)) {
				from += n;
				continue;
			}
			memmove(list + from, list + from + n,
				(count - from - n) * sizeof(*list));
			count -= n;
			strcpy(what, fuzz->what);
			any = true;
		}
		if (time(NULL) >= end)
			break;
		if (!any || n > 1)
			n /= 2;
	}
	return count;
}

/* If they are many, without those that were refused or skipped. */
static void print_list(const struct step *list, unsigned int count)
{
	char text[160];

	for (unsigned int i = 0; i < count; i++) {
		if (count > 60 && !list[i].done && i + 1 < count)
			continue;
		print_step(text, sizeof(text), &list[i]);
		printf("  %3u  %s\n", i + 1, text);
	}
	fflush(stdout);
}

static void report(unsigned long taken, uint64_t seed)
{
	static struct step list[MAX_STEPS];
	unsigned int count =
		fuzz->step < fuzz->steps ? fuzz->step + 1 : fuzz->steps;
	char what[sizeof(fuzz->what)], kind[sizeof(what)];

	memcpy(list, fuzz->list, sizeof(list));
	strcpy(what, fuzz->what);
	strcpy(kind, what);
	printf("fuzz-module: deviation after %lu steps (step %u of its episode)\n"
	       "  %s\n"
	       "replay: fuzz-module --seed %llu --steps %u --length %u --peer %s --peer-every %u%s\n",
	       taken + count, count, what, (unsigned long long)seed, count,
	       fuzz->length, peer, fuzz->peer_every,
	       fuzz->valid ? " --valid" : "");
	fflush(stdout);
	if (fails_without(list, count, 0, 0, kind))
		count = shorten(list, only_done(list, count, kind), kind, what);
	else
		printf("it did not happen again (now: %s)\n",
		       fuzz->failed ? fuzz->what : "nothing");
	printf("shortened to %u steps in %lu tries; the last one deviates, or the end:\n",
	       count, tries);
	print_list(list, count);
	printf("  %s\n", what);
	fflush(stdout);
}

/* Returns the number of steps taken, or 0 after a deviation. */
static unsigned long run(void)
{
	unsigned long taken = 0, told = 0;

	for (uint64_t seed = fuzz->seed; taken < steps; seed++) {
		unsigned long left = steps - taken;

		if (seconds && time(NULL) - started >= (time_t)seconds)
			break;
		fuzz->random = seed * 0x9E3779B97F4A7C15u;
		fuzz->steps =
			left < fuzz->length ? (unsigned int)left : fuzz->length;
		if (!episode(PATIENCE_MS)) {
			report(taken, seed);
			return 0;
		}
		taken += fuzz->steps;
		if (taken / 50000 == told)
			continue;
		told = taken / 50000;
		printf("fuzz-module: %lu steps, %ld s, next seed %llu\n", taken,
		       (long)(time(NULL) - started),
		       (unsigned long long)seed + 1);
		fflush(stdout);
	}
	return taken;
}

int main(int argc, char **argv)
{
	unsigned long taken;

	/* A step has called execve(). */
	if (argc == 3 && !strcmp(argv[1], "--process")) {
		attach_shared(argv[2]);
		return 1;
	}
	make_shared();
	parse(argc, argv);
	probe();
	open_events();
	started = time(NULL);
	printf("fuzz-module: seed %llu, %lu steps, peer %s, counters: %s, arenas: %s\n",
	       (unsigned long long)fuzz->seed, steps, peer,
	       fuzz->counters ? "yes" : "no", fuzz->arenas ? "yes" : "no");
	fflush(stdout);
	taken = run();
	if (!taken)
		return 1;
	printf("fuzz-module: %lu steps in %ld s, %lu calls, %lu of them refused\n1 passed, 0 failed\n",
	       taken, (long)(time(NULL) - started), fuzz->calls, fuzz->refused);
	return 0;
}
