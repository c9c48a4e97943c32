/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* offload-server: one event loop that blocks, or does not. Also the main() of its own workers. */
#include <string.h>

#include "server/app.h"
#include "server/cpu_worker.h"
#include "server/options.h"

int main(int argc, char **argv)
{
	struct options options;
	int status;

	if (argc > 1 && !strcmp(argv[1], CPU_WORKER_FLAG))
		return cpu_worker__main(argc, argv);
	if (options__parse(&options, argc, argv, &status))
		return status;
	return app__run(&options);
}
