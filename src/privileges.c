/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "privileges.h"

static int get_capabilities(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capget, &header, data) ? -errno : 0;
}

/* Permitted and effective become what they have of `mask`; nothing is inheritable. */
static int limit_capabilities(uint64_t mask)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	int err = get_capabilities(data);

	if (err)
		return err;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= mask >> (32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

static void limit_bounding_set(uint64_t mask)
{
	for (int cap = 0; cap < 64; cap++)
		if (!(mask & CAP_BIT(cap)) && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* fails without CAP_SETPCAP */
}

static int become(const struct identity *who)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || setgroups(0, NULL) ||
	    setresgid(who->gid, who->gid, who->gid) || setresuid(who->uid, who->uid, who->uid)) {
		int err = -errno;

		log_err("cannot become user %u: %s", who->uid, strerror(-err));
		return err;
	}
	return 0;
}

bool privileges__has(int cap)
{
	struct __user_cap_data_struct data[2];

	return !get_capabilities(data) && data[cap / 32].permitted >> (cap % 32) & 1;
}

int privileges__find_user(const char *name, struct identity *who)
{
	struct passwd *user;

	*who = (struct identity){geteuid(), getegid()};
	if (who->uid)
		return 0;
	user = getpwnam(name);
	if (!user) {
		log_err("no user %s: name another with --user", name);
		return -ENOENT;
	}
	*who = (struct identity){user->pw_uid, user->pw_gid};
	return 0;
}

int privileges__keep(uint64_t mask, const struct identity *who)
{
	int err = 0;

	limit_bounding_set(mask);
	if (geteuid() == 0 && who->uid)
		err = become(who);
	if (err)
		return err;
	err = limit_capabilities(mask);
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (err)
		log_err("cannot give up privileges: %s", strerror(-err));
	return err;
}
