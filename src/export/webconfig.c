/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <crypt.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "export/webconfig.h"
#include "log.h"

enum { MAX_FILE_BYTES = 1 << 20, CHECKS_A_SECOND = 4, BCRYPT_BYTES = 60 };

/* --- the file ---------------------------------------------------------------------------------- */

static char *read_all(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = file ? malloc(MAX_FILE_BYTES + 1) : NULL;
	size_t bytes = text ? fread(text, 1, MAX_FILE_BYTES + 1, file) : 0;

	if (!text || ferror(file)) {
		log_err("cannot read %s: %s", path, strerror(errno));
		bytes = 0;
	} else if (bytes > MAX_FILE_BYTES || memchr(text, '\0', bytes)) {
		log_err("%s is not a text of at most 1 MB", path);
		bytes = 0;
	} else if (!bytes) {
		log_err("%s is empty", path); /* no users, no TLS: hardly what was meant */
	}
	if (file)
		fclose(file);
	if (!bytes) {
		free(text);
		return NULL;
	}
	text[bytes] = '\0';
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

struct reader {
	struct web_config *w;
	const char *path;
	enum section section;
	bool seen[USERS + 1];
};

static bool set_tls(struct reader *r, const char *key, const char *value)
{
	char **to = !strcmp(key, "cert_file")  ? &r->w->certificate
		    : !strcmp(key, "key_file") ? &r->w->key
					       : NULL;

	if (!to || *to) {
		log_err("%s: tls_server_config.%s is %s", r->path, key,
			to ? "there twice" : "not supported");
		return false;
	}
	*to = read_beside(r->path, value);
	return *to != NULL;
}

/* One that no password can fit is a mistake, which should not show as a wrong password for ever. */
static bool is_hash(const char *text)
{
	int salt = crypt_checksalt(text);

	if (!strncmp(text, "$2", 2) && strlen(text) != BCRYPT_BYTES)
		return false;
	return *text == '$' && salt != CRYPT_SALT_INVALID && salt != CRYPT_SALT_METHOD_DISABLED;
}

static bool has_user(const struct web_config *w, const char *name)
{
	for (size_t i = 0; i < w->nr_users; i++)
		if (!strcmp(w->users[i].name, name))
			return true;
	return false;
}

static bool add_user(struct reader *r, const char *name, const char *hash)
{
	struct web_user *user = &r->w->users[r->w->nr_users];
	const char *why = has_user(r->w, name)              ? "is there twice"
			  : r->w->nr_users == WEB_USERS_MAX ? "is one user too many"
			  : !is_hash(hash)                  ? "has no hash as crypt(3) makes them"
							    : NULL;

	if (why) {
		log_err("%s: user '%s' %s", r->path, name, why);
		return false;
	}
	*user = (struct web_user){.name = strdup(name), .hash = strdup(hash)};
	r->w->nr_users++;
	if (!user->name || !user->hash)
		log_err("out of memory");
	return user->name && user->hash;
}

/* What stands on its own line would be overlooked: users in braces would leave the door open. */
static bool take_section(struct reader *r, const char *key, const char *value)
{
	r->section = !strcmp(key, "tls_server_config")  ? TLS
		     : !strcmp(key, "basic_auth_users") ? USERS
							: NONE;
	if (r->section == NONE)
		log_err("%s: %s is not supported: only tls_server_config and basic_auth_users are",
			r->path, key);
	else if (*value)
		log_err("%s: what belongs to %s must stand in indented lines below it", r->path,
			key);
	else if (r->seen[r->section])
		log_err("%s: %s is there twice", r->path, key);
	else
		return r->seen[r->section] = true;
	return false;
}

static bool take_line(struct reader *r, char *line)
{
	bool indented = *line == ' ' || *line == '\t';
	char *key = line + strspn(line, " \t\r"), *colon, *value;

	if (!*key || *key == '#' || !strncmp(line, "---", 3))
		return true;
	colon = strchr(key, ':');
	if (!colon) {
		log_err("%s: '%s' is not 'key: value'", r->path, trim(key));
		return false;
	}
	*colon = '\0';
	key = trim(key);
	value = trim(colon + 1);
	if (!indented)
		return take_section(r, key, value);
	if (r->section == NONE) {
		log_err("%s: '%s' is indented but in no section", r->path, key);
		return false;
	}
	return r->section == TLS ? set_tls(r, key, value) : add_user(r, key, value);
}

/* A section that is empty would leave open what was to be closed. */
static bool is_complete(const struct reader *r)
{
	const struct web_config *w = r->w;

	if (!w->certificate != !w->key)
		log_err("%s: cert_file and key_file go together", r->path);
	else if (r->seen[TLS] && !w->key)
		log_err("%s: tls_server_config has neither cert_file nor key_file", r->path);
	else if (r->seen[USERS] && !w->nr_users)
		log_err("%s: basic_auth_users has no user", r->path);
	else if (!w->key && !w->nr_users)
		log_err("%s has no settings", r->path);
	else
		return true;
	return false;
}

struct web_config *web_config__read(const char *path)
{
	struct reader r = {.w = calloc(1, sizeof(*r.w)), .path = path};
	char *text = r.w ? read_all(path) : NULL, *rest = text, *line;
	bool ok = text != NULL;

	while (ok && (line = strsep(&rest, "\n")))
		ok = take_line(&r, line);
	free(text);
	if (ok && is_complete(&r))
		return r.w;
	web_config__free(r.w);
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

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/*
 * The hashes are slow to compute, and this is the tracer's only thread: few a second, and at most a
 * quarter of its time.
 */
static char *hash_slowly(const char *password, const char *setting)
{
	static uint64_t second, not_before_ns;
	static int left;
	uint64_t now = clock__mono_ns(), begin;
	char *hash;

	if (now / 1000000000 != second) {
		second = now / 1000000000;
		left = CHECKS_A_SECOND;
	}
	if (now < not_before_ns || left <= 0)
		return NULL;
	left--;
	begin = cpu_ns();
	hash = crypt(password, setting);
	not_before_ns = clock__mono_ns() + 3 * (cpu_ns() - begin);
	return hash ? hash : "";
}

static struct web_user *find_user(struct web_config *w, const char *name)
{
	for (size_t i = 0; i < w->nr_users; i++)
		if (!strcmp(w->users[i].name, name))
			return &w->users[i];
	return NULL;
}

enum web_answer web_config__check(struct web_config *w, const char *name, const char *password)
{
	struct web_user *user = find_user(w, name);
	const char *hash;

	if (user && user->known && same(user->known, password))
		return WEB_RIGHT;
	/* For a user who is not there as well: the time must not tell which names are right. */
	hash = hash_slowly(password, user ? user->hash : w->users[0].hash);
	if (!hash)
		return WEB_LATER;
	if (!user || !same(hash, user->hash))
		return WEB_WRONG;
	free(user->known);
	user->known = strdup(password);
	return WEB_RIGHT;
}
