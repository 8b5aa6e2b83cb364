/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume.h - the only door: a mounted file system as one object, without a word of FUSE.
 *
 * Owns     everything behind it: frames, inodes, names, the content index, scanner and housekeeper.
 * Keeps    V1 what a call acknowledged is in the two memfds and names.db when it returns.
 *          V2 an operation whose receipt (receipt.h) says that it has been done is only answered.
 *          V3 no core lock is held when a call returns: what may take long (answering the kernel) is
 *             done by the caller, with pages pinned (struct volume_read).
 * Threads  any call from any thread.
 * Fails    -errno, ready for the caller of the system call.  -ESTALE: an inode number whose
 *          generation is gone.
 *
 * Inode numbers (`ino`) are generation << 32 | record: one never recurs.  ROOT_INO is 1.
 */
#pragma once

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>

#include "attrs.h"
#include "names.h"
#include "receipt.h"

struct volume;

#define INO_END (UINT64_C(0xffff0000) << 32) /* from here on the caller gives inode numbers out */

/* When reading moves the time of access: as relatime, strictatime and noatime of mount(8). */
enum volume_atime { VOLUME_ATIME_RELATIVE, VOLUME_ATIME_STRICT, VOLUME_ATIME_NEVER };

typedef void check_report(void *arg, const char *violation);

struct volume_config {
	int frames_fd;   /* the two memfds (volume_memfds()); the caller keeps them open */
	int inodes_fd;
	struct receipts receipts; /* of the process that had the memfds before; none is in doubt afterwards */
	const char *dir; /* where names.db and index.db live */
	uint64_t size_pages; /* and this: what the settings start with */
	uint64_t nr_inodes;
	uint64_t store_limit_pages; /* 0: none */
	bool noswap; /* what the memfds hold is never swapped: for the figures */
	mode_t mode; /* of the root directory */
	uid_t uid;
	gid_t gid;
	bool merge_on_write; /* what the setting starts with */
	bool merge_optin;    /* what nobody has advised otherwise is left out of merging */
	uint64_t domain;     /* as ATTR_domain, which cannot be changed */
	enum volume_atime atime, dir_atime;
	bool copy; /* look at a file system in use: everything happens in a private copy of the memfds, and
		    * `dir` holds a copy of names.db; index.db is left alone */
	check_report *report; /* NULL, or who is told what is wrong with the memfds, in words; then -EUCLEAN */
	void *report_arg;
};

/* Create the two memfds for a new, empty volume. */
int volume_memfds(int *ret_frames_fd, int *ret_inodes_fd) must_check;

/* Is what lies in the memfds, and in names.db with them, of a format that volume_open() goes on with? Another process
 * may be at work on them.  -EUCLEAN: no. */
int volume_readable(int inodes_fd) must_check;

/* Empty memfds are formatted; others are gone on with: derived state is rebuilt by one walk. */
int volume_open(const struct volume_config *config, struct volume **ret) must_check;

/* Start the scanner and the housekeeper (punches freed frames, writes index.db).  Not before the
 * process has its final credentials: threads inherit them. */
int volume_start(struct volume *v) must_check;

/* Stop the threads and let go.  The memfds and databases stay as they are. */
void volume_close(struct volume *v); /* NULL is fine */

/* --- names ------------------------------------------------------------------------------------ */

struct volume_entry {
	uint64_t ino;
	struct stat attr;
};

struct volume_new {
	mode_t mode;  /* with its type */
	mode_t umask; /* of the caller; a default access control list of the directory goes before it */
	uid_t uid;
	gid_t gid; /* of the caller; a setgid directory's group wins */
	dev_t rdev;
	const struct name *target; /* of a symbolic link, else NULL */
	int open_flags;            /* O_* when the new file is opened by the same call, else -1 */
};

/* lookup, create, tmpfile and link count one lookup each, which volume_forget() takes back. */
int volume_lookup(struct volume *v, uint64_t dir, struct name name, struct volume_entry *ret) must_check;
int volume_create(struct volume *v, uint64_t dir, struct name name, const struct volume_new *new,
		  struct volume_entry *ret) must_check;
/* A file without a name, which is opened. With O_EXCL it never gets one, else volume_link() may give it one. */
int volume_tmpfile(struct volume *v, uint64_t dir, const struct volume_new *new, struct volume_entry *ret) must_check;
int volume_link(struct volume *v, uint64_t ino, uint64_t dir, struct name name, struct volume_entry *ret) must_check;
int volume_unlink(struct volume *v, uint64_t dir, struct name name) must_check;
int volume_rmdir(struct volume *v, uint64_t dir, struct name name) must_check;
/* flags: 0, RENAME_NOREPLACE, RENAME_EXCHANGE; RENAME_WHITEOUT stands for `whiteout`, which is made under the old
 * name by the same change (else NULL; never with EXCHANGE). */
int volume_rename(struct volume *v, uint64_t dir, struct name name, uint64_t new_dir, struct name new_name,
		  unsigned flags, const struct volume_new *whiteout) must_check;
int volume_readlink(struct volume *v, uint64_t ino, char *buf) must_check; /* buf[SYMLINK_BYTES_MAX + 1] */
void volume_forget(struct volume *v, uint64_t ino, uint64_t lookups);
/* One lookup more of an inode that the caller holds one of already or has just listed: for
 * readdirplus, and for file handles.  -ESTALE when it has gone meanwhile, or has no name any more. */
int volume_remember(struct volume *v, uint64_t ino, struct volume_entry *ret) must_check;
/* Lookups that the calling thread's receipt lists, for an answer that never came, are taken back. */
void volume_unlist(struct volume *v);
/* And all else that was counted, or made, for an answer which nobody will ask for again. */
void volume_take_back(struct volume *v);
int volume_parent(struct volume *v, uint64_t dir, uint64_t *ret_parent) must_check;

/* Entries behind `offset` (0: from the start); offsets are stable while entries come and go.
 * "." and ".." are the caller's affair. */
int volume_list(struct volume *v, uint64_t dir, uint64_t offset, struct names_entry *ret, unsigned max,
		unsigned *ret_count) must_check;
/* The type of an inode as in st_mode & S_IFMT, 0 if it has gone. */
mode_t volume_type(struct volume *v, uint64_t ino);

/* --- attributes ------------------------------------------------------------------------------- */

enum volume_set {
	VOLUME_SET_MODE = 1 << 0,
	VOLUME_SET_UID = 1 << 1,
	VOLUME_SET_GID = 1 << 2,
	VOLUME_SET_SIZE = 1 << 3,
	VOLUME_SET_ATIME = 1 << 4,
	VOLUME_SET_MTIME = 1 << 5,
	VOLUME_SET_CTIME = 1 << 6,
	VOLUME_SET_ATIME_NOW = 1 << 7,
	VOLUME_SET_MTIME_NOW = 1 << 8,
	VOLUME_SET_KILL_PRIV = 1 << 9,	/* clear suid, and sgid of executables */
	VOLUME_SET_KILL_SGID = 1 << 10, /* with KILL_PRIV: any sgid */
	VOLUME_SET_OPEN = 1 << 11,     /* with SIZE: through a descriptor */
};

int volume_getattr(struct volume *v, uint64_t ino, struct stat *ret) must_check;

/* It has been read by somebody who did not say O_NOATIME.  True: this moved its time of access. */
bool volume_accessed(struct volume *v, uint64_t ino);

/* What struct stat has no room for. */
struct volume_more {
	struct timespec btime;
	unsigned flags; /* FS_*_FL of <linux/fs.h> */
};
int volume_more(struct volume *v, uint64_t ino, struct volume_more *ret) must_check;
/* As ioctl(FS_IOC_SETFLAGS), what tmpfs supports (else -EOPNOTSUPP): IMMUTABLE, APPEND, NODUMP, NOATIME. Calls that
 * would change what is immutable, or append-only, fail with -EPERM from then on; what is open already and
 * writebacks go on. */
int volume_set_flags(struct volume *v, uint64_t ino, unsigned flags) must_check;
/* May its extended attributes be changed? -EPERM. */
int volume_may_change(struct volume *v, uint64_t ino) must_check;
/* Nothing to be set (chown to nobody) is a change, too: of ctime. */
int volume_setattr(struct volume *v, uint64_t ino, const struct stat *new, unsigned set, struct stat *ret) must_check;
/* Of what `ino` may take: in a tenant its limits are shown, and what is free as far as the mount has it, too. */
int volume_statfs(struct volume *v, uint64_t ino, struct statvfs *ret) must_check;

/* --- tenants ---------------------------------------------------------------------------------- */

/* A directory in the root with limits of its own, which are two of its extended attributes (ksmfs/xattr.h): -EINVAL for
 * no amounts, for other inodes, and for less than is in use.  What is made in it belongs to it, cannot be renamed or
 * linked out of it (-EXDEV), and counts against its limits (-ENOSPC) as well as against the mount's.  A directory
 * becomes a tenant, and ceases to be one, only when nobody else is in it: -ENOTEMPTY. */

struct volume_tenant {
	uint64_t dir;
	char name[NAME_BYTES_MAX + 1];
	uint64_t size_pages, nr_inodes; /* limits; UINT64_MAX: none */
	uint64_t used_pages, inodes;    /* what counts against them */
};

/* The next behind `*cursor` (0: the first), which is moved to it; -ENOENT at the end. */
int volume_tenants(struct volume *v, uint64_t *cursor, struct volume_tenant *ret) must_check;
/* -ENOENT: no such name, or no tenant. */
int volume_tenant_find(struct volume *v, struct name name, struct volume_tenant *ret) must_check;
/* Some may not know of others: there are tenants, or more domains than one. */
bool volume_is_shared_out(struct volume *v);

/* --- extended attributes ---------------------------------------------------------------------- */

/* Of the namespaces user, trusted and security, and the two access control lists (system.posix_acl_access, _default);
 * who may use them is the caller's affair.  -EOPNOTSUPP: another namespace.  -ENODATA.  What they take is charged
 * against nr_inodes (names_xattr.h, INODE_SPACE): -ENOSPC.
 * With `size` 0 the length of the value, or of the list, is told; -ERANGE: it is longer. */
int volume_getxattr(struct volume *v, uint64_t ino, struct name name, void *buf, size_t size, size_t *ret_len)
	must_check;
/* Names, each with a NUL behind it; those of the namespace trusted only with `all`. */
int volume_listxattr(struct volume *v, uint64_t ino, bool all, char *buf, size_t size, size_t *ret_len)
	must_check;

enum volume_xattr {
	VOLUME_XATTR_CREATE = 1 << 0,  /* -EEXIST */
	VOLUME_XATTR_REPLACE = 1 << 1, /* -ENODATA */
	VOLUME_XATTR_KILL_SGID = 1 << 2, /* with an access list: by one who may not give the file to its group */
};

/* An access control list sets the permissions of the mode; one that says no more than a mode is not kept.
 * -EINVAL: it is none.  -EACCES: a default one, and no directory.  To remove one that is not there is no error. */
int volume_setxattr(struct volume *v, uint64_t ino, struct name name, struct name value, unsigned flags) must_check;
int volume_removexattr(struct volume *v, uint64_t ino, struct name name) must_check;

/* --- contents --------------------------------------------------------------------------------- */

/* Balance each open with one release with the same flags.  VOLUME_STALE (> 0): nothing has been opened.  It would be
 * the first that may store into it, and in the kernel's cache there may be pages of zeroes from before, which nobody
 * has paid for.  They must all go, mapped or not, and those that are being read, and then it is opened again. */
enum volume_open { VOLUME_OPENED, VOLUME_STALE };
int volume_file_open(struct volume *v, uint64_t ino, int flags) must_check;
void volume_file_release(struct volume *v, uint64_t ino, int flags);

/* Around that: from the first of these to the last what enters the cache is paid for, so it does not become stale
 * again.  False: it is not stale (any more). */
bool volume_storer_comes(struct volume *v, uint64_t ino) must_check;
void volume_cache_dropped(struct volume *v, uint64_t ino);
void volume_storer_came(struct volume *v, uint64_t ino);

/* Bytes of a file, ready to be sent: `iov` refers to pinned frames, to zeroes, and is valid until
 * volume_read_done().  Pages may be in swap. */
struct volume_read {
	struct volume *volume;
	unsigned count;       /* of iov */
	unsigned pinned;
	size_t bytes;         /* short at the end of the file */
	struct iovec iov[BATCH_PAGES + 2];
	uint32_t frame[BATCH_PAGES + 2];
};

/* At most BATCH_PAGES pages and a partial one.  -ENOSPC: a hole of a file that somebody may store
 * into cannot be reserved. */
int volume_read(struct volume *v, uint64_t ino, uint64_t offset, size_t len, struct volume_read *ret) must_check;
void volume_read_done(struct volume_read *r);

enum volume_write {
	VOLUME_WRITEBACK = 1 << 0, /* from the page cache: never extends, is never refused for the limit */
	VOLUME_WRITE_KILL_PRIV = 1 << 1, /* clear suid, and sgid of executables */
	VOLUME_WRITE_KILL_SGID = 1 << 2, /* with KILL_PRIV: any sgid */
	VOLUME_COPY_UNSEEN = 1 << 3, /* volume_copy(): see there */
};

/* Bytes written (short when only some fit below the limit) or -errno when none.  The caller sees to it that no
 * truncation of the file runs meanwhile (the kernel holds the inode's lock, and waits for writebacks).
 * A writeback may not fail: short, or -EAGAIN when nothing was written, says that there is no frame for the
 * rest now.  Keep the rest and come back with it when volume_on_room() calls, and now and then without: memory of the
 * system comes back without a word. */
ssize_t volume_write(struct volume *v, uint64_t ino, uint64_t offset, const void *data, size_t len,
		     unsigned flags) must_check;

/* Copy `len` bytes, within one file not onto themselves.  Whole pages that lie alike in both are referred to where
 * what may be merged allows it.  Bytes copied: 0 at the end of `from`; less than asked for when they were
 * many, or somebody interrupts: go on behind them.  -errno, the space left, and truncations as volume_write().
 * VOLUME_COPY_UNSEEN: -EXDEV where somebody may store into those pages of `to` through a mapping, unseen: where it is
 * open for that and has them already. */
struct volume_copy {
	uint64_t from, from_offset; /* an inode, a byte of it */
	uint64_t to, to_offset;
	uint64_t len;
};
ssize_t volume_copy(struct volume *v, const struct volume_copy *c, unsigned flags, const struct interrupt *interrupt)
	must_check;

/* `call` is told, from any thread and under locks, that frames were freed after a writeback had found none. */
void volume_on_room(struct volume *v, void (*call)(void *arg), void *arg);
/* Is it store_limit for which there are no frames, not memory? */
bool volume_is_at_store_limit(struct volume *v);

/* A memory cgroup limits this process, and perhaps those who store into mappings.  When these have made all of it dirty
 * nobody is given memory until it is written back, and that takes memory.  `call` is told how many bytes may be dirty:
 * no more than can be written to frames that are kept for that; UINT64_MAX: there is no limit (any more). */
void volume_on_dirty_max(struct volume *v, void (*call)(void *arg, uint64_t bytes), void *arg);
/* A writeback is kept until there is room (1), or no more (-1): for the figures. */
void volume_count_parked(struct volume *v, int n);

/* Who goes on with a volume that another has left is ready to serve, `usecs` after it began: for the figures. */
void volume_took_over(struct volume *v, uint64_t usecs);

/* mode: 0, or FALLOC_FL_KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE as fallocate(2); others -EOPNOTSUPP. */
int volume_fallocate(struct volume *v, uint64_t ino, int mode, uint64_t offset, uint64_t len) must_check;
/* whence: SEEK_DATA or SEEK_HOLE. */
int volume_seek(struct volume *v, uint64_t ino, uint64_t offset, int whence, uint64_t *ret) must_check;

/* --- advice ------------------------------------------------------------------------------------- */

/* What may be done with a file's pages: as madvise(MADV_MERGEABLE), and one thing more. */
enum volume_advice {
	VOLUME_UNMERGEABLE, /* merge nothing; what was merged is split */
	VOLUME_MERGEABLE,
	VOLUME_KEEP,        /* merge nothing more; what is merged stays */
};

/* Of a file: holds for all of it, at once; what was said of ranges is forgotten.  Of a directory: for what is
 * created in it from now on.  -ENOMEM, -EINTR: the file is out of merging, but not all of it has been split:
 * say it again. */
int volume_advise(struct volume *v, uint64_t ino, enum volume_advice advice, const struct interrupt *interrupt)
	must_check;
int volume_advice(struct volume *v, uint64_t ino, enum volume_advice *ret) must_check;

/* Of a range of a file, which goes before what holds for all of it; never VOLUME_KEEP.  It is known whatever
 * `run` says, and forgotten by truncation.  Of no bytes: 0.  -EINVAL: not whole pages.  -ENOMEM as madvise(2):
 * some of the range is beyond the end (the rest was done), too many ranges, or no memory to split with; -EINTR
 * as above. -EISDIR. */
int volume_advise_range(struct volume *v, uint64_t ino, uint64_t offset, uint64_t len, enum volume_advice advice,
			const struct interrupt *interrupt) must_check;

/* What merging does for a file, for all files below a directory (each once, however many links), or for all that a
 * tenant has: of its directory what is open and has no name any more counts, too. */
struct volume_pages {
	uint64_t slots;     /* that hold data: the sum of the five below */
	uint64_t merged;    /* on a frame that others refer to as well */
	uint64_t unshared;  /* alone on a frame of the content index */
	uint64_t zero;
	uint64_t changing;  /* pages_volatile */
	uint64_t untracked;
	uint64_t left_out;  /* pages up to the end (of the range asked for) that may not be merged, holes included */
	uint64_t saved_bytes;        /* what these slots would take without merging, less what they take */
	uint64_t proportional_bytes; /* each frame's bytes divided by those who refer to it */
	int64_t profit_bytes;        /* saved_bytes less what the daemon spends to know it */
};

/* Of [offset, offset + len), whole pages (-EINVAL); of a directory both must be 0 and UINT64_MAX.  -EINTR. */
int volume_pages(struct volume *v, uint64_t ino, uint64_t offset, uint64_t len, const struct interrupt *interrupt,
		 struct volume_pages *ret) must_check;
/* Of `count` tenants by their directories, with one look at all inodes; one that has ended has nothing. -EINTR. */
int volume_tenant_pages(struct volume *v, const uint64_t *dir, unsigned count, const struct interrupt *interrupt,
			struct volume_pages *ret) must_check;

/* --- the kernel's page cache ------------------------------------------------------------------------- */

/* Core sees what enters the cache, but cannot look into it, nor drop what is there: that takes somebody who can open
 * files.  A file to be looked at, or to be dropped from it where that takes nothing from anybody. */
enum { VOLUME_ERRANDS = 128 };
struct volume_errand {
	uint64_t ino;
	bool drops; /* else it is only asked how many pages there are */
	uint32_t used;  /* core's own, as is `class` */
	unsigned class;
};

/* There is somebody who runs errands.  `tell` is called, from any thread, when he ought to ask for them before the time
 * that he was told. */
void volume_on_errand(struct volume *v, void (*tell)(void *arg), void *arg);
/* At most `max` of them (VOLUME_ERRANDS), always by the same thread, when those from before are done.  None: ask again
 * after *ret_wait_ms, or when told; -1: when told.  `pressure`: memory is short. */
unsigned volume_errands(struct volume *v, bool pressure, struct volume_errand *ret, unsigned max, int64_t *ret_wait_ms)
	must_check;
/* Pages in the cache before and after it, or an error: -ESTALE, -EBUSY, or any. */
void volume_errand_done(struct volume *v, const struct volume_errand *e, uint64_t before, uint64_t after, int error);
/* May it be opened for an errand now: is it there, still to be dropped (with `drops`), and no writeback parked? */
bool volume_may_look(struct volume *v, uint64_t ino, bool drops) must_check;

/* --- controls and figures ----------------------------------------------------------------------- */

/* For the figures: memory that this mount has beside the volume is in the file `shared_fd` (-1: none), which stays the
 * caller's, and of the process `parent` and its other children (0: of none).  Before volume_start(). */
void volume_beside(struct volume *v, int shared_fd, pid_t parent);
/* One consistent snapshot of every row of attrs.def, by enum attr. */
void volume_stats(struct volume *v, int64_t ret[ATTRS]);
/* The errors are those of KSM's file of that name (settings.h); a refused value changes nothing.  `run` = 2
 * splits all that is merged before it returns: -ENOMEM, -EINTR: what was split stays split, and `run` is 0
 * then (or what somebody else has set it to meanwhile, which ends this call). */
int volume_set(struct volume *v, enum attr attr, uint64_t value, const struct interrupt *interrupt) must_check;
const char *volume_dir(const struct volume *v);

/* Everything stands still and every invariant is looked at.  Number of violations, each told to
 * `report` in words; -errno when it could not be done. */
int volume_check(struct volume *v, check_report *report, void *arg) must_check;

/* Wait until the scanner and the housekeeper have nothing to do (for tests), at most `ms`. */
int volume_settle(struct volume *v, unsigned ms) must_check;
