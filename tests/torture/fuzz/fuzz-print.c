// SPDX-License-Identifier: LGPL-2.1-or-later
/* How a step is told. */

#include <stdio.h>
#include <string.h>

#include "fuzz.h"

static const char *const names[OPS] = {
	[OP_OPEN] = "open",
	[OP_CLOSE] = "close",
	[OP_DUP] = "dup",
	[OP_ALLOC] = "alloc",
	[OP_DEALLOC] = "dealloc",
	[OP_NOTIFY] = "notify",
	[OP_ADD_PEER] = "add peer",
	[OP_MEMORY] = "share memory",
	[OP_RENEW] = "renew",
	[OP_REVOKE] = "revoke",
	[OP_STATUS] = "status",
	[OP_RESTRICT] = "restrict",
	[OP_MAP] = "mmap",
	[OP_ARENA] = "mmap arena",
	[OP_UNSHARE] = "unshare",
	[OP_SHARE] = "share",
	[OP_UNSHARE_AT] = "unshare at",
	[OP_UNMAP] = "munmap",
	[OP_MOVE] = "mremap",
	[OP_PROTECT] = "mprotect",
	[OP_DONTNEED] = "madvise dontneed",
	[OP_DONTFORK] = "madvise dontfork",
	[OP_WRITE] = "write",
	[OP_CHECK] = "check all",
	[OP_FORK] = "fork",
	[OP_EXEC] = "exec",
	[OP_END] = "end",
	[OP_SPAWN] = "spawn",
	[OP_REAP] = "reap",
	[OP_PEER_MAP] = "peer: map",
	[OP_PEER_UNMAP] = "peer: unmap",
	[OP_PEER_FILL] = "peer: fill",
};

static const char *const variants[OPS][8] = {
	[OP_ALLOC] = { "", ", unknown flags", ", a reserved domid", ", count 0",
		       ", bad address", ", no room for references",
		       ", for another domain", ", count 2^31" },
	[OP_DEALLOC] = { "", ", index not aligned", ", count 0",
			 ", bad address" },
	[OP_NOTIFY] = { "", ", unknown action", ", unknown port" },
	[OP_MAP] = { "", ", private", ", index not aligned", ", over others" },
	[OP_ARENA] = { "", ", private", ", index not aligned",
		       ", over others" },
	[OP_UNSHARE] = { "", ", index not aligned", ", count 0",
			 ", bad address", ", pad not 0" },
	[OP_SHARE] = { "", ", unknown flags", ", a reserved domid", ", count 0",
		       ", bad address", ", no room for references",
		       ", address not aligned", ", for another domain" },
	[OP_MOVE] = { "", ", one page less", ", one page more",
		      ", old length 0" },
};

/* Of all requests about grants and descriptors. */
static const char *const grant_variants[8] = {
	"",
	", unknown flags",
	", a reserved domid",
	", count 0",
	", bad address",
	", no room for references",
	", not aligned",
	", pad not 0",
};

static const char *variant(const struct step *step)
{
	uint32_t how = step->how;

	if (step->op == OP_ALLOC || step->op == OP_SHARE)
		how = how >> 1 & 7;
	if (step->op == OP_MAP || step->op == OP_ARENA || step->op == OP_NOTIFY)
		how >>= 2;
	return how < 8 && variants[step->op][how] ? variants[step->op][how]
						  : "";
}

static const char *grant_text(const struct step *s)
{
	static char text[80];

	snprintf(text, sizeof(text), "%s%s%s", s->how & 1 ? "rw" : "ro",
		 s->how & 16 ? ", a stranger" : "",
		 grant_variants[s->how >> 1 & 7]);
	return text;
}

static const char *const prot[] = { "none", "read", "write", "rw" };

/* Those that name a descriptor. */
static void print_request(char *to, size_t size, const struct step *s)
{
	switch (s->op) {
	case OP_OPEN:
		snprintf(to, size, "fd %u%s%s", s->fd,
			 s->how & 1 ? ", cloexec" : "",
			 s->how & 2 ? ", read-only" : "");
		break;
	case OP_CLOSE:
		snprintf(to, size, "fd %u", s->fd);
		break;
	case OP_DUP:
		snprintf(to, size, "fd %u to %u%s", s->fd, s->to,
			 s->how & 1 ? ", cloexec" : "");
		break;
	case OP_ALLOC:
		snprintf(to, size, "fd %u: #%u = %u pages%s%s", s->fd, s->label,
			 s->n, s->how & 1 ? "" : ", read-only", variant(s));
		break;
	case OP_DEALLOC:
	case OP_UNSHARE:
		snprintf(to, size, "fd %u: #%u%+d, %u pages%s", s->fd, s->label,
			 s->off, s->n, variant(s));
		break;
	case OP_NOTIFY:
		snprintf(to, size, "fd %u: #%u%+d, byte %u, action %u%s", s->fd,
			 s->label, s->off, cells[s->to], s->how & 3,
			 variant(s));
		break;
	case OP_ADD_PEER:
	case OP_RENEW:
	case OP_REVOKE:
		snprintf(to, size, "fd %u: #%u%+d, %u pages, %s", s->fd,
			 s->label, s->off, s->n, grant_text(s));
		if (s->op == OP_ADD_PEER)
			snprintf(to + strlen(to), size - strlen(to), " = #%u",
				 s->at);
		break;
	case OP_MEMORY:
		snprintf(to, size, "fd %u: #%u = memory %u, %u pages, %s",
			 s->fd, s->at, s->to, s->n, grant_text(s));
		break;
	case OP_STATUS:
	case OP_RESTRICT:
		snprintf(to, size, "fd %u: %u, %s", s->fd, s->to,
			 grant_text(s));
		break;
	case OP_ARENA:
		snprintf(to, size, "fd %u: place %u, %u of them at %u, %s%s",
			 s->fd, s->to, s->n, s->at, prot[s->how & 3],
			 variant(s));
		break;
	case OP_MAP:
		snprintf(to, size, "fd %u: #%u%+d, %u pages at %u, %s%s", s->fd,
			 s->label, s->off, s->n, s->at, prot[s->how & 3],
			 variant(s));
		break;
	case OP_SHARE:
		snprintf(to, size,
			 "fd %u: #%u = at %u, %u places, as there%+d%s%s",
			 s->fd, s->label, s->at, s->n, s->off,
			 s->how & 1 ? "" : ", read-only", variant(s));
		if (s->how & 16)
			strncat(to, ", unlisted", size - strlen(to) - 1);
		break;
	case OP_UNSHARE_AT:
		snprintf(to, size, "fd %u: at %u, %u places, as there%+d",
			 s->fd, s->at, s->n, s->off);
		break;
	}
}

void print_step(char *to, size_t size, const struct step *s)
{
	int used = snprintf(to, size, "p%u: %s ", s->proc, names[s->op]);

	to += used;
	size -= (size_t)used;
	switch (s->op) {
	case OP_MOVE:
		snprintf(to, size, "%u pages at %u to %u%s", s->n, s->at, s->to,
			 variant(s));
		break;
	case OP_PROTECT:
		snprintf(to, size, "%u pages at %u: %s", s->n, s->at,
			 prot[s->how & 3]);
		break;
	case OP_UNMAP:
	case OP_DONTNEED:
	case OP_WRITE:
		snprintf(to, size, "%u pages at %u", s->n, s->at);
		break;
	case OP_DONTFORK:
		snprintf(to, size, "%u pages at %u%s", s->n, s->at,
			 s->how ? "" : ", undone");
		break;
	case OP_FORK:
	case OP_SPAWN:
		snprintf(to, size, "p%u", s->to);
		break;
	case OP_END:
		snprintf(to, size, "%s", s->how ? "by SIGKILL" : "");
		break;
	case OP_PEER_MAP:
		snprintf(to, size, "#%u%+d, %u pages, %s, as %u", s->label,
			 s->off, s->n, s->how ? "rw" : "ro", s->to);
		break;
	case OP_PEER_UNMAP:
	case OP_PEER_FILL:
		snprintf(to, size, "%u", s->to);
		break;
	default:
		print_request(to, size, s);
	}
}
