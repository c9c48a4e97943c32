/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Who may ask the exporter, and where: the web configuration, the address to listen on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/listen.h"
#include "export/webconfig.h"

/* bcrypt of "secret" at cost 4 (man 5 crypt) */
#define HASH "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"

static struct web_config *config_of_bytes(const char *text, size_t bytes)
{
	char path[] = "/tmp/loopstall-web.XXXXXX";
	int fd = mkstemp(path);
	struct web_config *w;

	assert_true(fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes);
	close(fd);
	w = web_config__read(path);
	unlink(path);
	return w;
}

static struct web_config *config_of(const char *text)
{
	return config_of_bytes(text, strlen(text));
}

/* --- the web configuration --------------------------------------------------------------------- */

/* Tries one password after the other, no faster than they are looked at. */
static enum web_answer check(struct web_config *w, const char *name, const char *password)
{
	enum web_answer answer;

	while ((answer = web_config__check(w, name, password)) == WEB_LATER)
		usleep(20000);
	return answer;
}

static void users_are_read_and_their_passwords_checked(void **state)
{
	struct web_config *w = config_of("---\n# users\n\nbasic_auth_users: # who may ask\n"
					 "  prom: " HASH "\n"
					 "  \"other\": '" HASH "' # the same\n");

	(void)state;
	assert_non_null(w);
	assert_int_equal(w->nr_users, 2);
	assert_string_equal(w->users[0].name, "prom");
	assert_string_equal(w->users[1].name, "other");
	assert_string_equal(w->users[1].hash, HASH);
	assert_int_equal(check(w, "prom", "secret"), WEB_RIGHT);
	assert_int_equal(check(w, "prom", "secret"), WEB_RIGHT);
	assert_int_equal(check(w, "prom", "Secret"), WEB_WRONG);
	assert_int_equal(check(w, "prom", ""), WEB_WRONG);
	assert_int_equal(check(w, "root", "secret"), WEB_WRONG);
	assert_int_equal(check(w, "other", "secret"), WEB_RIGHT);
	web_config__free(w);
}

static void guessing_is_slow_and_does_not_shut_out_who_knows_the_password(void **state)
{
	struct web_config *w = config_of("basic_auth_users:\n  prom: " HASH "\n");
	int tried = 0;

	(void)state;
	assert_int_equal(check(w, "prom", "secret"), WEB_RIGHT);
	for (int i = 0; i < 1000; i++) { /* takes far less than a second */
		tried += web_config__check(w, i % 2 ? "prom" : "nobody", "guess") == WEB_WRONG;
		assert_int_equal(web_config__check(w, "prom", "secret"), WEB_RIGHT);
	}
	assert_in_range(tried, 0, 100);
	web_config__free(w);
}

static void settings_that_would_not_be_heeded_are_refused(void **state)
{
	static const char *const refused[] = {
		"",
		"# nothing\n",
		"nonsense\n",
		"http_server_config:\n  http2: true\n",
		"tls_server_config:\n",
		"tls_server_config: cert.pem\n",
		"tls_server_config:\n  cert_file: /dev/null\n  key_file: /dev/null\n",
		"tls_server_config:\n  cert_file: /nonexistent\n  key_file: /nonexistent\n",
		"tls_server_config:\n  client_auth_type: RequireAndVerifyClientCert\n",
		"basic_auth_users:\n",
		"basic_auth_users: {}\n",
		/* all of these would leave the door open, or shut for ever */
		"basic_auth_users: {prom: '" HASH "'}\n",
		"basic_auth_users:\n- prom: " HASH "\n",
		"  prom: " HASH "\n",
		"basic_auth_users:\n  prom: plaintext\n",
		"basic_auth_users:\n  prom: $9$nosuchmethod\n",
		"basic_auth_users:\n  prom: $2y$10$cut\n",
		"basic_auth_users:\n  prom:\n    " HASH "\n",
		"basic_auth_users:\n  prom: " HASH "\n  prom: " HASH "\n",
		"basic_auth_users:\n  prom: " HASH "\nbasic_auth_users:\n  other: " HASH "\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_null(config_of(refused[i]));
	assert_null(config_of_bytes("basic_auth_users:\n\0", 19));
	assert_null(web_config__read("/tmp")); /* a folder reads as nothing */
}

/* --- where to listen --------------------------------------------------------------------------- */

static void addresses_are_told_from_what_is_none(void **state)
{
	static const char *const good[] = {"127.0.0.1:9964", ":9964",  "[::1]:9964", "[::]:0",
					   "localhost:0",    "unix:x", "unix:/run/x"};
	static const char *const bad[] = {"",        ":",        "9964",        ":65536",
					  ":123456", "::1:80",   "[::1]",       "[::1:80",
					  "unix:",   "1.2.3.4:", "1.2.3.4:0x50"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(listen__valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(listen__valid(bad[i]));
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
	char folder[] = "/tmp/loopstall-listen.XXXXXX", where[64], name[256];
	const char *file = where + strlen("unix:");
	struct stat status;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(where, sizeof(where), "unix:%s/x", folder);
	fd = open(file, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0 && write(fd, "precious", 8) == 8);
	close(fd);
	assert_int_equal(listen__open(where, name, sizeof(name)), -EADDRINUSE);
	assert_int_equal(lstat(file, &status), 0);
	assert_true(S_ISREG(status.st_mode) && status.st_size == 8);
	unlink(file);
	rmdir(folder);
}

static void a_socket_that_nobody_listens_on_is_replaced(void **state)
{
	char folder[] = "/tmp/loopstall-listen.XXXXXX", where[64], name[256];
	int first, second;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(where, sizeof(where), "unix:%s/x", folder);
	first = listen__open(where, name, sizeof(name));
	assert_true(first >= 0);
	assert_string_equal(name, where);
	assert_int_equal(listen__open(where, name, sizeof(name)), -EADDRINUSE);
	close(first); /* as one who was killed: its file stays */
	second = listen__open(where, name, sizeof(name));
	assert_true(second >= 0);
	close(second);
	unlink(where + strlen("unix:"));
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_are_read_and_their_passwords_checked),
		cmocka_unit_test(guessing_is_slow_and_does_not_shut_out_who_knows_the_password),
		cmocka_unit_test(settings_that_would_not_be_heeded_are_refused),
		cmocka_unit_test(addresses_are_told_from_what_is_none),
		cmocka_unit_test(a_file_that_is_no_socket_is_left_alone),
		cmocka_unit_test(a_socket_that_nobody_listens_on_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
