/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The same test on libgntshr and, with WITH_XENGNTTAB, on libxengnttab: whose
 * calls differ by name only.
 */
#ifndef API_H
#define API_H

#ifdef WITH_XENGNTTAB
#include <xengnttab.h>
#define LIBRARY "libxengnttab"
#define gntshr_handle xengntshr_handle
#define gntshr_open xengntshr_open
#define gntshr_close xengntshr_close
#define gntshr_share_pages xengntshr_share_pages
#define gntshr_share_page_notify xengntshr_share_page_notify
#define gntshr_unshare xengntshr_unshare
#define GNTSHR_WRITABLE 1
#else
#include <gntshr.h>
#define LIBRARY "libgntshr"
#endif

#endif
