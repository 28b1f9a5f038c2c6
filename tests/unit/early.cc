// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Opens a handle in the constructor of a global object, and again in main(), or
 * in late() if this becomes a library: both must come to the same, be that a
 * handle or the errno of there being no device. test-constructors builds it in
 * many ways.
 */

#include <cerrno>
#include <cstdio>
#include <cstring>

#ifdef XENGNTSHR
extern "C" {
#include <xengnttab.h>
}
#define handle_open xengntshr_open
#define handle_close xengntshr_close
#else
#include <gntshr.h>
#define handle_open gntshr_open
#define handle_close gntshr_close
#endif

/* 0 or the errno. */
static int try_open()
{
	auto *h = handle_open(nullptr, 0);
	int error = h ? 0 : errno;

	if (h)
		handle_close(h);
	return error;
}

namespace
{
struct early {
	int error = try_open();
};
#ifndef PRIORITY
#define PRIORITY
#endif
early first PRIORITY;
} // namespace

#ifdef LIBRARY
extern "C" int late()
#else
int main()
#endif
{
	int error = try_open();

	printf("constructor: %s, later: %s\n", strerror(first.error),
	       strerror(error));
	return first.error != error;
}
