/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For Xen's libraries, when what they complain of is wanted. */
#ifndef MUTE_H
#define MUTE_H

#include <xentoollog.h>

static inline void say_nothing(struct xentoollog_logger *logger,
			       xentoollog_level level, int errnoval,
			       const char *context, const char *format,
			       va_list args)
{
	(void)logger, (void)level, (void)errnoval;
	(void)context, (void)format, (void)args;
}

static xentoollog_logger mute = { .vmessage = say_nothing };

#endif
