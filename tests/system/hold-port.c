// SPDX-License-Identifier: LGPL-2.1-or-later
/* Opens an event channel for DOMID, prints its port and keeps it open. */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <xenevtchn.h>

int main(int argc, char **argv)
{
	xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
	int port;

	if (argc != 2 || !evtchn)
		errx(1, "usage: hold-port DOMID, where there is evtchn");
	port = xenevtchn_bind_unbound_port(evtchn, (uint32_t)atoi(argv[1]));
	if (port < 0)
		err(1, "no event channel");
	printf("%d\n", port);
	fflush(stdout);
	for (;;)
		pause();
}
