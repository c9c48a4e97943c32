/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a captured call and its object are called. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "symbols/strings.h"
#include "trace/names.h"

static struct strings *pool;

static int new_pool(void **state)
{
	(void)state;
	pool = strings__new();
	return pool ? 0 : -1;
}

static int free_pool(void **state)
{
	(void)state;
	strings__free(pool);
	return 0;
}

static struct ls_call call_on(enum ls_object_kind kind)
{
	return (struct ls_call){.fd = 3, .object = {.kind = kind}};
}

/* Components leaf first, as BPF sends them: "app.db\0lib\0var\0". */
static struct ls_call call_on_path(enum ls_object_kind kind, const char *components, size_t bytes)
{
	struct ls_call call = call_on(kind);

	memcpy(call.object.path, components, bytes);
	call.object.path_bytes = (uint16_t)bytes;
	return call;
}

#define ON_PATH(kind, literal) call_on_path(kind, literal, sizeof(literal) - 1)

static struct ls_call call_on_inet(int family, int proto, const char *remote, uint16_t port)
{
	struct ls_call call = call_on(LS_OBJ_SOCKET);

	call.object.family = (uint8_t)family;
	call.object.proto = (uint8_t)proto;
	call.object.remote_port = port;
	if (remote)
		assert_int_equal(inet_pton(family, remote, call.object.remote), 1);
	return call;
}

static void assert_named(const struct ls_call *call, const char *name)
{
	assert_string_equal(object_name(pool, call), name);
}

static void system_calls_have_their_names(void **state)
{
	(void)state;
	assert_string_equal(call_name(SYS_read), "read");
	assert_string_equal(call_name(SYS_recvfrom), "recvfrom");
	assert_string_equal(call_name(SYS_clock_nanosleep), "clock_nanosleep");
	assert_string_equal(call_name(SYS_epoll_pwait2), "epoll_pwait2");
}

static void number_that_is_no_system_call_has_no_name(void **state)
{
	(void)state;
	assert_null(call_name(-1)); /* a page fault */
	assert_null(call_name(-2147483647 - 1));
	assert_null(call_name(2147483647));
	assert_null(call_name(400)); /* in a hole of the table */
}

static void socket_is_named_by_its_peer(void **state)
{
	struct ls_call v4 = call_on_inet(AF_INET, IPPROTO_TCP, "127.0.0.1", 5432);
	struct ls_call v6 = call_on_inet(AF_INET6, IPPROTO_TCP, "2001:db8::7", 443);
	struct ls_call udp = call_on_inet(AF_INET, IPPROTO_UDP, "9.9.9.9", 53);
	struct ls_call other = call_on_inet(AF_INET, IPPROTO_SCTP, "10.0.0.1", 7);

	(void)state;
	assert_named(&v4, "tcp 127.0.0.1:5432");
	assert_named(&v6, "tcp [2001:db8::7]:443");
	assert_named(&udp, "udp 9.9.9.9:53");
	assert_named(&other, "ip 10.0.0.1:7");
}

static void socket_without_a_peer_is_named_by_where_it_listens(void **state)
{
	struct ls_call v6 = call_on_inet(AF_INET6, IPPROTO_TCP, NULL, 0);
	struct ls_call v4 = call_on_inet(AF_INET, IPPROTO_TCP, NULL, 0), fresh = v4;

	(void)state;
	v4.object.local_port = 8080;
	v6.object.local_port = 8081;
	assert_named(&v4, "tcp listening on 0.0.0.0:8080");
	assert_named(&v6, "tcp listening on [::]:8081");
	assert_named(&fresh, "tcp socket");
}

static void unix_socket_is_named_by_path_or_peer(void **state)
{
	struct ls_call path = ON_PATH(LS_OBJ_SOCKET, "/run/db.sock\0");
	struct ls_call abstract = ON_PATH(LS_OBJ_SOCKET, "@dbus-1\0");
	struct ls_call peer = call_on(LS_OBJ_SOCKET), nobody = peer,
		       own = call_on(LS_OBJ_SELF_SOCKET);

	(void)state;
	path.object.family = abstract.object.family = peer.object.family = AF_UNIX;
	nobody.object.family = own.object.family = AF_UNIX;
	peer.object.peer_tgid = 77;
	assert_named(&path, "unix /run/db.sock");
	assert_named(&abstract, "unix @dbus-1");
	assert_named(&peer, "unix socket to pid 77");
	assert_named(&nobody, "unix socket");
	assert_named(&own, "unix socket pair of its own");
}

static void unix_name_that_fills_its_field_is_not_read_beyond(void **state)
{
	struct ls_call call = call_on(LS_OBJ_SOCKET);
	char want[LS_PATH_LEN + 6] = "unix ";

	(void)state;
	call.object.family = AF_UNIX;
	memset(call.object.path, 'x', sizeof(call.object.path));
	memset(want + 5, 'x', LS_PATH_LEN);
	call.object.path_bytes = LS_PATH_LEN;
	assert_named(&call, want);
	call.object.path_bytes = 65535;
	assert_named(&call, want);
}

static void families_nobody_waits_for_are_named_by_number(void **state)
{
	struct ls_call netlink = call_on(LS_OBJ_SOCKET), vsock = netlink;

	(void)state;
	netlink.object.family = AF_NETLINK;
	vsock.object.family = AF_VSOCK;
	assert_named(&netlink, "netlink socket");
	assert_named(&vsock, "socket of family 40");
}

static void path_is_put_together_from_its_leaf_up(void **state)
{
	struct ls_call file = ON_PATH(LS_OBJ_FILE, "app.db\0lib\0var\0");
	struct ls_call root = ON_PATH(LS_OBJ_FILE, "x\0");

	(void)state;
	assert_named(&file, "/var/lib/app.db");
	assert_named(&root, "/x");
}

static void path_whose_beginning_is_missing_says_so(void **state)
{
	struct ls_call file = ON_PATH(LS_OBJ_FILE, "leaf\0deep\0");

	(void)state;
	file.object.path_truncated = 1;
	assert_named(&file, ".../deep/leaf");
}

static void path_is_never_read_beyond_its_field(void **state)
{
	struct ls_call call = call_on(LS_OBJ_FILE);
	const char *name;

	(void)state;
	for (int fill = 0; fill < 256; fill++) {
		memset(call.object.path, fill, sizeof(call.object.path));
		for (uint32_t bytes = 0; bytes <= 300; bytes++) {
			call.object.path_bytes = (uint16_t)bytes;
			call.object.path_truncated = bytes & 1;
			name = object_name(pool, &call);
			assert_true(!name || strlen(name) <= 2 * LS_PATH_LEN);
		}
	}
	call.object.path_bytes = 65535;
	object_name(pool, &call);
}

static void bytes_of_a_name_are_kept_as_they_are(void **state)
{
	struct ls_call file = ON_PATH(LS_OBJ_FILE, "\033[2J\xff\n\0tmp\0");

	(void)state;
	assert_named(&file, "/tmp/\033[2J\xff\n"); /* the reports make them harmless */
}

static void objects_with_a_path_show_what_they_are(void **state)
{
	struct ls_call block = ON_PATH(LS_OBJ_BLOCKDEV, "sda\0dev\0");
	struct ls_call chars = ON_PATH(LS_OBJ_CHARDEV, "random\0dev\0");
	struct ls_call tty = ON_PATH(LS_OBJ_TTY, "3\0pts\0dev\0");
	struct ls_call fifo = ON_PATH(LS_OBJ_PIPE, "ctl\0run\0");

	(void)state;
	assert_named(&block, "block device /dev/sda");
	assert_named(&chars, "/dev/random");
	assert_named(&tty, "tty /dev/pts/3");
	assert_named(&fifo, "fifo /run/ctl");
}

static void objects_without_a_name_are_named_by_kind(void **state)
{
	static const struct {
		enum ls_object_kind kind;
		const char *name;
	} kinds[] = {
		{LS_OBJ_PIPE, "pipe"},
		{LS_OBJ_EVENTFD, "eventfd"},
		{LS_OBJ_EPOLL, "epoll"},
		{LS_OBJ_TIMERFD, "timerfd"},
		{LS_OBJ_SIGNALFD, "signalfd"},
		{LS_OBJ_INOTIFY, "inotify"},
		{LS_OBJ_PIDFD, "pidfd"},
		{LS_OBJ_IO_URING, "io_uring"},
		{LS_OBJ_ANON, "anonymous inode"},
		{LS_OBJ_BLOCKDEV, "block device"},
		{LS_OBJ_CHARDEV, "character device"},
		{LS_OBJ_TTY, "tty"},
	};
	struct ls_call none = call_on(LS_OBJ_NONE), file = call_on(LS_OBJ_FILE);
	struct ls_call unheard_of = call_on(200);

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct ls_call call = call_on(kinds[i].kind);

		assert_named(&call, kinds[i].name);
	}
	assert_null(object_name(pool, &none));
	assert_null(object_name(pool, &file));
	assert_null(object_name(pool, &unheard_of));
}

static void anonymous_pipe_has_no_path_to_show(void **state)
{
	struct ls_call pipe = ON_PATH(LS_OBJ_PIPE, "\0\0");

	(void)state;
	assert_named(&pipe, "pipe");
}

static void poll_of_many_names_the_first(void **state)
{
	struct ls_call tcp = call_on_inet(AF_INET, IPPROTO_TCP, "10.1.2.3", 80);
	struct ls_call none = call_on(LS_OBJ_NONE);

	(void)state;
	tcp.object.nr_fds = none.object.nr_fds = 12;
	assert_named(&tcp, "12 descriptors, first tcp 10.1.2.3:80");
	assert_named(&none, "12 descriptors");
	tcp.object.nr_fds = 1;
	assert_named(&tcp, "tcp 10.1.2.3:80");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(system_calls_have_their_names),
		cmocka_unit_test(number_that_is_no_system_call_has_no_name),
		cmocka_unit_test(socket_is_named_by_its_peer),
		cmocka_unit_test(socket_without_a_peer_is_named_by_where_it_listens),
		cmocka_unit_test(unix_socket_is_named_by_path_or_peer),
		cmocka_unit_test(unix_name_that_fills_its_field_is_not_read_beyond),
		cmocka_unit_test(families_nobody_waits_for_are_named_by_number),
		cmocka_unit_test(path_is_put_together_from_its_leaf_up),
		cmocka_unit_test(path_whose_beginning_is_missing_says_so),
		cmocka_unit_test(path_is_never_read_beyond_its_field),
		cmocka_unit_test(bytes_of_a_name_are_kept_as_they_are),
		cmocka_unit_test(objects_with_a_path_show_what_they_are),
		cmocka_unit_test(objects_without_a_name_are_named_by_kind),
		cmocka_unit_test(anonymous_pipe_has_no_path_to_show),
		cmocka_unit_test(poll_of_many_names_the_first),
	};

	return cmocka_run_group_tests_name("names", tests, new_pool, free_pool);
}
