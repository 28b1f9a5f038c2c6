/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers on the command line and in xenstore, for all programs here.
 */
#ifndef EXAMPLE_COMMON_H
#define EXAMPLE_COMMON_H

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <xenstore.h>

#define MAX_DOMID 0x7fef

static inline bool to_number(const char *text, uint32_t max, uint32_t *value)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n > max)
		return false;
	*value = n;
	return true;
}

static inline uint32_t argument(const char *name, const char *text,
				uint32_t max)
{
	uint32_t value;

	if (!to_number(text, max, &value))
		errx(1, "%s: '%s' is not a number from 0 to %u", name, text,
		     max);
	return value;
}

static inline const char *key_path(const char *dir, const char *key)
{
	static char path[XENSTORE_ABS_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, key);
	return path;
}

/*
 * Whoever reads a key finds in shared pages what was written there before the
 * key was: both go through their kernels, whose barriers are enough for that.
 */
static inline void write_key(struct xs_handle *xs, xs_transaction_t t,
			     const char *dir, const char *key, uint32_t value)
{
	const char *path = key_path(dir, key);
	char text[16];

	if (!xs_write(xs, t, path, text,
		      snprintf(text, sizeof(text), "%u", value)))
		err(1, "cannot write %s in xenstore", path);
}

/* False if there is no such key, or its directory is not ours to read yet. */
static inline bool read_key(struct xs_handle *xs, xs_transaction_t t,
			    const char *dir, const char *key, uint32_t max,
			    uint32_t *value)
{
	const char *path = key_path(dir, key);
	char *text = xs_read(xs, t, path, NULL);

	if (!text && (errno == ENOENT || errno == EACCES))
		return false;
	if (!text)
		err(1, "cannot read %s in xenstore", path);
	if (!to_number(text, max, value))
		errx(1, "%s in xenstore is not a number from 0 to %u", path,
		     max);
	free(text);
	return true;
}

#endif
