// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the machine says of itself, and the logger that the tests pass. */

#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <xen/arch-x86/cpuid.h>
#include <xentoollog.h>

#include "fake-arena.h"
#include "fake-steps.h"
#include "fake.h"

char fake_message[1024];
unsigned int fake_messages;

long gntshr_sys_page_size(void)
{
	fake_spoil_errno();
	return fake.page_size;
}

bool gntshr_sys_exists(const char *path)
{
	fake_spoil_errno();
	for (int i = 0; i < 2; i++)
		if (fake.there[i] && !strcmp(path, fake.there[i]))
			return true;
	return false;
}

int gntshr_sys_parameter(const char *name, unsigned long *value)
{
	fake_spoil_errno();
	if (!strcmp(name, "limit") && fake.limit) {
		*value = fake.limit;
		return 0;
	}
	if (!strcmp(name, "used") && fake.tells_used) {
		*value = fake_next_page - fake.released + fake.spare_elsewhere;
		return 0;
	}
	if (!strcmp(name, "spare") && fake.tells_spare) {
		*value = fake.spare_elsewhere;
		return 0;
	}
	*value = 1;
	errno = ENOENT;
	return -1;
}

int gntshr_sys_grant_frames(uint32_t *used, uint32_t *max)
{
	*used = fake.frames;
	*max = fake.max_frames;
	fake_spoil_errno();
	if (!fake.hypercalls) {
		errno = EACCES;
		return -1;
	}
	return 0;
}

bool gntshr_sys_cpuid(uint32_t leaf, uint32_t regs[4])
{
	/* Asked without the lock of a handle. */
	__atomic_add_fetch(&fake.cpuid_asked, 1, __ATOMIC_RELAXED);
	memset(regs, 0, 4 * sizeof(*regs));
	if (fake.cpuid_base && leaf == fake.cpuid_base) {
		regs[0] = leaf + fake.cpuid_leaves;
		regs[1] = XEN_CPUID_SIGNATURE_EBX;
		regs[2] = XEN_CPUID_SIGNATURE_ECX;
		regs[3] = XEN_CPUID_SIGNATURE_EDX;
	} else if (fake.cpuid_base && leaf == fake.cpuid_base + 4) {
		regs[0] = fake.cpuid_features;
		regs[2] = fake.cpuid_domid;
	}
	return fake.cpuid_base;
}

bool gntshr_sys_is_pv(void)
{
	return fake.is_pv;
}

static void keep(struct xentoollog_logger *logger, xentoollog_level level,
		 int errnoval, const char *context, const char *format,
		 va_list args)
{
	(void)logger;
	assert(level == XTL_ERROR);
	assert(!strcmp(context, "gntshr"));
	assert(errnoval);
	vsnprintf(fake_message, sizeof(fake_message), format, args);
	fake_messages++;
	errno = EDOM;
}

struct xentoollog_logger *fake_logger(void)
{
	static struct xentoollog_logger logger = { .vmessage = keep };

	return &logger;
}
