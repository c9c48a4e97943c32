/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What stands behind a descriptor of a task: its kind, a socket's addresses, a file's path. Reads
 * kernel memory only; a read that fails leaves zeroes, and an unknown kind stays LS_OBJ_NONE.
 */
#ifndef LS_OBJECT_BPF_H
#define LS_OBJECT_BPF_H

#include "maps.bpf.h"

enum { AF_UNIX_ = 1, AF_INET_ = 2, AF_INET6_ = 10 };
enum {
	S_IFMT_ = 0170000,
	S_IFSOCK_ = 0140000,
	S_IFREG_ = 0100000,
	S_IFBLK_ = 0060000,
	S_IFDIR_ = 0040000,
	S_IFCHR_ = 0020000,
	S_IFIFO_ = 0010000
};

/* A task's descriptor table, as a number: global functions take no pointers into the kernel. */
static __always_inline __u64 files_of(struct task_struct *task)
{
	return (__u64)BPF_CORE_READ(task, files);
}

static __always_inline struct file *file_of(__u64 files, __s32 fd)
{
	struct fdtable *table = BPF_CORE_READ((struct files_struct *)files, fdt);
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
	return major == 4 || major == 5 || (major >= 136 && major <= 143) ? LS_OBJ_TTY
									  : LS_OBJ_CHARDEV;
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

enum { PATH_DEPTH = 32, PATH_PART = 96 };

struct path_walk {
	__u64 dentry, mount;
	__u32 used; /* bytes of object->path */
	__u32 end;  /* 1: at the root of the mount tree; 2: no room for more */
};

/* One component towards the root, or one mount up. */
__weak int walk_path(struct path_walk *walk, struct ls_object *object)
{
	struct dentry *dentry, *parent;
	struct mount *mount, *above;
	__u32 used;
	long n;

	if (!walk || !object)
		return 0;
	dentry = (struct dentry *)walk->dentry;
	mount = (struct mount *)walk->mount;
	used = walk->used;
	parent = BPF_CORE_READ(dentry, d_parent);
	if (dentry == BPF_CORE_READ(mount, mnt.mnt_root) || dentry == parent) {
		above = BPF_CORE_READ(mount, mnt_parent);
		walk->end = !above || above == mount;
		walk->dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
		walk->mount = (__u64)above;
		return 0;
	}
	if (used > LS_PATH_LEN - PATH_PART) {
		walk->end = 2;
		return 0;
	}
	n = bpf_probe_read_kernel_str(object->path + used, PATH_PART,
				      BPF_CORE_READ(dentry, d_name.name));
	if (n <= 0)
		walk->end = 2;
	else
		walk->used = used + n;
	walk->dentry = (__u64)parent;
	return 0;
}

/* Leaf first. */
static __always_inline void fill_path(struct ls_object *object, struct file *file)
{
	struct path_walk walk = {};
	int i;

	walk.dentry = (__u64)BPF_CORE_READ(file, f_path.dentry);
	walk.mount =
		(__u64)BPF_CORE_READ(file, f_path.mnt) - bpf_core_field_offset(struct mount, mnt);
	for (i = 0; i < PATH_DEPTH && !walk.end; i++)
		walk_path(&walk, object);
	object->path_truncated = walk.end != 1;
	object->path_bytes = walk.used;
}

/* `object` is zeroed but for nr_fds. */
__weak int fill_object(struct ls_object *object, __u64 file_at, __u32 tgid)
{
	struct file *file = (struct file *)file_at;

	if (!object || !file)
		return 0;
	object->kind = object_kind(file, tgid);
	object->ino = BPF_CORE_READ(file, f_inode, i_ino);
	object->dev = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	if (object->kind == LS_OBJ_SOCKET || object->kind == LS_OBJ_SELF_SOCKET)
		fill_socket(object, file);
	else if (object->kind == LS_OBJ_FILE || object->kind == LS_OBJ_BLOCKDEV ||
		 object->kind == LS_OBJ_CHARDEV || object->kind == LS_OBJ_TTY ||
		 object->kind == LS_OBJ_PIPE)
		fill_path(object, file);
	return 0;
}

/* --- what a nested poll, select or epoll watches --------------------------------------------- */

enum { WATCHED_MAX = 8 };

/*
 * Causes seen so far, and one more: they become one, or LS_POLL when they differ. LS_NR_CAUSES: none
 * yet. Global functions, and so are those below: the verifier checks each once, not at each call.
 */
__weak __u32 join_cause(__u32 cause, __u64 file, __u32 tgid)
{
	__u32 other = kind_cause(object_kind((struct file *)file, tgid));

	if (other == LS_OTHER)
		return LS_POLL;
	return cause == LS_NR_CAUSES || cause == other ? other : LS_POLL;
}

struct watched {
	__u32 cause; /* LS_SLEEP when no descriptor is watched */
	__s32 fd;    /* the first */
	__u32 nr_fds;
};

__weak int watch_fd(__u64 files, __u32 tgid, __s32 fd, struct watched *w)
{
	if (!w || fd < 0)
		return 0;
	if (w->fd < 0)
		w->fd = fd;
	w->cause = join_cause(w->cause, (__u64)file_of(files, fd), tgid);
	return 0;
}

__weak int watch_poll(__u64 files, __u32 tgid, __u64 fds, __u64 nr, struct watched *w)
{
	struct pollfd p;
	__u32 i;

	if (!w)
		return 0;
	w->cause = nr > WATCHED_MAX ? LS_POLL : LS_NR_CAUSES;
	w->nr_fds = nr;
	w->fd = -1;
	for (i = 0; i < WATCHED_MAX && i < nr; i++) {
		p.fd = -1;
		if (bpf_probe_read_user(&p, sizeof(p), (void *)(fds + i * sizeof(p))))
			w->cause = LS_POLL;
		watch_fd(files, tgid, p.fd, w);
	}
	if (w->cause == LS_NR_CAUSES)
		w->cause = LS_SLEEP;
	return 0;
}

/* A word of a descriptor set: the descriptors base .. base + 63. */
__weak int watch_word(__u64 files, __u32 tgid, __u64 word, __s32 base, struct watched *w)
{
	__s32 i;

	if (!w)
		return 0;
	for (i = 0; i < 64; i++) {
		if (!(word >> i & 1))
			continue;
		if (w->nr_fds++ < WATCHED_MAX)
			watch_fd(files, tgid, base + i, w);
	}
	return 0;
}

/* `sets`: the addresses of those to read and to write. */
struct fd_sets {
	__u64 at[2];
};

__weak int watch_select(__u64 files, __u32 tgid, __u64 nr, struct fd_sets *sets, struct watched *w)
{
	__u32 set, i;

	if (!w || !sets)
		return 0;
	w->cause = LS_NR_CAUSES;
	w->nr_fds = 0;
	w->fd = -1;
	for (set = 0; set < 2; set++) { /* read, write; nobody waits for exceptions alone */
		for (i = 0; i < 2 && i * 64 < nr; i++) {
			__u64 word = 0;

			if (sets->at[set] && bpf_probe_read_user(&word, sizeof(word),
								 (void *)(sets->at[set] + i * 8)))
				w->cause = LS_POLL;
			watch_word(files, tgid, word, i * 64, w);
		}
	}
	if (nr > 128 || w->nr_fds > WATCHED_MAX)
		w->cause = LS_POLL; /* not all were looked at */
	else if (w->cause == LS_NR_CAUSES)
		w->cause = LS_SLEEP;
	return 0;
}

/* One item of an epoll's interest list; a subtree too deep to follow makes the cause LS_POLL. */
__weak __u64 watch_item(__u64 node, __u32 tgid, struct watched *w)
{
	struct epitem *item = (void *)node - bpf_core_field_offset(struct epitem, rbn);

	if (!w)
		return 0;
	if (w->fd < 0)
		w->fd = BPF_CORE_READ(item, ffd.fd);
	w->nr_fds++;
	w->cause = join_cause(w->cause, (__u64)BPF_CORE_READ(item, ffd.file), tgid);
	return 0;
}

/* The interest list of a nested epoll, a red-black tree: the root, its children, theirs. */
__weak int watch_epoll(__u64 files, __u32 tgid, __s32 epfd, struct watched *w)
{
	struct file *file = file_of(files, epfd);
	struct rb_node *root, *node;
	struct eventpoll *ep;
	__u32 i;

	if (!w)
		return 0;
	w->cause = LS_POLL;
	w->nr_fds = 0;
	w->fd = -1;
	if (!file || anon_kind(file) != LS_OBJ_EPOLL)
		return 0;
	ep = BPF_CORE_READ(file, private_data);
	root = BPF_CORE_READ(ep, rbr.rb_root.rb_node);
	w->cause = root ? LS_NR_CAUSES : LS_SLEEP;
	for (i = 1; i < WATCHED_MAX && root; i++) { /* numbered as in a heap: bits lead the way */
		node = root;
		if (i >= 4)
			node = i & 2 ? BPF_CORE_READ(node, rb_right) : BPF_CORE_READ(node, rb_left);
		if (i >= 2 && node)
			node = i & 1 ? BPF_CORE_READ(node, rb_right) : BPF_CORE_READ(node, rb_left);
		if (!node)
			continue;
		watch_item((__u64)node, tgid, w);
		if (i >= 4 && (BPF_CORE_READ(node, rb_left) || BPF_CORE_READ(node, rb_right)))
			w->cause = LS_POLL; /* deeper than we look */
	}
	return 0;
}

#endif
