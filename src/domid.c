// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the processor tells of this domain's own domid. */

#include <xen/arch-x86/cpuid.h>

#include "internal.h"

enum { EAX, EBX, ECX, EDX, REGS };

/*
 * Xen's leaves come first, or behind those of Hyper-V if the domain is shown
 * these, too.
 */
static bool find_leaves(uint32_t *base)
{
	uint32_t regs[REGS];

	for (*base = XEN_CPUID_FIRST_LEAF;
	     *base <= XEN_CPUID_FIRST_LEAF + 0x100; *base += 0x100) {
		if (gntshr_sys_cpuid(*base, regs) &&
		    regs[EBX] == XEN_CPUID_SIGNATURE_EBX &&
		    regs[ECX] == XEN_CPUID_SIGNATURE_ECX &&
		    regs[EDX] == XEN_CPUID_SIGNATURE_EDX)
			return regs[EAX] >= *base + 4;
	}
	return false;
}

/*
 * The domid of the x86 HVM or PVH domain that the processor takes itself to be
 * in. A PV domain is none, but if its Xen runs on another one it can see the
 * domain that the other has that Xen in.
 */
bool gntshr_cpuid_domid(uint32_t *domid)
{
	uint32_t base, regs[REGS];

	if (!find_leaves(&base) || !gntshr_sys_cpuid(base + 4, regs) ||
	    !(regs[EAX] & XEN_HVM_CPUID_DOMID_PRESENT))
		return false;
	*domid = regs[ECX];
	return true;
}
