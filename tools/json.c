// SPDX-License-Identifier: LGPL-2.1-or-later
/* An object of JSON, a line, printed member by member. */

#include <stdio.h>

#include "tool.h"

/* Does a comma come before what comes now? */
static bool comma;

static void quote(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < ' ')
			printf("\\u%04x", (unsigned int)*text);
		else
			putchar(*text);
	}
	putchar('"');
}

static void begin(const char *name)
{
	if (comma)
		fputs(", ", stdout);
	comma = true;
	if (name) {
		quote(name);
		fputs(": ", stdout);
	}
}

void json_open(const char *name, char bracket)
{
	begin(name);
	putchar(bracket);
	comma = false;
}

void json_close(char bracket)
{
	putchar(bracket);
	comma = true;
}

void json_end(void)
{
	puts("}");
	comma = false;
}

void json_string(const char *name, const char *text)
{
	begin(name);
	if (text && *text)
		quote(text);
	else
		fputs("null", stdout);
}

void json_bool(const char *name, bool value)
{
	begin(name);
	fputs(value ? "true" : "false", stdout);
}

void json_number(const char *name, bool known, unsigned long value)
{
	begin(name);
	if (known)
		printf("%lu", value);
	else
		fputs("null", stdout);
}
