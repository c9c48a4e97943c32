/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What stands behind a descriptor of a task: its kind, a socket's addresses, a file's path. Reads
 * kernel memory only; a read that fails leaves zeroes, and an unknown kind stays LS_OBJ_NONE.
 */
#ifndef LS_OBJECT_BPF_H
#define LS_OBJECT_BPF_H

#include "maps.bpf.h"

enum { AF_UNIX_ = 1, AF_INET_ = 2, AF_INET6_ = 10 };
enum { S_IFMT_ = 0170000, S_IFSOCK_ = 0140000, S_IFREG_ = 0100000, S_IFBLK_ = 0060000,
       S_IFDIR_ = 0040000, S_IFCHR_ = 0020000, S_IFIFO_ = 0010000 };

static __always_inline struct file *file_of(struct task_struct *task, __s32 fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **slots = BPF_CORE_READ(table, fd);
	struct file *file = NULL;

	if (!table || fd < 0 || (__u32)fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), slots + fd);
	return file;
}

/* Anonymous inodes are told apart by the name of their dentry: "[eventfd]". */
static __always_inline __u8 anon_kind(struct file *file)
{
	const unsigned char *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	char s[12] = {};

	bpf_probe_read_kernel(s, sizeof(s) - 1, name);
	if (s[0] == 'i' && s[1] == 'n' && s[2] == 'o')
		return LS_OBJ_INOTIFY;
	if (s[0] != '[')
		return LS_OBJ_NONE;
	if (s[1] == 'e' && s[6] == 'f')
		return LS_OBJ_EVENTFD;
	if (s[1] == 'e' && s[6] == 'p')
		return LS_OBJ_EPOLL;
	if (s[1] == 't')
		return LS_OBJ_TIMERFD;
	if (s[1] == 's')
		return LS_OBJ_SIGNALFD;
	if (s[1] == 'p')
		return LS_OBJ_PIDFD;
	if (s[1] == 'i' && s[4] == 'u')
		return LS_OBJ_IO_URING;
	return LS_OBJ_ANON;
}

static __always_inline struct sock *sock_of(struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);

	return BPF_CORE_READ(socket, sk);
}

/* Process that made the other end of a connected unix socket; 0 unknown. */
static __always_inline __u32 unix_peer_tgid(struct sock *sk)
{
	struct pid *pid = BPF_CORE_READ(sk, sk_peer_pid);

	return pid ? BPF_CORE_READ(pid, numbers[0].nr) : 0;
}

static __always_inline __u8 socket_kind(struct file *file, __u32 tgid)
{
	struct sock *sk = sock_of(file);

	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX_ && unix_peer_tgid(sk) == tgid)
		return LS_OBJ_SELF_SOCKET;
	return LS_OBJ_SOCKET;
}

static __always_inline __u8 chardev_kind(struct file *file)
{
	__u32 major = BPF_CORE_READ(file, f_inode, i_rdev) >> 20;

	/* 4 tty, 5 console and /dev/tty, 136..143 pseudo terminals (admin-guide/devices.txt) */
	return major == 4 || major == 5 || (major >= 136 && major <= 143) ? LS_OBJ_TTY : LS_OBJ_CHARDEV;
}

static __always_inline __u8 object_kind(struct file *file, __u32 tgid)
{
	if (!file)
		return LS_OBJ_NONE;
	switch (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT_) {
	case S_IFSOCK_:
		return socket_kind(file, tgid);
	case S_IFREG_:
	case S_IFDIR_: {
		__u8 anon = anon_kind(file); /* pidfds are regular files since Linux 6.9 */

		return anon == LS_OBJ_PIDFD ? anon : LS_OBJ_FILE;
	}
	case S_IFBLK_:
		return LS_OBJ_BLOCKDEV;
	case S_IFCHR_:
		return chardev_kind(file);
	case S_IFIFO_:
		return LS_OBJ_PIPE;
	}
	return anon_kind(file);
}

/* The cause of a block in a call on an object of this kind. */
static __always_inline __u8 kind_cause(__u8 kind)
{
	switch (kind) {
	case LS_OBJ_SOCKET:
		return LS_NETWORK;
	case LS_OBJ_FILE:
	case LS_OBJ_BLOCKDEV:
		return LS_DISK;
	case LS_OBJ_PIPE:
	case LS_OBJ_TTY:
	case LS_OBJ_EVENTFD:
	case LS_OBJ_SELF_SOCKET:
		return LS_PIPE;
	}
	return LS_OTHER;
}

static __always_inline void fill_inet(struct ls_object *object, struct sock *sk)
{
	struct in6_addr a = BPF_CORE_READ(sk, __sk_common.skc_v6_daddr);
	__be32 v4;

	object->proto = BPF_CORE_READ(sk, sk_protocol);
	object->sock_state = BPF_CORE_READ(sk, __sk_common.skc_state);
	object->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	object->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (object->family == AF_INET6_) {
		__builtin_memcpy(object->remote, &a, 16);
		a = BPF_CORE_READ(sk, __sk_common.skc_v6_rcv_saddr);
		__builtin_memcpy(object->local, &a, 16);
		return;
	}
	v4 = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	__builtin_memcpy(object->remote, &v4, 4);
	v4 = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	__builtin_memcpy(object->local, &v4, 4);
}

/* The name a unix socket is bound to, or its peer's: clients are seldom bound themselves. */
static __always_inline void fill_unix(struct ls_object *object, struct sock *sk)
{
	struct unix_sock *self = (struct unix_sock *)sk;
	struct unix_sock *peer = (struct unix_sock *)BPF_CORE_READ(self, peer);
	struct unix_address *addr = peer ? BPF_CORE_READ(peer, addr) : NULL;
	__s32 bytes;

	object->peer_tgid = unix_peer_tgid(sk);
	if (!addr)
		addr = BPF_CORE_READ(self, addr);
	if (!addr)
		return;
	bytes = BPF_CORE_READ(addr, len) - 2; /* after sun_family */
	if (bytes <= 0)
		return;
	if (bytes > 108)
		bytes = 108;
	if (bpf_probe_read_kernel(object->path, bytes & 127, (void *)addr->name[0].sun_path))
		return;
	if (!object->path[0])
		object->path[0] = '@'; /* abstract */
	object->path_bytes = bytes;
}

static __always_inline void fill_socket(struct ls_object *object, struct file *file)
{
	struct sock *sk = sock_of(file);

	object->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (object->family == AF_UNIX_)
		fill_unix(object, sk);
	else if (object->family == AF_INET_ || object->family == AF_INET6_)
		fill_inet(object, sk);
}

enum { PATH_DEPTH = 24, PATH_PART = 96 };

/* Leaf first; stops at the root of the mount tree that the path lies in. */
static __always_inline void fill_path(struct ls_object *object, struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry), *parent;
	struct vfsmount *vfsmount = BPF_CORE_READ(file, f_path.mnt);
	struct mount *mount = container_of(vfsmount, struct mount, mnt), *above;
	__u32 used = 0;
	int i;

	mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
	for (i = 0; i < PATH_DEPTH; i++) {
		const unsigned char *name;
		long n;

		parent = BPF_CORE_READ(dentry, d_parent);
		if (dentry == BPF_CORE_READ(mount, mnt.mnt_root) || dentry == parent) {
			above = BPF_CORE_READ(mount, mnt_parent);
			if (!above || above == mount)
				break;
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = above;
			continue;
		}
		if (used > LS_PATH_LEN - PATH_PART)
			break;
		name = BPF_CORE_READ(dentry, d_name.name);
		n = bpf_probe_read_kernel_str(object->path + (used & (LS_PATH_LEN - 1)), PATH_PART, name);
		if (n <= 0)
			break;
		used += n;
		dentry = parent;
	}
	object->path_truncated = i == PATH_DEPTH || used > LS_PATH_LEN - PATH_PART;
	object->path_bytes = used;
}

static __always_inline void fill_object(struct ls_object *object, struct file *file, __u32 tgid)
{
	object->kind = object_kind(file, tgid);
	if (!file)
		return;
	object->ino = BPF_CORE_READ(file, f_inode, i_ino);
	object->dev = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	if (object->kind == LS_OBJ_SOCKET || object->kind == LS_OBJ_SELF_SOCKET)
		fill_socket(object, file);
	else if (object->kind == LS_OBJ_FILE || object->kind == LS_OBJ_BLOCKDEV ||
		 object->kind == LS_OBJ_CHARDEV || object->kind == LS_OBJ_TTY ||
		 object->kind == LS_OBJ_PIPE)
		fill_path(object, file);
}

/* --- what a nested poll, select or epoll watches --------------------------------------------- */

enum { WATCHED_MAX = 8 };

/* Kinds seen so far become one cause, or LS_POLL when they differ. LS_NR_CAUSES: none yet. */
static __always_inline __u8 join_cause(__u8 cause, __u8 kind)
{
	__u8 other = kind_cause(kind);

	if (other == LS_OTHER)
		return LS_POLL;
	return cause == LS_NR_CAUSES || cause == other ? other : LS_POLL;
}

struct watched {
	__u8 cause;    /* LS_SLEEP when no descriptor is watched */
	__s32 fd;      /* the first */
	__u32 nr_fds;
};

static __always_inline void watch_poll(struct task_struct *task, __u32 tgid, __u64 fds, __u64 nr,
				       struct watched *w)
{
	struct pollfd p;
	__u32 i;

	w->cause = LS_NR_CAUSES;
	w->nr_fds = nr;
	w->fd = -1;
	for (i = 0; i < WATCHED_MAX && i < nr; i++) {
		if (bpf_probe_read_user(&p, sizeof(p), (void *)(fds + i * sizeof(p)))) {
			w->cause = LS_POLL;
			return;
		}
		if (p.fd < 0)
			continue;
		if (w->fd < 0)
			w->fd = p.fd;
		w->cause = join_cause(w->cause, object_kind(file_of(task, p.fd), tgid));
	}
	if (nr > WATCHED_MAX)
		w->cause = LS_POLL;
	else if (w->cause == LS_NR_CAUSES)
		w->cause = LS_SLEEP;
}

/* A word of a descriptor set: the descriptors base .. base + 63. */
static __always_inline void watch_word(struct task_struct *task, __u32 tgid, __u64 word, __s32 base,
				       struct watched *w)
{
	int i;

	for (i = 0; i < WATCHED_MAX && word; i++) {
		__s32 fd = base + log2_floor(word & -word);

		if (w->fd < 0)
			w->fd = fd;
		w->nr_fds++;
		w->cause = join_cause(w->cause, object_kind(file_of(task, fd), tgid));
		word &= word - 1;
	}
	if (word)
		w->cause = LS_POLL;
}

static __always_inline void watch_select(struct task_struct *task, __u32 tgid, __u64 nr, __u64 *sets,
					 struct watched *w)
{
	__u32 set, i;

	w->cause = LS_NR_CAUSES;
	w->nr_fds = 0;
	w->fd = -1;
	for (set = 0; set < 2; set++) { /* read, write; nobody waits for exceptions alone */
		__u64 word;

		if (!sets[set])
			continue;
		for (i = 0; i < 2 && i * 64 < nr; i++) {
			word = 0;
			if (bpf_probe_read_user(&word, sizeof(word), (void *)(sets[set] + i * 8)))
				w->cause = LS_POLL;
			watch_word(task, tgid, word, i * 64, w);
		}
	}
	if (nr > 128)
		w->cause = LS_POLL; /* not all were looked at */
	else if (w->cause == LS_NR_CAUSES)
		w->cause = LS_SLEEP;
}

/* The interest list of a nested epoll: its red-black tree, from the root down. */
static __always_inline void watch_epoll(struct task_struct *task, __u32 tgid, __s32 epfd,
					struct watched *w)
{
	struct file *file = file_of(task, epfd);
	struct eventpoll *ep = file ? BPF_CORE_READ(file, private_data) : NULL;
	struct rb_node *todo[WATCHED_MAX] = {};
	__u32 nr = 0, i;

	w->cause = LS_NR_CAUSES;
	w->nr_fds = 0;
	w->fd = -1;
	if (!ep || anon_kind(file) != LS_OBJ_EPOLL) {
		w->cause = LS_POLL;
		return;
	}
	todo[0] = BPF_CORE_READ(ep, rbr.rb_root.rb_node);
	nr = todo[0] ? 1 : 0;
	for (i = 0; i < WATCHED_MAX && i < nr; i++) {
		struct rb_node *node = todo[i & (WATCHED_MAX - 1)], *child;
		struct epitem *item = (void *)node - bpf_core_field_offset(struct epitem, rbn);

		if (w->fd < 0)
			w->fd = BPF_CORE_READ(item, ffd.fd);
		w->nr_fds++;
		w->cause = join_cause(w->cause, object_kind(BPF_CORE_READ(item, ffd.file), tgid));
		child = BPF_CORE_READ(node, rb_left);
		if (child && nr < WATCHED_MAX)
			todo[nr++ & (WATCHED_MAX - 1)] = child;
		else if (child)
			w->cause = LS_POLL;
		child = BPF_CORE_READ(node, rb_right);
		if (child && nr < WATCHED_MAX)
			todo[nr++ & (WATCHED_MAX - 1)] = child;
		else if (child)
			w->cause = LS_POLL;
	}
	if (w->cause == LS_NR_CAUSES)
		w->cause = LS_SLEEP;
}

#endif
