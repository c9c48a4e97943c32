/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A database under a held lock: each query finds its table locked by another writer, as a report or
 * a migration would lock it, and SQLite's own busy handler waits until that lock goes.
 *
 * A thread takes a slot of its own (a file, a reader, a writer), so that queries of different
 * threads do not wait for each other; the lock is released by one more thread, on time.
 */
#ifndef SERVER_DB_H
#define SERVER_DB_H

#include <stdint.h>

struct db;

/*
 * Slots 0 .. nr_slots-1, with their files in `dir` (borrowed). Slot 0 is opened now, to find out
 * whether it can be; the others by their first query. NULL with errno set.
 */
struct db *db__open(const char *dir, unsigned int nr_slots);
/* No query may be under way. Removes the files. NULL is fine. */
void db__close(struct db *db);

/*
 * Counts the rows of the slot's table, which is locked for `ms` from now. Blocks for that long. One
 * thread a slot. 0, -ETIMEDOUT at `deadline_ns`, -EIO when SQLite failed.
 */
int db_query(struct db *db, unsigned int slot, uint32_t ms, uint64_t deadline_ns, uint32_t *rows);

#endif
