/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/bench/budget.c - what the daemon spends of its own memory on frames and slots, and whether it says so.
 *
 * A volume gets FRAMES pages of its own, and then copies by reference until it has SLOTS.  What the system says that
 * the process takes is held against store/metadata_bytes, and both against the budget: 24 bytes a frame (and a page for
 * each of the 256 parts of the content index), 4.1 a slot.  It fails where they are above it.
 *
 *     budget FRAMES SLOTS      each page of FRAMES is memory, SLOTS are not
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/numbered.h"
#include "tests/unit/tempdir.h"

enum { INDEX_PARTS = 256, SLACK = 1 << 20 };

static void fill(struct volume *v, uint64_t ino, uint64_t pages)
{
	static uint64_t data[BATCH_PAGES][PAGE_BYTES / sizeof(uint64_t)];

	for (uint64_t index = 0; index < pages;) {
		unsigned count = (unsigned)MIN(pages - index, (uint64_t)BATCH_PAGES);
		ssize_t len = (ssize_t)count << PAGE_SHIFT;

		for (unsigned k = 0; k < count; k++)
			data[k][0] = data[k][9] = 1 + index + k;
		must(volume_write(v, ino, index << PAGE_SHIFT, data, (size_t)len, 0) == len, "write");
		index += count;
	}
}

static void copy(struct volume *v, uint64_t from, uint64_t to, uint64_t pages)
{
	struct volume_copy c = { .from = from, .to = to, .len = pages << PAGE_SHIFT };

	while (c.len) {
		ssize_t n = volume_copy(v, &c, 0, NULL);

		must(n > 0, "copy");
		c.from_offset += (uint64_t)n;
		c.to_offset += (uint64_t)n;
		c.len -= (uint64_t)n;
	}
}

/* What the process has of its own: no memfd, no file. */
static uint64_t own_bytes(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	uint64_t kib = 0;
	char line[128];

	must(f, "smaps_rollup");
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "Anonymous:", 10))
			kib = strtoull(line + 10, NULL, 10);
	(void)fclose(f);
	return kib << 10;
}

static void judge(uint64_t frames, uint64_t slots, const int64_t before[ATTRS], const int64_t after[ATTRS],
		  uint64_t own)
{
	uint64_t said = (uint64_t)(after[ATTR_store_metadata_bytes] - before[ATTR_store_metadata_bytes]);
	uint64_t tracking = (uint64_t)(after[ATTR_store_tracking_bytes] - before[ATTR_store_tracking_bytes]);
	uint64_t tables = (uint64_t)after[ATTR_store_page_table_bytes];

	printf("%9llu frames %9llu slots: %5.2f bytes a frame, %5.3f a slot; kernel: %5.2f + %5.2f a frame; said %llu, "
	       "taken %llu KiB; databases %llu KiB\n",
	       (unsigned long long)frames, (unsigned long long)slots, (double)tracking / (double)frames,
	       (double)tables / (double)slots, (double)after[ATTR_store_kernel_page_table_bytes] / (double)frames,
	       (double)after[ATTR_store_kernel_tree_bytes] / (double)frames, (unsigned long long)said >> 10,
	       (unsigned long long)own >> 10, (unsigned long long)after[ATTR_store_database_bytes] >> 10);
	must(after[ATTR_store_data_pages] == (int64_t)slots, "some slots are missing");
	must(tracking <= 24 * frames + INDEX_PARTS * PAGE_BYTES, "more than 24 bytes a frame");
	must(tables * 10 <= 41 * slots, "more than 4.1 bytes a slot");
	/* Where a sanitizer has memory of its own, nobody can tell them apart. */
	must(getenv("SCALE") || (own <= said + said / 20 + SLACK && said <= own + own / 20 + SLACK),
	     "it is not what it says");
}

static void measure(uint64_t frames, uint64_t slots)
{
	struct volume_config config = { .size_pages = 1 << 28, .nr_inodes = 1 << 20, .mode = 01777,
					.merge_on_write = true };
	int64_t before[ATTRS], after[ATTRS];
	uint64_t base, own;
	struct volume *v = NULL;
	void *dir = NULL;

	must(tempdir_setup(&dir) == 0, "directory");
	config.dir = dir;
	must(volume_memfds(&config.frames_fd, &config.inodes_fd) == 0, "memfds");
	must(volume_open(&config, &v) == 0, "open");
	base = make_file(v, 0);
	fill(v, base, 1); /* what is there once and for all */
	volume_stats(v, before);
	own = own_bytes();
	fill(v, base, frames);
	for (uint64_t n = 1; n * frames < slots; n++)
		copy(v, base, make_file(v, (unsigned)n), MIN(frames, slots - n * frames));
	volume_stats(v, after);
	judge(frames, slots, before, after, own_bytes() - own);
	volume_close(v);
	close(config.frames_fd);
	close(config.inodes_fd);
	tempdir_teardown(&dir);
}

int main(int argc, char **argv)
{
	must(argc == 3, "FRAMES SLOTS");
	measure(strtoull(argv[1], NULL, 10), strtoull(argv[2], NULL, 10));
	return 0;
}
