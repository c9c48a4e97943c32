/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <crypt.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "export/webconfig.h"
#include "log.h"

enum { MAX_FILE_BYTES = 1 << 20, CHECKS_A_SECOND = 4 };

/* --- the file ---------------------------------------------------------------------------------- */

static char *read_all(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = file ? malloc(MAX_FILE_BYTES + 1) : NULL;
	size_t bytes = text ? fread(text, 1, MAX_FILE_BYTES, file) : 0;

	if (text)
		text[bytes] = '\0';
	else
		log_err("cannot read %s: %s", path, strerror(errno));
	if (file)
		fclose(file);
	return text;
}

/* A file named in the file at `from`. */
static char *read_beside(const char *from, const char *name)
{
	const char *slash = strrchr(from, '/');
	char path[4096];

	if (*name == '/' || !slash)
		return read_all(name);
	snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - from), from, name);
	return read_all(path);
}

/* A scalar: quotes and a comment off. */
static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	if (*s == '"' || *s == '\'') {
		s[strcspn(s + 1, (char[]){*s, '\0'}) + 1] = '\0';
		return s + 1;
	}
	for (char *at = s; (at = strchr(at, '#')); at++)
		if (at == s || at[-1] == ' ') {
			*at = '\0';
			break;
		}
	for (n = strlen(s); n && strchr(" \t\r\n", s[n - 1]);)
		s[--n] = '\0';
	return s;
}

enum section { NONE, TLS, USERS };

static bool set_tls(struct web_config *w, const char *path, const char *key, const char *value)
{
	char **to = !strcmp(key, "cert_file")  ? &w->certificate
		    : !strcmp(key, "key_file") ? &w->key
					       : NULL;

	if (!to) {
		log_err("%s: tls_server_config.%s is not supported", path, key);
		return false;
	}
	free(*to);
	*to = read_beside(path, value);
	return *to != NULL;
}

static bool add_user(struct web_config *w, const char *path, const char *name, const char *hash)
{
	if (w->nr_users == WEB_USERS_MAX || *hash != '$') {
		log_err("%s: user %s: %s", path, name,
			*hash == '$' ? "too many users" : "not a hash as crypt(3) makes them");
		return false;
	}
	w->users[w->nr_users].name = strdup(name);
	w->users[w->nr_users].hash = strdup(hash);
	w->nr_users++;
	return true;
}

static bool take_section(enum section *section, const char *path, const char *key)
{
	*section = !strcmp(key, "tls_server_config")  ? TLS
		   : !strcmp(key, "basic_auth_users") ? USERS
						      : NONE;
	if (*section == NONE)
		log_err("%s: %s is not supported: only tls_server_config and basic_auth_users are",
			path, key);
	return *section != NONE;
}

static bool take_line(struct web_config *w, enum section *section, const char *path, char *line)
{
	bool indented = *line == ' ' || *line == '\t';
	char *key, *colon;

	key = line + strspn(line, " \t");
	if (!*key || *key == '#' || !strncmp(key, "---", 3))
		return true;
	colon = strchr(key, ':');
	if (!colon) {
		log_err("%s: '%s' is not 'key: value'", path, key);
		return false;
	}
	*colon = '\0';
	key = trim(key);
	if (!indented)
		return take_section(section, path, key);
	if (*section == TLS)
		return set_tls(w, path, key, trim(colon + 1));
	return *section == USERS && add_user(w, path, key, trim(colon + 1));
}

struct web_config *web_config__read(const char *path)
{
	struct web_config *w = calloc(1, sizeof(*w));
	char *text = w ? read_all(path) : NULL, *rest = text, *line;
	enum section section = NONE;
	bool ok = text != NULL;

	while (ok && (line = strsep(&rest, "\n")))
		ok = take_line(w, &section, path, line);
	free(text);
	if (ok && !w->certificate != !w->key) {
		log_err("%s: cert_file and key_file go together", path);
		ok = false;
	}
	if (ok)
		return w;
	web_config__free(w);
	errno = EINVAL;
	return NULL;
}

void web_config__free(struct web_config *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->nr_users; i++) {
		free(w->users[i].name);
		free(w->users[i].hash);
		free(w->users[i].known);
	}
	free(w->certificate);
	free(w->key);
	free(w);
}

/* --- passwords --------------------------------------------------------------------------------- */

/* How long it takes does not tell how much of it was right. */
static bool same(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned char differ = n != m;

	for (size_t i = 0; i < n && i < m; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

/* The hashes are slow to compute, and this is the tracer's only thread. */
static bool may_hash(void)
{
	static uint64_t second;
	static int left;
	uint64_t now = clock__mono_ns() / 1000000000;

	if (now != second) {
		second = now;
		left = CHECKS_A_SECOND;
	}
	return left-- > 0;
}

static bool check_hash(struct web_user *u, const char *password)
{
	const char *hash = may_hash() ? crypt(password, u->hash) : NULL;

	if (!hash || !same(hash, u->hash))
		return false;
	free(u->known);
	u->known = strdup(password);
	return true;
}

bool web_config__check(struct web_config *w, const char *user, const char *password)
{
	for (size_t i = 0; i < w->nr_users; i++) {
		struct web_user *u = &w->users[i];

		if (!u->name || !u->hash || strcmp(u->name, user) != 0)
			continue;
		return (u->known && same(u->known, password)) || check_hash(u, password);
	}
	return false;
}
