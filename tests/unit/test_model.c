/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random operations against a plain model: files are arrays of bytes, a directory is a table of names.
 *
 * KSMFS_SEED chooses another run, KSMFS_STEPS a longer one; both are printed.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/fixture.h"

enum { FILES = 6, NAMES = 8, PAGES_MAX = 40, BYTES_MAX = PAGES_MAX * PAGE_BYTES, CONTENTS = 5, STEPS = 3000 };

struct model_file {
	uint64_t ino; /* 0: not there */
	size_t size;
	unsigned links;
	bool open;
	enum volume_advice advice;
	uint8_t says[PAGES_MAX]; /* 1 + an enum volume_advice, or 0: as the whole */
	uint8_t byte[BYTES_MAX];
};

struct model {
	struct fixture *f;
	uint64_t random;
	struct model_file file[FILES];
	int named[NAMES]; /* which file, or -1 */
	enum volume_advice root_advice;
	unsigned step;
};

static unsigned draw(struct model *m, unsigned below)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (unsigned)((m->random >> 11) % MAX(below, 1u));
}

static struct name name_at(unsigned n)
{
	static const char names[NAMES][8] = { "a", "b", "c", "d", "e", "f", "g", "h" };

	return name_of(names[n]);
}

/* Pages from a few contents, zeroes among them; sometimes a byte of its own. */
static void draw_content(struct model *m, uint8_t *data, size_t len)
{
	uint8_t page[PAGE_BYTES];

	for (size_t at = 0; at < len; at += PAGE_BYTES) {
		fill_page(page, draw(m, CONTENTS));
		memcpy(data + at, page, MIN(len - at, sizeof(page)));
	}
	if (!draw(m, 4))
		data[draw(m, (unsigned)len)] ^= (uint8_t)(1 + draw(m, 255));
}

/* A range that often lies on pages. */
static void draw_range(struct model *m, size_t *ret_offset, size_t *ret_len)
{
	size_t offset = draw(m, BYTES_MAX - 1), len;

	if (draw(m, 3))
		offset &= ~(size_t)(PAGE_BYTES - 1);
	len = 1 + draw(m, draw(m, 3) ? 4 * PAGE_BYTES : BYTES_MAX);
	if (draw(m, 3))
		len = (len + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
	*ret_offset = offset;
	*ret_len = MIN(len, (size_t)BYTES_MAX - offset);
}

static enum volume_advice advice_at(const struct model_file *file, unsigned page)
{
	return file->says[page] ? (enum volume_advice)(file->says[page] - 1) : file->advice;
}

/* What is out of merging shares with nobody, and nobody can find it. */
static void assert_advice(struct model *m, const struct model_file *file)
{
	bool unmerged = pool_setting(&m->f->v->pool, ATTR_run) == 2;
	unsigned pages = (unsigned)pages_of(file->size), left_out = 0;
	struct volume_pages is;

	for (unsigned n = 0; n < pages; n++) {
		enum volume_advice advice = advice_at(file, n);

		left_out += advice != VOLUME_MERGEABLE;
		if ((!unmerged && advice != VOLUME_UNMERGEABLE) || slot_at(m->f, file->ino, n) < FRAMES_FIRST)
			continue;
		assert_int_equal(frame_at(m->f, file->ino, n).refs, 1);
		assert_true(frame_at(m->f, file->ino, n).untracked);
		assert_false(frame_at(m->f, file->ino, n).indexed);
	}
	assert_int_equal(volume_pages(m->f->v, file->ino, 0, UINT64_MAX, NULL, &is), 0);
	assert_int_equal(is.left_out, left_out);
}

static void assert_file(struct model *m, const struct model_file *file)
{
	static uint8_t is[BYTES_MAX + 1];
	struct stat st;
	size_t n;

	assert_int_equal(volume_getattr(m->f->v, file->ino, &st), 0);
	assert_int_equal(st.st_nlink, file->links);
	assert_int_equal(st.st_size, file->size);
	n = get_bytes(m->f, file->ino, 0, sizeof(is), is);
	assert_int_equal(n, file->size);
	assert_memory_equal(is, file->byte, file->size);
	assert_advice(m, file);
}

static void assert_names(struct model *m)
{
	struct names_entry e[NAMES + 1];
	unsigned count, there = 0;

	assert_int_equal(volume_list(m->f->v, ROOT_INO, 0, e, ARRAY_SIZE(e), &count), 0);
	for (unsigned n = 0; n < NAMES; n++) {
		struct volume_entry is;
		int r = volume_lookup(m->f->v, ROOT_INO, name_at(n), &is);

		assert_int_equal(r, m->named[n] < 0 ? -ENOENT : 0);
		if (r < 0)
			continue;
		there++;
		assert_int_equal(is.ino, m->file[m->named[n]].ino);
		volume_forget(m->f->v, is.ino, 1);
	}
	assert_int_equal(count, there);
}

static void assert_all(struct model *m)
{
	for (unsigned n = 0; n < FILES; n++)
		if (m->file[n].ino)
			assert_file(m, &m->file[n]);
	assert_names(m);
	fixture_check(m->f);
}

/* --- operations ------------------------------------------------------------------------------- */

static void write_(struct model *m, struct model_file *file)
{
	static uint8_t data[BYTES_MAX];
	size_t offset, len;

	draw_range(m, &offset, &len);
	draw_content(m, data, len);
	assert_int_equal(volume_write(m->f->v, file->ino, offset, data, len, 0), len);
	memcpy(file->byte + offset, data, len);
	file->size = MAX(file->size, offset + len);
}

static void write_back(struct model *m, struct model_file *file)
{
	static uint8_t data[BYTES_MAX];
	size_t offset, len;

	draw_range(m, &offset, &len);
	draw_content(m, data, len);
	assert_int_equal(volume_write(m->f->v, file->ino, offset, data, len, VOLUME_WRITEBACK), len);
	if (offset < file->size)
		memcpy(file->byte + offset, data, MIN(len, file->size - offset));
}

/* Of as many bytes as there are, not onto themselves. */
static void copy_(struct model *m, struct model_file *from, struct model_file *to)
{
	struct volume_copy c = { .from = from->ino, .to = to->ino };
	size_t from_offset, to_offset, len, rest;
	ssize_t n;

	draw_range(m, &from_offset, &len);
	draw_range(m, &to_offset, &rest);
	len = MIN(len, (size_t)BYTES_MAX - to_offset);
	c.from_offset = from_offset;
	c.to_offset = to_offset;
	c.len = len;
	len = from_offset < from->size ? MIN(len, from->size - from_offset) : 0;
	n = volume_copy(m->f->v, &c, 0, NULL);
	if (from == to && from_offset < to_offset + len && to_offset < from_offset + len) {
		assert_int_equal(n, -EINVAL);
		return;
	}
	assert_int_equal(n, len);
	memcpy(to->byte + to_offset, from->byte + from_offset, len);
	if (len)
		to->size = MAX(to->size, to_offset + len);
}

static void read_(struct model *m, struct model_file *file)
{
	static uint8_t is[BYTES_MAX];
	size_t offset, len, should;

	draw_range(m, &offset, &len);
	should = offset < file->size ? MIN(len, file->size - offset) : 0;
	assert_int_equal(get_bytes(m->f, file->ino, offset, len, is), should);
	assert_memory_equal(is, file->byte + offset, should);
}

static void truncate_(struct model *m, struct model_file *file)
{
	struct stat st;
	size_t size, rest;

	draw_range(m, &size, &rest);
	st.st_size = (off_t)size;
	assert_int_equal(volume_setattr(m->f->v, file->ino, &st, VOLUME_SET_SIZE, &st), 0);
	if (size < file->size)
		memset(file->byte + size, 0, file->size - size);
	memset(file->says + pages_of(size), 0, PAGES_MAX - pages_of(size));
	file->size = size;
}

static void punch(struct model *m, struct model_file *file)
{
	size_t offset, len;

	draw_range(m, &offset, &len);
	assert_int_equal(volume_fallocate(m->f->v, file->ino, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					  offset, len), 0);
	memset(file->byte + offset, 0, len);
}

static void allocate(struct model *m, struct model_file *file)
{
	static const int modes[] = { 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
				     FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE };
	int mode = modes[draw(m, ARRAY_SIZE(modes))];
	size_t offset, len;

	draw_range(m, &offset, &len);
	assert_int_equal(volume_fallocate(m->f->v, file->ino, mode, offset, len), 0);
	if (mode & FALLOC_FL_ZERO_RANGE)
		memset(file->byte + offset, 0, len);
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		file->size = MAX(file->size, offset + len);
}

static void advise(struct model *m, struct model_file *file)
{
	file->advice = (enum volume_advice)draw(m, 3);
	memset(file->says, 0, sizeof(file->says));
	assert_int_equal(volume_advise(m->f->v, file->ino, file->advice, NULL), 0);
}

static void advise_range(struct model *m, struct model_file *file)
{
	enum volume_advice advice = draw(m, 2) ? VOLUME_MERGEABLE : VOLUME_UNMERGEABLE;
	unsigned from = draw(m, PAGES_MAX), len = 1 + draw(m, PAGES_MAX / 2);
	unsigned end = (unsigned)MIN((uint64_t)from + len, pages_of(file->size));
	int r = volume_advise_range(m->f->v, file->ino, (uint64_t)from << PAGE_SHIFT, (uint64_t)len << PAGE_SHIFT,
				    advice, NULL);

	assert_int_equal(r, end == from + len ? 0 : -ENOMEM);
	if (from < end)
		memset(file->says + from, 1 + (int)advice, end - from);
}

/* Without names, lookups and opens it is gone, for the model too. */
static void unlinked(struct model *m, int which)
{
	struct model_file *file = &m->file[which];

	if (--file->links)
		return;
	if (file->open)
		volume_file_release(m->f->v, file->ino, O_RDWR);
	volume_forget(m->f->v, file->ino, UINT64_MAX);
	assert_null(inode_of(m->f->v, file->ino));
	memset(file, 0, sizeof(*file));
}

static void create(struct model *m, unsigned n)
{
	const struct volume_new new = { .mode = S_IFREG | 0600, .open_flags = -1 };
	struct volume_entry e;
	int which = 0;

	while (which < FILES && m->file[which].ino)
		which++;
	if (m->named[n] >= 0) {
		assert_int_equal(volume_create(m->f->v, ROOT_INO, name_at(n), &new, &e), -EEXIST);
		return;
	}
	if (which == FILES)
		return;
	assert_int_equal(volume_create(m->f->v, ROOT_INO, name_at(n), &new, &e), 0);
	m->file[which].ino = e.ino;
	m->file[which].links = 1;
	m->file[which].advice = m->root_advice;
	m->named[n] = which;
}

static void unlink_(struct model *m, unsigned n)
{
	int was = m->named[n];

	assert_int_equal(volume_unlink(m->f->v, ROOT_INO, name_at(n)), was < 0 ? -ENOENT : 0);
	m->named[n] = -1;
	if (was >= 0)
		unlinked(m, was);
}

static void link_(struct model *m, struct model_file *file, unsigned n)
{
	struct volume_entry e;
	int r = volume_link(m->f->v, file->ino, ROOT_INO, name_at(n), &e);

	assert_int_equal(r, m->named[n] < 0 ? 0 : -EEXIST);
	if (r < 0)
		return;
	m->named[n] = (int)(file - m->file);
	file->links++;
}

static void rename_(struct model *m, unsigned from, unsigned to)
{
	static const unsigned flags[] = { 0, RENAME_NOREPLACE, RENAME_EXCHANGE };
	unsigned how = flags[draw(m, ARRAY_SIZE(flags))];
	int r = volume_rename(m->f->v, ROOT_INO, name_at(from), ROOT_INO, name_at(to), how, NULL);
	int moved = m->named[from], there = m->named[to];

	if (moved < 0 || (there < 0 && how == RENAME_EXCHANGE)) {
		assert_int_equal(r, -ENOENT);
		return;
	}
	if (there >= 0 && how == RENAME_NOREPLACE) {
		assert_int_equal(r, -EEXIST);
		return;
	}
	assert_int_equal(r, 0);
	if (moved == there)
		return;
	m->named[to] = moved;
	m->named[from] = how == RENAME_EXCHANGE ? there : -1;
	if (there >= 0 && how != RENAME_EXCHANGE)
		unlinked(m, there);
}

static void open_or_close(struct model *m, struct model_file *file)
{
	if (file->open)
		volume_file_release(m->f->v, file->ino, O_RDWR);
	else
		assert_int_equal(open_fresh(m->f->v, file->ino), 0);
	file->open = !file->open;
}

static void step_on_file(struct model *m, struct model_file *file)
{
	struct model_file *other = &m->file[draw(m, FILES)];

	switch (draw(m, 20)) {
	case 18:
	case 19:
		if (other->ino)
			copy_(m, other, file);
		break;
	case 16:
		if (draw(m, 3))
			advise_range(m, file);
		else
			advise(m, file);
		break;
	case 0:
		truncate_(m, file);
		break;
	case 1:
		punch(m, file);
		break;
	case 2:
		allocate(m, file);
		break;
	case 3:
		link_(m, file, draw(m, NAMES));
		break;
	case 4:
		open_or_close(m, file);
		break;
	case 5:
	case 6:
		write_back(m, file);
		break;
	case 7:
	case 8:
	case 9:
		read_(m, file);
		break;
	default:
		write_(m, file);
	}
}

static void set_something(struct model *m)
{
	static const unsigned sharing[] = { 0, 2, 3, 7 };

	switch (draw(m, 5)) {
	case 0:
		set(m->f, ATTR_use_zero_pages, draw(m, 2));
		break;
	case 1:
		set(m->f, ATTR_max_kernel_pages, draw(m, 5));
		break;
	case 2: /* refused, maybe, while pages are shared */
		(void)!volume_set(m->f->v, ATTR_max_page_sharing, sharing[draw(m, ARRAY_SIZE(sharing))], NULL);
		break;
	case 3:
		m->root_advice = (enum volume_advice)draw(m, 3);
		assert_int_equal(volume_advise(m->f->v, ROOT_INO, m->root_advice, NULL), 0);
		break;
	default:
		set(m->f, ATTR_merge_on_write, draw(m, 2));
	}
}

static void step(struct model *m)
{
	struct model_file *file = &m->file[draw(m, FILES)];

	switch (draw(m, 64)) {
	case 0:
		set(m->f, ATTR_run, draw(m, 3));
		break;
	case 1:
		set_something(m);
		break;
	case 2:
	case 3:
		if (pool_setting(&m->f->v->pool, ATTR_run) == 1)
			scan(m->f, 1);
		break;
	case 4:
	case 5:
		unlink_(m, draw(m, NAMES));
		break;
	case 6:
	case 7:
		rename_(m, draw(m, NAMES), draw(m, NAMES));
		break;
	case 8:
		if (!draw(m, 8))
			fixture_reopen(m->f);
		break;
	default:
		if (file->ino)
			step_on_file(m, file);
		else
			create(m, draw(m, NAMES));
	}
}

static unsigned from_environment(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);

	return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void volume__does_what_a_plain_model_does(void **state)
{
	unsigned seed = from_environment("KSMFS_SEED", 1), steps = from_environment("KSMFS_STEPS", STEPS);
	static struct model m;

	print_message("KSMFS_SEED=%u KSMFS_STEPS=%u\n", seed, steps);
	m = (struct model){ .f = *state, .random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1,
			    .root_advice = VOLUME_MERGEABLE };
	for (unsigned n = 0; n < NAMES; n++)
		m.named[n] = -1;
	for (m.step = 0; m.step < steps; m.step++) {
		step(&m);
		if (m.step % 50 == 0)
			assert_all(&m);
	}
	assert_all(&m);
	for (unsigned n = 0; n < NAMES; n++)
		if (m.named[n] >= 0)
			unlink_(&m, n);
	assert_figure(m.f, store_frames, 0);
	assert_figure(m.f, store_inodes, 1);
	assert_int_equal(m.f->v->pool.charged, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(volume__does_what_a_plain_model_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
