/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "log.h"

void output__guard(void)
{
	/* Opened the wrong way round: reading from stdin, writing to stdout is EBADF as before. */
	static const int modes[] = {
		[STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_WRONLY};

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) < 0)
			return; /* no /dev/null: nothing more can be done */
	signal(SIGPIPE, SIG_IGN);
}

int output__finish(int status)
{
	if (status != EXIT_DONE || !fflush(stdout) || errno == EPIPE)
		return status;
	log_err("cannot write to standard output: %s", strerror(errno));
	return EXIT_FAILED;
}

bool output__is_write_error(int err)
{
	static const int errors[] = {EPIPE, ENOSPC, EIO, EFBIG, EDQUOT, EBADF, ENXIO};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (err == -errors[i])
			return true;
	return false;
}
