/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ends QEMU with status 33, by ARM's semihosting: SYS_EXIT_EXTENDED (0x20) for
 * ADP_Stopped_ApplicationExit (0x20026). Without a C library.
 */

void _start(void)
{
	static const unsigned long reason[] = { 0x20026, 33 };
	register unsigned long operation __asm__("x0") = 0x20;
	register const void *argument __asm__("x1") = reason;

	__asm__ volatile("hlt #0xf000"
			 : "+r"(operation)
			 : "r"(argument)
			 : "memory");
	for (;;)
		;
}
