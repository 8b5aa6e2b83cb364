/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/fixture.h"

#include <fcntl.h>

#include "core/frames_inside.h"
#include "core/ptab.h"
#include "tests/unit/tempdir.h"

enum { SIZE_PAGES = 1 << 16, NR_INODES = 1000 };

int fixture_setup(void **state)
{
	struct fixture *f;
	void *dir;

	if (tempdir_setup(&dir))
		return -1;
	f = calloc(1, sizeof(*f));
	if (!f) {
		tempdir_teardown(&dir);
		return -1;
	}
	*state = f;
	f->dir = dir;
	f->config = (struct volume_config){
		.dir = f->dir,
		.size_pages = SIZE_PAGES,
		.nr_inodes = NR_INODES,
		.mode = 01777,
		.merge_on_write = true,
	};
	if (volume_memfds(&f->config.frames_fd, &f->config.inodes_fd) < 0 ||
	    volume_open(&f->config, &f->v) < 0)
		return -1;
	return 0;
}

struct told {
	char *text;
	size_t size;
};

static void tell(void *arg, const char *violation)
{
	struct told *told = arg;

	if (told->size)
		(void)snprintf(told->text, told->size, "%s", violation);
	told->size = 0;
}

int fixture_violations(struct volume *v, char *ret_text, size_t size)
{
	struct told told = { ret_text, size };

	ret_text[0] = '\0';
	return volume_check(v, tell, &told);
}

void fixture_check(struct fixture *f)
{
	char text[256];

	if (fixture_violations(f->v, text, sizeof(text)))
		fail_msg("%s", text);
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	void *dir = f->dir;
	char text[256] = "";
	int violations = f->v ? fixture_violations(f->v, text, sizeof(text)) : 0;

	if (violations)
		print_error("%d violations: %s\n", violations, text);
	volume_close(f->v);
	close(f->config.frames_fd);
	close(f->config.inodes_fd);
	tempdir_teardown(&dir);
	free(f);
	return violations;
}

void fixture_reopen(struct fixture *f)
{
	volume_close(f->v);
	f->v = NULL;
	assert_int_equal(volume_open(&f->config, &f->v), 0);
}

uint64_t make(struct fixture *f, uint64_t dir, const char *name, mode_t mode)
{
	const struct volume_new new = { .mode = mode, .open_flags = -1 };
	struct volume_entry e;

	assert_int_equal(volume_create(f->v, dir, name_of(name), &new, &e), 0);
	return e.ino;
}

uint64_t make_file(struct fixture *f, const char *name)
{
	return make(f, ROOT_INO, name, S_IFREG | 0644);
}

int link_name(struct fixture *f, uint64_t ino, uint64_t dir, const char *name)
{
	struct volume_entry e;
	int r = volume_link(f->v, ino, dir, name_of(name), &e);

	if (!r)
		volume_forget(f->v, ino, 1);
	return r;
}

int move_name(struct fixture *f, uint64_t dir, const char *name, uint64_t to, const char *new, unsigned flags)
{
	return volume_rename(f->v, dir, name_of(name), to, name_of(new), flags, NULL);
}

int open_fresh(struct volume *v, uint64_t ino)
{
	int r = volume_file_open(v, ino, O_RDWR);

	if (r != VOLUME_STALE)
		return r;
	if (volume_storer_comes(v, ino))
		volume_cache_dropped(v, ino);
	r = volume_file_open(v, ino, O_RDWR);
	volume_storer_came(v, ino);
	return r;
}

void open_file(struct fixture *f, uint64_t ino)
{
	assert_int_equal(open_fresh(f->v, ino), VOLUME_OPENED);
}

void drop_file(struct fixture *f, const char *name, uint64_t ino)
{
	assert_int_equal(volume_unlink(f->v, ROOT_INO, name_of(name)), 0);
	volume_forget(f->v, ino, 1);
}

void fill_page(void *page, uint64_t what)
{
	uint64_t *word = page;

	for (unsigned n = 0; n < PAGE_BYTES / sizeof(*word); n++)
		word[n] = what ? what * UINT64_C(0x9e3779b97f4a7c15) + n : 0;
}

void put_pages(struct fixture *f, uint64_t ino, uint64_t index, unsigned count, uint64_t what,
	       uint64_t step)
{
	const size_t len = (size_t)count << PAGE_SHIFT;
	uint8_t *data = malloc(len);

	assert_non_null(data);
	for (unsigned n = 0; n < count; n++)
		fill_page(data + ((size_t)n << PAGE_SHIFT), what + n * step);
	assert_int_equal(volume_write(f->v, ino, index << PAGE_SHIFT, data, len, 0), len);
	free(data);
}

void put_page(struct fixture *f, uint64_t ino, uint64_t index, uint64_t what)
{
	put_pages(f, ino, index, 1, what, 0);
}

ssize_t put_bytes(struct fixture *f, uint64_t ino, uint64_t offset, size_t len, int byte)
{
	uint8_t *data = malloc(len);
	ssize_t n;

	assert_non_null(data);
	memset(data, byte, len);
	n = volume_write(f->v, ino, offset, data, len, 0);
	free(data);
	return n;
}

size_t get_bytes(struct fixture *f, uint64_t ino, uint64_t offset, size_t len, void *ret)
{
	struct volume_read r;
	size_t done = 0;

	while (done < len) {
		assert_int_equal(volume_read(f->v, ino, offset + done, len - done, &r), 0);
		if (!r.bytes)
			break;
		for (unsigned n = 0; n < r.count; n++) {
			memcpy((uint8_t *)ret + done, r.iov[n].iov_base, r.iov[n].iov_len);
			done += r.iov[n].iov_len;
		}
		volume_read_done(&r);
	}
	return done;
}

bool page_is(struct fixture *f, uint64_t ino, uint64_t index, uint64_t what)
{
	uint8_t is[PAGE_BYTES], should[PAGE_BYTES];

	fill_page(should, what);
	return get_bytes(f, ino, index << PAGE_SHIFT, PAGE_BYTES, is) == PAGE_BYTES &&
	       !memcmp(is, should, PAGE_BYTES);
}

void truncate_to_pages(struct fixture *f, uint64_t ino, uint64_t pages)
{
	struct stat st = { .st_size = (off_t)(pages << PAGE_SHIFT) };

	assert_int_equal(volume_setattr(f->v, ino, &st, VOLUME_SET_SIZE, &st), 0);
}

struct inode *inode_of(struct volume *v, uint64_t ino)
{
	HOLDS_INODES(v->pool.itable);

	return volume_inode(v, ino);
}

struct inode *make_record(struct fixture *f, const struct inode_attr *attr)
{
	HOLDS_INODES(f->v->pool.itable);
	struct inode *i;

	assert_int_equal(itable_new(f->v->pool.itable, attr, 0, &i), 0);
	return i;
}

int64_t figure(struct fixture *f, enum attr attr)
{
	int64_t stats[ATTRS];

	volume_stats(f->v, stats);
	return stats[attr];
}

void assert_all_counts(struct fixture *f, int64_t shared, int64_t sharing, int64_t unshared, int64_t zero,
		       int64_t changing, int64_t untracked)
{
	int64_t stats[ATTRS];

	volume_stats(f->v, stats);
	assert_int_equal(stats[ATTR_pages_shared], shared);
	assert_int_equal(stats[ATTR_pages_sharing], sharing);
	assert_int_equal(stats[ATTR_pages_unshared], unshared);
	assert_int_equal(stats[ATTR_ksm_zero_pages], zero);
	assert_int_equal(stats[ATTR_pages_volatile], changing);
	assert_int_equal(stats[ATTR_pages_untracked], untracked);
	assert_int_equal(stats[ATTR_store_data_pages],
			 shared + sharing + unshared + zero + changing + untracked);
}

void assert_counts(struct fixture *f, int64_t shared, int64_t sharing, int64_t unshared, int64_t zero,
		   int64_t changing)
{
	assert_all_counts(f, shared, sharing, unshared, zero, changing, 0);
}

uint32_t slot_at(struct fixture *f, uint64_t ino, uint64_t index)
{
	struct inode *i = inode_of(f->v, ino);
	_Atomic uint32_t *slot;
	uint32_t is;

	assert_non_null(i);
	rwlock_take_shared(&i->map);
	slot = ptab_slot(i, f->v->pool.frames, index);
	is = slot ? *slot : SLOT_HOLE;
	rwlock_drop_shared(&i->map);
	return is;
}

struct frame_info frame_at(struct fixture *f, uint64_t ino, uint64_t index)
{
	uint32_t slot = slot_at(f, ino, index);

	assert_true(slot_is_frame(slot));
	return frames_look(f->v->pool.frames, slot);
}

void hoard_frames(struct fixture *f, struct hoard *h, unsigned left)
{
	struct frames *frames = f->v->pool.frames;

	h->count = 0;
	h->capacity = frames->capacity;
	frames->capacity = frames->end;
	while (h->count < HOARD_FRAMES &&
	       frames_take(frames, 0, 1, FRAMES_ORDINARY, &h->frame[h->count]) == FRAMES_OK)
		h->count++;
	assert_in_range(h->count, left, HOARD_FRAMES - 1);
	while (left--)
		content_unpin(f->v->pool.content, h->frame[--h->count]);
}

void return_frames(struct fixture *f, struct hoard *h)
{
	while (h->count)
		content_unpin(f->v->pool.content, h->frame[--h->count]);
	f->v->pool.frames->capacity = h->capacity;
}

void set(struct fixture *f, enum attr attr, uint64_t value)
{
	assert_int_equal(volume_set(f->v, attr, value, NULL), 0);
}

void scan(struct fixture *f, unsigned passes)
{
	while (passes--)
		scan_pass(f->v->scan);
}

void rest_ms(unsigned ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

bool somebody_sleeps(struct fixture *f)
{
	for (unsigned k = 0; k < PAGELOCK_STRIPES; k++)
		if (f->v->pool.pagelocks.stripe[k].sleepers)
			return true;
	return false;
}

uint64_t make_open(struct fixture *f, uint64_t dir)
{
	uint64_t ino = make(f, dir, "open", S_IFREG | 0600);

	open_file(f, ino);
	assert_int_equal(volume_unlink(f->v, dir, name_of("open")), 0);
	volume_forget(f->v, ino, 1);
	return ino;
}
