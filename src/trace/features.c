/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "trace/features.h"

static const char btf_path[] = "/sys/kernel/btf/vmlinux";

static struct btf *types; /* of the kernel: parsed once, and large */

static struct btf *vmlinux_btf(void)
{
	if (!types)
		types = btf__parse_raw(btf_path);
	if (libbpf_get_error(types))
		types = NULL;
	return types;
}

void features__forget(void)
{
	btf__free(types);
	types = NULL;
}

bool features__has_btf(void)
{
	return access(btf_path, R_OK) == 0;
}

static int function_id(const char *name)
{
	struct btf *btf = vmlinux_btf();

	return btf ? btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) : -ENOENT;
}

bool features__has_function(const char *name)
{
	return function_id(name) > 0;
}

bool features__has_fentry(void)
{
	const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FEXIT);
	int fd;

	opts.attach_btf_id = function_id("__x64_sys_epoll_wait");
	if ((int)opts.attach_btf_id <= 0)
		return false;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "probe_fexit", "Dual BSD/GPL", program, 2, &opts);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

bool features__has_helpers(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_TRACEPOINT, BPF_FUNC_task_pt_regs, NULL) ==
		       1 &&
	       libbpf_probe_bpf_helper(BPF_PROG_TYPE_TRACEPOINT, BPF_FUNC_loop, NULL) == 1;
}

/* PROC_PID_INIT_INO, include/linux/proc_ns.h: BPF knows processes by their ids there. */
bool features__in_host_pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) || st.st_ino == 0xEFFFFFFC;
}

/* Some CPUs are to run a single program without ticks. The file is there where the kernel can do that, and says
 * "(null)" or nothing for none (print_cpus_nohz_full, drivers/base/cpu.c). */
static bool may_stop_ticks(void)
{
	FILE *file = fopen("/sys/devices/system/cpu/nohz_full", "re");
	int c = file ? fgetc(file) : EOF;

	if (file)
		fclose(file);
	return c >= '0' && c <= '9';
}

/* The tick is a high-resolution timer where there are such (clock_getres of CLOCK_MONOTONIC is then 1 ns); the
 * coarse clock moves with it (kernel/time/posix-timers.c). */
uint64_t features__tick_ns(void)
{
	struct timespec fine, coarse;

	if (may_stop_ticks() || clock_getres(CLOCK_MONOTONIC, &fine) || fine.tv_nsec != 1 ||
	    clock_getres(CLOCK_MONOTONIC_COARSE, &coarse))
		return 0;
	return coarse.tv_sec * 1000000000ULL + coarse.tv_nsec;
}

static bool has_member(const char *structure, const char *member)
{
	struct btf *btf = vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, structure, BTF_KIND_STRUCT) : -1;
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, id) : NULL;

	for (int i = 0; type && i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), member))
			return true;
	return false;
}

bool features__tells_throttling(void)
{
	return has_member("cfs_rq", "throttle_count");
}

int64_t features__irq_regs_from_rq(void)
{
	struct btf *btf = vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, ".data..percpu", BTF_KIND_DATASEC) : -1;
	const struct btf_type *section = id > 0 ? btf__type_by_id(btf, id) : NULL;
	int64_t regs = 0, rq = 0;

	for (int i = 0; section && i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *variable = &btf_var_secinfos(section)[i];
		const struct btf_type *type = btf__type_by_id(btf, variable->type);
		const char *name = btf__name_by_offset(btf, type->name_off);

		if (!strcmp(name, "__irq_regs"))
			regs = variable->offset;
		else if (!strcmp(name, "runqueues"))
			rq = variable->offset;
	}
	return regs && rq && has_member("cfs_rq", "rq") ? regs - rq : 0;
}

static uint64_t effective_caps(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long long caps = 0;
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	if (status)
		fclose(status);
	return caps;
}

void features__missing_caps(char *buf, size_t size)
{
	static const struct {
		int bit; /* linux/capability.h */
		const char *name;
	} needed[] = {{39, "CAP_BPF"}, {38, "CAP_PERFMON"}, {19, "CAP_SYS_PTRACE"}};
	uint64_t caps = effective_caps();
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!(caps >> needed[i].bit & 1) && used < size)
			used += snprintf(buf + used, size - used, "%s%s", used ? ", " : "",
					 needed[i].name);
}

int features__require(void)
{
	char missing[128];

	features__missing_caps(missing, sizeof(missing));
	if (missing[0]) {
		log_err("not permitted: run it as root (sudo), or with %s", missing);
		return -EPERM;
	}
	if (!features__in_host_pid_namespace()) {
		log_err("this is a pid namespace of its own, and the kernel counts by the host's: "
			"run it "
			"on the host, or with --pid=host (hostPID)");
		return -ENOTSUP;
	}
	if (!features__has_btf()) {
		log_err("this kernel has no BTF (%s): it needs one built with "
			"CONFIG_DEBUG_INFO_BTF=y, "
			"as distributions' are since Linux 5.10",
			btf_path);
		return -ENOTSUP;
	}
	if (!features__has_helpers()) {
		log_err("this kernel is too old: it lacks bpf_task_pt_regs or bpf_loop, which came "
			"with Linux 5.15 and 5.17");
		return -ENOTSUP;
	}
	return 0;
}
