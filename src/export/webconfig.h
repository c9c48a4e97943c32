/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * TLS and users as Prometheus' exporters take them (--web.config.file): of that YAML file, the keys
 * tls_server_config.cert_file and .key_file, and basic_auth_users with hashes as crypt(3) makes them
 * (bcrypt: htpasswd -nBC 10 "" | tr -d ':\n'). One key a line, sections by indentation. Whatever else
 * YAML can say is refused: a setting that is not heeded must not pass for one that is.
 */
#ifndef LS_EXPORT_WEBCONFIG_H
#define LS_EXPORT_WEBCONFIG_H

#include <stddef.h>

enum { WEB_USERS_MAX = 32 };

struct web_user {
	char *name, *hash;
	char *known; /* the password, once it was right: the hash is slow on purpose */
};

struct web_config {
	char *certificate, *key; /* PEM; NULL: no TLS */
	struct web_user users[WEB_USERS_MAX];
	size_t nr_users;
};

/* NULL: errno; why was printed. File names in it are relative to its own folder. */
struct web_config *web_config__read(const char *path);
void web_config__free(struct web_config *w);

enum web_answer {
	WEB_RIGHT,
	WEB_WRONG,
	WEB_LATER, /* too many passwords are being tried: not looked at */
};

/* There must be users. */
enum web_answer web_config__check(struct web_config *w, const char *name, const char *password);

#endif
