/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/names.h - which name in which directory is which inode; the targets of symbolic links.
 * What else names.db holds: names_xattr.h.
 *
 * Owns     names.db.  It is the truth for names and link counts: inode records only repeat them.
 * Keeps    N1 each call is one transaction: it has happened whole, or not at all.
 *          N2 a name is in a directory once.
 *          N3 the offset of an entry never changes while it exists (readdir goes on anywhere).
 *          N4 names are bytes: 1..255 of them, no '/' and no NUL; nothing is folded or decoded.
 *          N5 on a full disk names can be removed; none are added until there is space again.
 * Threads  takes CATALOG itself, may sleep.
 * Fails    -errno as catalog.h; NAMES_ABSENT and NAMES_EXISTS are conditions.  -ENOSPC also when a
 *          directory has no place left for a name (more than 64 names of one hash).
 *
 * An entry's key is (directory's record number << 31) | place: 31 bits of a hash of the name keyed
 * with the mount's secret, moved up to 63 places when others are there.  So one integer b-tree
 * finds names, lists directories in a stable order, and needs no second index.
 *
 * `dir` may be an inode number or a bare record number: its low 32 bits count.  A directory that is
 * removed is empty, so its record may become another directory.
 */
#pragma once

#include "base.h"

struct names;

/* The inode number of the directory that has no name. */
#define ROOT_INO UINT64_C(1)

enum { NAMES_FORMAT = 3 }; /* of the database */
enum { NAME_BYTES_MAX = 255, SYMLINK_BYTES_MAX = 4095 };
enum names_r { NAMES_OK, NAMES_ABSENT, NAMES_EXISTS };

struct name {
	const char *bytes; /* not terminated */
	size_t len;
};

/* Open DIR/names.db, created when absent.  `secret` keys the hash of names: -ESTALE when the file
 * was made with another one (left by an earlier mount), -EUCLEAN when it is damaged or of another
 * format. */
int names_open(const char *dir, uint64_t secret, struct names **ret) must_check;
void names_close(struct names *n); /* NULL is fine */

int names_lookup(struct names *n, uint64_t dir, struct name name, uint64_t *ret_ino) must_check;

/* Enter `name`.  With `target` (a symbolic link) its text is kept with the inode in the same
 * transaction. NAMES_EXISTS: nothing changed. */
int names_add(struct names *n, uint64_t dir, struct name name, uint64_t ino,
	      const struct name *target) must_check;

/* Take a name away; if `last` the inode's symbolic-link text goes with it.
 * NAMES_ABSENT when it is not there or is another inode. */
int names_remove(struct names *n, uint64_t dir, struct name name, uint64_t ino,
		 bool last) must_check;

/* What becomes of the inode under the new name. */
enum names_rename { NAMES_RENAME_REPLACE, NAMES_RENAME_NOREPLACE, NAMES_RENAME_EXCHANGE };

struct names_move {
	uint64_t dir;
	struct name name;
	uint64_t ino; /* what is expected there */
	uint64_t new_dir;
	struct name new_name;
	uint64_t replaced; /* what is expected there; 0: nothing; always with NOREPLACE, never with EXCHANGE */
	bool last;         /* that is its last name: its symbolic-link text goes with it */
	enum names_rename how;
	uint64_t left; /* a new inode, which gets the old name (a whiteout); 0: none; never with EXCHANGE */
};

/* If what is expected differs: NAMES_ABSENT, nothing changed, but NAMES_EXISTS when NOREPLACE finds the new
 * name taken.  Both names in one place: nothing to do.  That two names of one inode are left alone (POSIX)
 * is decided by the caller. */
int names_rename(struct names *n, const struct names_move *m) must_check;

int names_is_empty(struct names *n, uint64_t dir, bool *ret_empty) must_check;

/* The text of symbolic link `ino`, terminated, into buf[SYMLINK_BYTES_MAX + 1]. */
int names_readlink(struct names *n, uint64_t ino, char *buf) must_check;

struct names_entry {
	uint64_t ino;
	uint64_t offset; /* of this entry, > 0: give it to names_list() to go on behind it */
	size_t len;
	char name[NAME_BYTES_MAX + 1];
};

/* Up to `max` entries of `dir` behind `offset` (0: from the start), in the order of their offsets.
 */
int names_list(struct names *n, uint64_t dir, uint64_t offset, struct names_entry *ret,
	       unsigned max, unsigned *ret_count) must_check;

/* Every entry, in the order of directory records and offsets, until `visit` returns other than 0,
 * which is then the result.  `visit` is called without a lock: it may call names_*; entries that
 * come and go meanwhile may be seen or not. */
typedef int names_visit(void *arg, uint32_t dir_record, const struct names_entry *e);
int names_walk(struct names *n, names_visit *visit, void *arg) must_check;

/* The same for those who need no names, and no others meanwhile: `visit` is called under the lock. */
typedef int names_visit_ino(void *arg, uint32_t dir_record, uint64_t ino);
int names_walk_inos(struct names *n, names_visit_ino *visit, void *arg) must_check;

/* names_domains.c: `number` stands for what user `uid` makes; neither has been said before. */
int names_domain_add(struct names *n, uint64_t number, uint64_t uid) must_check;
typedef int names_visit_domain(void *arg, uint64_t number, uint64_t uid);
int names_domain_walk(struct names *n, names_visit_domain *visit, void *arg) must_check;

/* False: the disk is full, and what is left of it is for removals: nobody else should write to it now. */
bool names_have_space(struct names *n) must_check;
uint64_t names_bytes(struct names *n, uint64_t *ret_kept); /* and what is kept beside them for removals */
