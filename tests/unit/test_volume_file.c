/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_file.c: attributes and contents of one inode. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/fixture.h"

enum { A = 1, B = 2 };

static struct stat attr_of(struct fixture *f, uint64_t ino)
{
	struct stat st;

	assert_int_equal(volume_getattr(f->v, ino, &st), 0);
	return st;
}

static int setattr(struct fixture *f, uint64_t ino, struct stat st, unsigned what)
{
	return volume_setattr(f->v, ino, &st, what, &st);
}

static void setattr__changes_what_it_was_asked_to(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	const struct stat new = { .st_mode = 07777, .st_uid = 5, .st_gid = 6, .st_size = 77,
				  .st_atim = { 1, 2 }, .st_mtim = { 3, 4 }, .st_ctim = { 5, 6 } };
	struct stat st;

	assert_int_equal(setattr(f, ino, new, VOLUME_SET_MODE), 0);
	st = attr_of(f, ino);
	assert_int_equal(st.st_mode, S_IFREG | 07777);
	assert_int_equal(st.st_uid + st.st_gid + (unsigned)st.st_size, 0);
	assert_int_equal(setattr(f, ino, new, VOLUME_SET_UID | VOLUME_SET_GID | VOLUME_SET_KILL_PRIV), 0);
	st = attr_of(f, ino);
	assert_int_equal(st.st_mode, S_IFREG | 01777); /* suid and sgid went with the owner */
	assert_int_equal(st.st_uid, 5);
	assert_int_equal(st.st_gid, 6);
	assert_int_equal(setattr(f, ino, new, VOLUME_SET_ATIME | VOLUME_SET_MTIME | VOLUME_SET_CTIME), 0);
	st = attr_of(f, ino);
	assert_int_equal(st.st_atim.tv_nsec, 2);
	assert_int_equal(st.st_mtim.tv_sec, 3);
	assert_int_equal(st.st_ctim.tv_sec, 5);
	assert_int_equal(setattr(f, ino, new, VOLUME_SET_ATIME_NOW | VOLUME_SET_MTIME_NOW), 0);
	st = attr_of(f, ino);
	assert_true(st.st_atim.tv_sec > 3 && st.st_mtim.tv_sec > 3 && st.st_ctim.tv_sec > 5);
}

static void setattr__of_nothing_moves_ctime_only(void **state)
{
	struct fixture *f = *state;
	const struct stat old = { .st_atim = { 1, 2 }, .st_mtim = { 3, 4 }, .st_ctim = { 5, 6 } };
	uint64_t ino = make_file(f, "file");

	assert_int_equal(setattr(f, ino, old, VOLUME_SET_ATIME | VOLUME_SET_MTIME | VOLUME_SET_CTIME), 0);
	assert_int_equal(setattr(f, ino, (struct stat){ .st_uid = 9 }, 0), 0);
	assert_int_equal(attr_of(f, ino).st_atim.tv_sec, 1);
	assert_int_equal(attr_of(f, ino).st_mtim.tv_sec, 3);
	assert_true(attr_of(f, ino).st_ctim.tv_sec > 5);
	assert_int_equal(attr_of(f, ino).st_uid, 0);
}

static void truncate__bad_sizes_and_kinds_are_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	const struct stat huge = { .st_size = INT64_MAX }, most = { .st_size = (off_t)FILE_BYTES_MAX };

	assert_int_equal(setattr(f, ino, huge, VOLUME_SET_SIZE), -EFBIG);
	assert_int_equal(setattr(f, ROOT_INO, most, VOLUME_SET_SIZE), -EINVAL);
	assert_int_equal(setattr(f, 999, most, VOLUME_SET_SIZE), -ESTALE);
	assert_int_equal(setattr(f, ino, most, VOLUME_SET_SIZE), 0);
	assert_int_equal(attr_of(f, ino).st_size, FILE_BYTES_MAX);
	assert_int_equal(attr_of(f, ino).st_blocks, 0);
}

static void write__extends_stamps_and_takes_privileges(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	struct stat st = { .st_mode = 06755, .st_mtim = { 3, 4 } };

	assert_int_equal(setattr(f, ino, st, VOLUME_SET_MODE | VOLUME_SET_MTIME), 0);
	assert_int_equal(volume_write(f->v, ino, 10, "xyz", 3, 0), 3);
	st = attr_of(f, ino);
	assert_int_equal(st.st_size, 13);
	assert_int_equal(st.st_mode & 07777, 06755);
	assert_true(st.st_mtim.tv_sec > 3);
	assert_int_equal(volume_write(f->v, ino, 0, "xyz", 3, VOLUME_WRITE_KILL_PRIV), 3);
	st = attr_of(f, ino);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(st.st_size, 13);
	st.st_mode = 02644; /* nobody executes it: sgid stays for those in the group */
	assert_int_equal(setattr(f, ino, st, VOLUME_SET_MODE), 0);
	assert_int_equal(volume_write(f->v, ino, 0, "xyz", 3, VOLUME_WRITE_KILL_PRIV), 3);
	assert_int_equal(attr_of(f, ino).st_mode & 07777, 02644);
	assert_int_equal(volume_write(f->v, ino, 0, "xyz", 3, VOLUME_WRITE_KILL_PRIV | VOLUME_WRITE_KILL_SGID), 3);
	assert_int_equal(attr_of(f, ino).st_mode & 07777, 0644);
	st.st_mode = 06644;
	assert_int_equal(setattr(f, ino, st, VOLUME_SET_MODE), 0);
	assert_int_equal(setattr(f, ino, st, VOLUME_SET_KILL_PRIV), 0);
	assert_int_equal(attr_of(f, ino).st_mode & 07777, 02644);
	assert_int_equal(setattr(f, ino, st, VOLUME_SET_KILL_PRIV | VOLUME_SET_KILL_SGID), 0);
	assert_int_equal(attr_of(f, ino).st_mode & 07777, 0644);
	assert_int_equal(volume_write(f->v, ino, 100, "xyz", 0, 0), 0);
	assert_int_equal(volume_write(f->v, 999, 0, "xyz", 3, 0), -ESTALE);
}

static void writeback__does_not_undo_a_time_set_after_the_store(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	const struct stat new = { .st_mtim = { 3, 4 } };

	put_page(f, ino, 0, A);
	assert_int_equal(setattr(f, ino, new, VOLUME_SET_MTIME), 0);
	assert_int_equal(volume_write(f->v, ino, 0, "xyz", 3, VOLUME_WRITEBACK), 3);
	assert_int_equal(attr_of(f, ino).st_mtim.tv_sec, 3);
	assert_int_equal(volume_write(f->v, ino, 0, "xyz", 3, 0), 3); /* a write(2) does */
	assert_true(attr_of(f, ino).st_mtim.tv_sec > 3);
}

static void write__more_than_a_batch_goes_in_parts(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	const unsigned pages = 3 * BATCH_PAGES + 7;

	put_pages(f, ino, 0, pages, A, 1);
	for (unsigned n = 0; n < pages; n += 97)
		assert_page(f, ino, n, A + n);
	assert_int_equal(attr_of(f, ino).st_size, (off_t)pages * PAGE_BYTES);
	assert_int_equal(attr_of(f, ino).st_blocks, pages * 8);
}

static void read__stops_at_the_end(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	struct volume_read r;
	char text[10];

	assert_int_equal(volume_write(f->v, ino, PAGE_BYTES - 2, "abcde", 5, 0), 5);
	assert_int_equal(get_bytes(f, ino, PAGE_BYTES - 1, sizeof(text), text), 4);
	assert_memory_equal(text, "bcde", 4);
	assert_int_equal(volume_read(f->v, ino, PAGE_BYTES + 3, 10, &r), 0);
	assert_int_equal(r.bytes, 0);
	volume_read_done(&r);
	assert_int_equal(volume_read(f->v, ino, UINT64_MAX, 10, &r), 0);
	assert_int_equal(r.bytes, 0);
	assert_int_equal(volume_read(f->v, ino, 0, 0, &r), 0);
	assert_int_equal(r.bytes, 0);
	assert_int_equal(volume_read(f->v, 999, 0, 10, &r), -ESTALE);
	volume_read_done(&r);
}

static void read__neighbours_are_one_piece(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	struct volume_read r;

	put_pages(f, ino, 0, 8, A, 1);
	assert_int_equal(volume_read(f->v, ino, 0, 8 * PAGE_BYTES, &r), 0);
	assert_int_equal(r.bytes, 8 * PAGE_BYTES);
	assert_int_equal(r.count, 1);
	volume_read_done(&r);
}

static void fallocate__bad_requests_are_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	assert_int_equal(volume_fallocate(f->v, ino, 0, 0, 0), -EINVAL);
	assert_int_equal(volume_fallocate(f->v, ino, FALLOC_FL_COLLAPSE_RANGE, 0, 10), -EOPNOTSUPP);
	assert_int_equal(volume_fallocate(f->v, ino, FALLOC_FL_PUNCH_HOLE, 0, 10), -EOPNOTSUPP);
	assert_int_equal(volume_fallocate(f->v, ino, 0, FILE_BYTES_MAX, 1), -EFBIG);
	assert_int_equal(volume_fallocate(f->v, ino, 0, INT64_MAX, INT64_MAX), -EFBIG);
	assert_int_equal(volume_fallocate(f->v, 999, 0, 0, 1), -ESTALE);
	assert_int_equal(f->v->pool.charged, 0);
}

static void fallocate__its_modes_do_what_they_say(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	assert_int_equal(volume_fallocate(f->v, ino, FALLOC_FL_KEEP_SIZE, 0, 5 * PAGE_BYTES), 0);
	assert_int_equal(attr_of(f, ino).st_size, 0);
	assert_int_equal(attr_of(f, ino).st_blocks, 5 * 8);
	put_pages(f, ino, 0, 2, A, 1);
	assert_int_equal(volume_fallocate(f->v, ino, FALLOC_FL_ZERO_RANGE, 0, 10 * PAGE_BYTES + 1), 0);
	assert_int_equal(attr_of(f, ino).st_size, 10 * PAGE_BYTES + 1);
	assert_page(f, ino, 0, 0);
	assert_figure(f, store_reserved_pages, 11);
	put_pages(f, ino, 0, 2, A, 1);
	assert_int_equal(volume_fallocate(f->v, ino, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE_BYTES + 1), 0);
	assert_page(f, ino, 0, 0);
	assert_int_equal(attr_of(f, ino).st_blocks, 10 * 8);
	assert_int_equal(attr_of(f, ino).st_size, 10 * PAGE_BYTES + 1);
	truncate_to_pages(f, ino, 0);
	assert_figure(f, store_reserved_pages, 0);
}

static void write__ends_where_files_do(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	assert_int_equal(put_bytes(f, ino, FILE_BYTES_MAX - 100, 200, 'x'), 100);
	assert_int_equal(attr_of(f, ino).st_size, FILE_BYTES_MAX);
	assert_int_equal(put_bytes(f, ino, FILE_BYTES_MAX, 1, 'x'), -EFBIG);
}

static void seek__of_unknown_kind_or_file_is_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), at;

	assert_int_equal(volume_seek(f->v, ino, 0, SEEK_SET, &at), -EINVAL);
	assert_int_equal(volume_seek(f->v, 999, 0, SEEK_DATA, &at), -ESTALE);
	assert_int_equal(volume_seek(f->v, ino, INT64_MAX, SEEK_DATA, &at), -ENXIO);
}

/* Its time of access, after a read at which it was atime_s and mtime, ctime were the other two (seconds). */
static int64_t accessed(struct fixture *f, uint64_t ino, int64_t atime_s, int64_t mtime_s, int64_t ctime_s)
{
	const struct stat st = { .st_atim = { atime_s, 5 }, .st_mtim = { mtime_s, 5 }, .st_ctim = { ctime_s, 5 } };

	assert_int_equal(setattr(f, ino, st, VOLUME_SET_ATIME | VOLUME_SET_MTIME | VOLUME_SET_CTIME), 0);
	volume_accessed(f->v, ino);
	assert_int_equal(attr_of(f, ino).st_mtim.tv_sec, mtime_s);
	assert_int_equal(attr_of(f, ino).st_ctim.tv_sec, ctime_s);
	return attr_of(f, ino).st_atim.tv_sec;
}

static void accessed__moves_the_time_as_relatime_does(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");
	int64_t now = time(NULL), lately = now - 1000;

	assert_true(accessed(f, ino, lately, lately, 0) >= now);
	assert_true(accessed(f, ino, lately, 0, lately) >= now);
	assert_true(accessed(f, ino, lately, lately + 1, 0) >= now);
	assert_true(accessed(f, ino, now - 24 * 60 * 60, 0, 0) >= now);
	assert_true(accessed(f, ino, -7, -7, -8) >= now);
	assert_int_equal(accessed(f, ino, lately, lately - 1, lately - 1), lately);
	assert_int_equal(accessed(f, ino, now + 1000, 0, 0), now + 1000);
	volume_accessed(f->v, 999); /* gone: nothing */
}

static void accessed__does_what_the_mount_and_the_file_say(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file"), dir = make(f, ROOT_INO, "dir", S_IFDIR | 0755);
	int64_t now = time(NULL), lately = now - 1000;

	assert_int_equal(volume_set_flags(f->v, ino, FS_NOATIME_FL), 0);
	assert_int_equal(accessed(f, ino, 1, 2, 2), 1);
	assert_int_equal(volume_set_flags(f->v, ino, 0), 0);
	f->config.atime = VOLUME_ATIME_STRICT;
	f->config.dir_atime = VOLUME_ATIME_NEVER;
	fixture_reopen(f);
	assert_true(accessed(f, ino, lately, 0, 0) >= now);
	assert_int_equal(accessed(f, dir, 1, 2, 2), 1);
	f->config.atime = VOLUME_ATIME_NEVER;
	fixture_reopen(f);
	assert_int_equal(accessed(f, ino, 1, 2, 2), 1);
}

static void open__an_unlinked_file_lives_until_the_last_release(void **state)
{
	struct fixture *f = *state;
	uint64_t ino = make_file(f, "file");

	put_page(f, ino, 0, A);
	assert_int_equal(volume_file_open(f->v, ino, O_RDONLY), 0);
	assert_int_equal(volume_file_open(f->v, ino, O_RDWR), 0);
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of("file")), 0);
	volume_forget(f->v, ino, 1);
	assert_page(f, ino, 0, A);
	volume_file_release(f->v, ino, O_RDWR);
	assert_page(f, ino, 0, A);
	volume_file_release(f->v, ino, O_RDONLY);
	assert_int_equal(volume_file_open(f->v, ino, O_RDONLY), -ESTALE);
	volume_file_release(f->v, ino, O_RDONLY); /* of what has gone: nothing */
	assert_figure(f, store_frames, 0);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(setattr__changes_what_it_was_asked_to),
	FIXTURE_TEST(setattr__of_nothing_moves_ctime_only),
	FIXTURE_TEST(truncate__bad_sizes_and_kinds_are_refused),
	FIXTURE_TEST(write__extends_stamps_and_takes_privileges),
	FIXTURE_TEST(writeback__does_not_undo_a_time_set_after_the_store),
	FIXTURE_TEST(write__more_than_a_batch_goes_in_parts),
	FIXTURE_TEST(write__ends_where_files_do),
	FIXTURE_TEST(read__stops_at_the_end),
	FIXTURE_TEST(read__neighbours_are_one_piece),
	FIXTURE_TEST(fallocate__bad_requests_are_refused),
	FIXTURE_TEST(fallocate__its_modes_do_what_they_say),
	FIXTURE_TEST(seek__of_unknown_kind_or_file_is_refused),
	FIXTURE_TEST(accessed__moves_the_time_as_relatime_does),
	FIXTURE_TEST(accessed__does_what_the_mount_and_the_file_say),
	FIXTURE_TEST(open__an_unlinked_file_lives_until_the_last_release),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
