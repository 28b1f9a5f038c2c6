/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The module that is loaded, stock or ours: its parameters, and loading it. */
#ifndef MODULE_H
#define MODULE_H

int open_parameter(const char *name, int flags);
/* -1 for one that the module does not have. */
long parameter(const char *name);
void set_parameter(const char *name, unsigned int value);
/* The parameter, once it is @want or has not become so for long. */
long parameter_becomes(const char *name, long want);

/* With the parameters that the harness gave it; -1 with errno. */
int load_module(void);

#endif
