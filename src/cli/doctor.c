/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* loopstall doctor [-p PID]: what this kernel, this user and this target allow; how to mend the rest. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "log.h"
#include "model/names.h"
#include "symbols/module.h"
#include "symbols/perfmap.h"
#include "trace/features.h"
#include "trace/proc.h"
#include "trace/sampler.h"
#include "trace/targets.h"
#include "trace/tracepoint.h"

static const char usage[] =
	"usage: loopstall doctor [-p PID[,PID...]]\n"
	"\n"
	"Says what this kernel, this user and the target allow. Each line that fails\n"
	"says how to mend it. Exit status 1 when tracing would not work.\n";

struct verdict {
	bool failed;
};

static void say(struct verdict *v, bool ok, bool needed, const char *what, const char *mend)
{
	printf("%-6s %s", ok ? "ok" : needed ? "FAILS" : "lacks", what);
	if (!ok && mend)
		printf(": %s", mend);
	putchar('\n');
	v->failed = v->failed || (!ok && needed);
}

static int find_tracepoint(void)
{
	const char *name = "syscalls/sys_exit_epoll_wait";
	int id = -1, err = tracepoint__ids(&name, &id, 1);

	return err || id >= 0 ? err : -ENOENT;
}

static bool names_kernel(void)
{
	FILE *symbols = fopen("/proc/kallsyms", "re");
	char line[256] = "";
	bool named = symbols && fgets(line, sizeof(line), symbols) &&
		     strncmp(line, "0000000000000000 ", 17) != 0;

	/* The first symbol may truly be at 0 (per-CPU): any other address will do. */
	for (int i = 0; symbols && !named && i < 100 && fgets(line, sizeof(line), symbols); i++)
		named = strncmp(line, "0000000000000000 ", 17) != 0;
	if (symbols)
		fclose(symbols);
	return named;
}

static void check_kernel(struct verdict *v)
{
	char missing[128], text[256];
	struct sampler sampler;
	bool fentry, permitted;
	int err;
	struct utsname host;

	uname(&host);
	features__missing_caps(missing, sizeof(missing));
	permitted = !missing[0];
	snprintf(text, sizeof(text), "run it as root (sudo), or with %s", missing);
	say(v, permitted, true, "privileges", text);
	snprintf(text, sizeof(text), "kernel %s with BTF", host.release);
	say(v, features__has_btf(), true, text,
	    "needs a kernel built with CONFIG_DEBUG_INFO_BTF=y");
	if (!permitted)
		return; /* nothing more can be found out */
	say(v, features__has_helpers(), true, "BPF helpers: bpf_task_pt_regs, bpf_loop",
	    "needs Linux 5.17 or newer");
	say(v, features__in_host_pid_namespace(), true, "the host's pid namespace",
	    "run it on the host, or with --pid=host (hostPID)");
	fentry = features__has_fentry();
	say(v, fentry, false, "fentry on the wait calls",
	    "not allowed by this kernel; syscall tracepoints serve instead, at a higher cost");
	err = find_tracepoint();
	say(v, !err, !fentry, "syscall tracepoints", tracepoint__mend(err));
	say(v, features__tells_throttling(), false, "CFS throttling as a class of its own",
	    "needs CONFIG_CFS_BANDWIDTH; such time counts as runqueue");
	say(v, names_kernel(), false, "kernel symbols",
	    "kernel frames stay addresses: sysctl kernel.kptr_restrict=1, or CAP_SYSLOG");
	sampler__choose(&sampler, 10000000);
	sampler__describe(&sampler, text, sizeof(text));
	printf("       wait calls will be hooked by %s; CPU time of stalls of 10 ms sampled by "
	       "%s\n",
	       fentry ? "fentry" : "tracepoint", text);
}

/* The main program alone: what a stall names first. */
static void check_symbols(struct verdict *v, pid_t pid)
{
	char path[64], target[256], text[320];
	struct module *m;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, target, sizeof(target) - 1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (n < 0 || fd < 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	target[n] = '\0';
	m = module__open(target, fd, NULL, 0);
	if (!m)
		return;
	module__find_debug(m, pid);
	snprintf(text, sizeof(text), "symbols of %s", target);
	say(v, module__has_symbols(m), false, text,
	    "it is stripped, only what it exports has a name: install its debug symbols (-dbgsym)");
	module__free(m);
	snprintf(text, sizeof(text), "%s", names__basename(target));
	if (!strcmp(text, "node") || !strcmp(text, "nodejs"))
		say(v, perfmap__exists(pid), false, "names of JavaScript functions",
		    "start node with --perf-basic-prof --interpreted-frames-native-stack");
}

static void check_target(struct verdict *v, pid_t pid)
{
	struct pid_list one = {.pids = {pid}, .nr = 1};
	struct proc_syscall call;
	char comm[16], text[512], waits[256];
	int err;

	if (check_pids(&one, 0)) {
		v->failed = true;
		return;
	}
	proc__comm(pid, pid, comm);
	err = proc__syscall(pid, pid, &call);
	snprintf(text, sizeof(text), "process %d (%s) may be looked at", pid, comm);
	say(v, !err, true, text,
	    err == -ESRCH ? "it has ended"
			  : "run it as root; who is not, and not its user either, needs "
			    "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
	if (err)
		return;
	targets__describe(pid, waits, sizeof(waits));
	snprintf(text, sizeof(text), "an event loop: its threads are %s", waits);
	say(v, targets__has_loop(pid), false, text,
	    "none of these is a loop's wait; a loop that is busy now shows itself when it is "
	    "traced, "
	    "another process may be the right one");
	check_symbols(v, pid);
}

int cmd_doctor(int argc, char **argv)
{
	struct pid_list pids = {.nr = 0};
	struct verdict v = {false};
	static const struct option longs[] = {
		{"pid", required_argument, NULL, 'p'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:p:vhV", longs, NULL)) != -1) {
		switch (opt) {
		case 'p':
			if (!parse_pids(optarg, &pids))
				return EXIT_USAGE;
			break;
		case 'v':
			log__set_verbosity(log__verbosity() + 1);
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		case 'V':
			puts("loopstall " LS_VERSION);
			return EXIT_DONE;
		default:
			say_bad_option(opt, argv, "loopstall doctor");
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		log_err("'%s' is not an option of doctor: see loopstall doctor -h", argv[optind]);
		return EXIT_USAGE;
	}
	check_kernel(&v);
	for (size_t i = 0; i < pids.nr; i++)
		check_target(&v, pids.pids[i]);
	return v.failed ? EXIT_FAILED : EXIT_DONE;
}
