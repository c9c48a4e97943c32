/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The table of subcommands; without one, `loopstall -p PID` traces live. */
#include <stddef.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"run", cmd_run},       {"record", cmd_record}, {"export", cmd_export},
	{"doctor", cmd_doctor}, {"report", cmd_report}, {"diff", cmd_diff},
};

int main(int argc, char **argv)
{
	output__guard();
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return output__finish(commands[i].run(argc - 1, argv + 1));
	return output__finish(cmd_live(argc, argv));
}
