// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Starts a frontend that is not trusted. It gets a descriptor of the grant
 * allocation device that is bound to one domain and to so many pages, and no
 * right to open the device itself. What it runs as is in NAME, and where the
 * descriptor is, in the environment: see confined.c for such a frontend.
 */
#include "common.h"

#include <fcntl.h>
#include <gntshr.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <xentoollog.h>

/* What is bound stays so, whatever the program does: it may be evil. */
static int open_bound(uint32_t domid, uint32_t pages)
{
	struct xentoollog_logger *logger =
		(struct xentoollog_logger *)xtl_createlogger_stdiostream(
			stderr, XTL_ERROR, 0);
	gntshr_handle *h = gntshr_open(logger, 0);

	if (!h)
		err(1, "no grant allocation device");
	if (gntshr_restrict(h, domid, pages))
		err(1, "cannot bind the descriptor to domain %u", domid);
	return gntshr_fd(h);
}

/* The descriptor is close-on-exec until it is told otherwise. */
static void pass_on(int fd)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	if (fcntl(fd, F_SETFD, 0) || setenv("GNTSHR_FD", number, 1))
		err(1, "cannot pass descriptor %d on", fd);
}

/* In this order: after setuid() the others are not allowed any more. */
static void drop_rights(const char *name)
{
	const struct passwd *user = getpwnam(name);

	if (!user)
		errx(1, "there is no user %s", name);
	if (!user->pw_uid)
		errx(1, "%s has every right", name);
	if (setgroups(0, NULL) || setgid(user->pw_gid) || setuid(user->pw_uid))
		err(1, "cannot become %s", name);
	/* Nor do they come back by a setuid program. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err(1, "cannot give up new rights");
}

int main(int argc, char **argv)
{
	uint32_t domid, pages;

	if (argc < 5)
		errx(2, "usage: launcher DOMID PAGES USER PROGRAM "
			"[ARGUMENT]...");
	domid = argument("DOMID", argv[1], MAX_DOMID);
	pages = argument("PAGES", argv[2], ~0u);
	pass_on(open_bound(domid, pages));
	drop_rights(argv[3]);
	execvp(argv[4], argv + 4);
	err(1, "cannot start %s", argv[4]);
}
