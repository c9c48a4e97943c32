/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* SQLite in rollback mode: BEGIN EXCLUSIVE by the slot's writer keeps the slot's reader out. */
#include "server/db.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/clock.h"

#define ROWS 100

struct slot {
	char path[256];
	sqlite3 *reader, *writer;
	sqlite3_stmt *count;
	bool held;              /* the writer has the lock */
	uint64_t held_until_ns; /* when the releaser gives it back */
};

struct db {
	pthread_mutex_t lock; /* over held, held_until_ns, stopping */
	pthread_cond_t changed;
	bool stopping, running;
	pthread_t releaser;
	const char *dir;
	unsigned int nr_slots;
	struct slot slots[];
};

static void release(struct slot *slot)
{
	sqlite3_exec(slot->writer, "COMMIT", NULL, NULL, NULL);
	slot->held = false;
}

/* Releases what is due; returns when the next one is, UINT64_MAX for none. */
static uint64_t release_due(struct db *db)
{
	uint64_t next_ns = UINT64_MAX, now = now_ns();

	for (unsigned int i = 0; i < db->nr_slots; i++) {
		struct slot *slot = &db->slots[i];

		if (!slot->held)
			continue;
		if (slot->held_until_ns <= now)
			release(slot);
		else if (slot->held_until_ns < next_ns)
			next_ns = slot->held_until_ns;
	}
	return next_ns;
}

static void *releaser_main(void *arg)
{
	struct db *db = arg;

	pthread_mutex_lock(&db->lock);
	while (!db->stopping) {
		uint64_t next_ns = release_due(db);
		struct timespec at = {.tv_sec = (time_t)(next_ns / NS_PER_S),
				      .tv_nsec = (long)(next_ns % NS_PER_S)};

		if (next_ns == UINT64_MAX)
			pthread_cond_wait(&db->changed, &db->lock);
		else
			pthread_cond_clockwait(&db->changed, &db->lock, CLOCK_MONOTONIC, &at);
	}
	pthread_mutex_unlock(&db->lock);
	return NULL;
}

static int fill(sqlite3 *handle)
{
	static const char sql[] =
		"PRAGMA synchronous = OFF; CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT);"
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
		"INSERT INTO note SELECT i, 'note ' || i FROM n;";
	char text[sizeof(sql) + 8];

	snprintf(text, sizeof(text), sql, ROWS);
	return sqlite3_exec(handle, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;
}

static void close_slot(struct slot *slot)
{
	sqlite3_finalize(slot->count);
	sqlite3_close(slot->reader);
	sqlite3_close(slot->writer);
	if (slot->path[0])
		unlink(slot->path);
	*slot = (struct slot){0};
}

/* On the slot's own thread, at its first query. */
static int open_slot(struct slot *slot, const char *dir, unsigned int index)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
	int len = snprintf(slot->path, sizeof(slot->path), "%s/notes-%u.db", dir, index);

	if (len >= (int)sizeof(slot->path))
		return -ENAMETOOLONG;
	unlink(slot->path);
	if (sqlite3_open_v2(slot->path, &slot->writer, flags, NULL) != SQLITE_OK ||
	    fill(slot->writer) ||
	    sqlite3_open_v2(slot->path, &slot->reader, flags, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(slot->reader, "SELECT count(*) FROM note", -1, &slot->count, NULL) !=
		    SQLITE_OK) {
		close_slot(slot);
		return -EIO;
	}
	return 0;
}

static int start_releaser(struct db *db)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&db->releaser, NULL, releaser_main, db);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return -err;
	db->running = true;
	pthread_setname_np(db->releaser, "db-releaser");
	return 0;
}

struct db *db__open(const char *dir, unsigned int nr_slots)
{
	struct db *db = calloc(1, sizeof(*db) + nr_slots * sizeof(db->slots[0]));
	int err;

	if (!db)
		return NULL;
	db->dir = dir;
	db->nr_slots = nr_slots;
	pthread_mutex_init(&db->lock, NULL);
	pthread_cond_init(&db->changed, NULL);
	err = open_slot(&db->slots[0], dir, 0);
	if (!err)
		err = start_releaser(db);
	if (!err)
		return db;
	db__close(db);
	errno = -err;
	return NULL;
}

void db__close(struct db *db)
{
	if (!db)
		return;
	if (db->running) {
		pthread_mutex_lock(&db->lock);
		db->stopping = true;
		pthread_cond_signal(&db->changed);
		pthread_mutex_unlock(&db->lock);
		pthread_join(db->releaser, NULL);
	}
	for (unsigned int i = 0; i < db->nr_slots; i++)
		close_slot(&db->slots[i]);
	pthread_cond_destroy(&db->changed);
	pthread_mutex_destroy(&db->lock);
	free(db);
}

/* The slot is the caller's and nobody has its lock: this does not wait. */
static int take_lock(struct db *db, struct slot *slot, uint32_t ms)
{
	if (sqlite3_exec(slot->writer, "BEGIN EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK)
		return -EIO;
	pthread_mutex_lock(&db->lock);
	slot->held = true;
	slot->held_until_ns = now_ns() + ms * NS_PER_MS;
	pthread_mutex_unlock(&db->lock);
	pthread_cond_signal(&db->changed);
	return 0;
}

/* After a query that gave up: the next one wants the slot as it was. */
static void give_lock_back(struct db *db, struct slot *slot)
{
	pthread_mutex_lock(&db->lock);
	if (slot->held)
		release(slot);
	pthread_mutex_unlock(&db->lock);
}

int db_query(struct db *db, unsigned int index, uint32_t ms, uint64_t deadline_ns, uint32_t *rows)
{
	struct slot *slot = &db->slots[index];
	uint64_t now = now_ns();
	int rc, err = 0;

	if (now >= deadline_ns)
		return -ETIMEDOUT;
	if (!slot->count)
		err = open_slot(slot, db->dir, index);
	if (!err)
		err = take_lock(db, slot, ms);
	if (err)
		return err;

	sqlite3_busy_timeout(slot->reader, (int)((deadline_ns - now) / NS_PER_MS));
	rc = sqlite3_step(slot->count); /* here it waits */
	if (rc == SQLITE_ROW)
		*rows = (uint32_t)sqlite3_column_int(slot->count, 0);
	sqlite3_reset(slot->count);
	give_lock_back(db, slot);
	if (rc == SQLITE_BUSY)
		return -ETIMEDOUT;
	return rc == SQLITE_ROW ? 0 : -EIO;
}
