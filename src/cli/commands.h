/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The subcommands. Each takes its own arguments (argv[0] is its name), prints its own usage, and
 * returns the exit status. */
#ifndef LS_CLI_COMMANDS_H
#define LS_CLI_COMMANDS_H

enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NO_VERDICT = 3 };

int cmd_live(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_diff(int argc, char **argv);

#endif
