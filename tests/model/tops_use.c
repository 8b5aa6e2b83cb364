/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/tops_use.c - what statfs says of tenants, and of the mount that they are in. */
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "tops_inside.h"

static uint64_t amount_of(const char *text)
{
	char *unit;
	uint64_t n = strtoull(text, &unit, 10);

	return n == 0 ? 1 << 26 : *unit == 'k' ? n << 10 : n;
}

bool top_use(int dir, struct top_use *ret)
{
	char text[TEXT_BYTES];
	struct statvfs st;

	if (fstatvfs(dir, &st) < 0)
		return false;
	ret->size_pages = top_limit(dir, SIZE, text) ? st.f_blocks : UINT64_MAX;
	ret->nr_inodes = top_limit(dir, INODES, text) ? amount_of(text) : UINT64_MAX; /* as top_hold_inodes() has not */
	ret->pages = st.f_blocks - st.f_bfree;
	ret->inodes = st.f_files - st.f_ffree;
	return true;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t left(uint64_t limit, uint64_t used)
{
	return limit > used ? limit - used : 0;
}

/* What ksmfs should say there, in a mount of which is left what `all` says. */
static struct statvfs expected(const struct top_use *u, const struct statvfs *all)
{
	struct statvfs st = *all;

	if (u->size_pages != UINT64_MAX) {
		st.f_blocks = least(all->f_blocks, u->size_pages);
		st.f_bfree = left(st.f_blocks, u->pages);
		st.f_bavail = least(all->f_bavail, st.f_bfree);
	}
	if (u->nr_inodes != UINT64_MAX) {
		st.f_files = least(all->f_files, u->nr_inodes);
		st.f_ffree = least(all->f_ffree, left(st.f_files, u->inodes));
	}
	return st;
}

static bool same_top(struct side sides[static 2], unsigned n, const int dirs[static 2], const struct statvfs *all,
		     struct why *why)
{
	char body[PATH_BYTES];
	struct statvfs st, want;
	struct top_use use;

	top_body(&sides[0], top_name(n), body);
	if (top_is_tenant(dirs[0]))
		top_hold_inodes(body, dirs[0]);
	if (!top_use(dirs[0], &use) || fstatvfs(dirs[1], &st) < 0)
		return differ(why, "statfs of %s: %s", top_name(n), strerror(errno));
	want = expected(&use, all);
	if (st.f_blocks != want.f_blocks || st.f_files != want.f_files)
		return differ(why, "the limits of %s are %lu blocks and %lu inodes, not %lu and %lu", top_name(n),
			      st.f_blocks, st.f_files, want.f_blocks, want.f_files);
	if (!sides[0].world->full)
		return true;
	why->may_settle = true;
	return (st.f_bfree == want.f_bfree && st.f_bavail == want.f_bavail && st.f_ffree == want.f_ffree) ||
	       differ(why, "free in %s are %lu (%lu) blocks and %lu inodes, not %lu (%lu) and %lu", top_name(n),
		      st.f_bfree, st.f_bavail, st.f_ffree, want.f_bfree, want.f_bavail, want.f_ffree);
}

/* All that is in use on the model, but for what stands for the root only. */
static void add_use(int dir, uint64_t *pages, uint64_t *inodes, unsigned *parts)
{
	struct top_use use = {0};

	must(top_use(dir, &use));
	*pages += use.pages;
	*inodes += use.inodes;
	++*parts;
}

/* Inodes are rounded up in each part, and once in the whole. */
static bool same_sums(struct side sides[static 2], const struct statvfs *all, struct why *why)
{
	uint64_t pages = 0, inodes = 0, used = all->f_files - all->f_ffree;
	unsigned parts = 0, no_parts = 2; /* "names", "bodies" */

	top_forget_gone(&sides[0]);
	add_use(sides[0].root, &pages, &inodes, &parts);
	for (unsigned n = 0; n < TOPS; n++) {
		int dir = top_open(&sides[0], n);

		if (dir < 0)
			continue;
		no_parts += 1; /* a symbolic link */
		if (top_is_tenant(dir)) {
			add_use(dir, &pages, &inodes, &parts);
			no_parts += 1; /* the directory below the mount */
		}
		close(dir);
	}
	for (unsigned n = 0; n < sides[0].gone_count; n++)
		add_use(sides[0].gone[n], &pages, &inodes, &parts);
	inodes -= no_parts;
	why->may_settle = true;
	if (all->f_blocks - all->f_bfree != pages)
		return differ(why, "%llu pages are in use on tmpfs, %llu on ksmfs", (unsigned long long)pages,
			      (unsigned long long)(all->f_blocks - all->f_bfree));
	return (used <= inodes && used + parts > inodes) ||
	       differ(why, "%llu inodes are in use on tmpfs (in %u parts), %llu on ksmfs", (unsigned long long)inodes,
		      parts, (unsigned long long)used);
}

bool tops_all_gone(const struct world *w, struct why *why)
{
	struct statvfs st;

	for (unsigned tries = 0; tries < 500; tries++) {
		if (statvfs(w->mounts[1], &st) < 0)
			return differ(why, "statvfs: %s", strerror(errno));
		if (st.f_bfree == st.f_blocks && st.f_ffree == st.f_files - 1)
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	return differ(why, "all is removed, and in use are %lu blocks and %lu inodes", st.f_blocks - st.f_bfree,
		      st.f_files - st.f_ffree);
}

static bool same_now(struct side sides[static 2], struct why *why)
{
	struct statvfs all;
	bool same = true;

	why->may_settle = false;
	if (statvfs(sides[1].world->mounts[1], &all) < 0)
		return differ(why, "statvfs: %s", strerror(errno));
	for (unsigned n = 0; same && n < TOPS; n++) {
		int dirs[] = {top_open(&sides[0], n), top_open(&sides[1], n)};

		if ((dirs[0] < 0) != (dirs[1] < 0))
			same = differ(why, "%s is there on %s only", top_name(n), dirs[0] < 0 ? "ksmfs" : "tmpfs");
		else if (dirs[0] >= 0)
			same = same_top(sides, n, dirs, &all, why);
		for (unsigned i = 0; i < 2; i++)
			if (dirs[i] >= 0)
				close(dirs[i]);
	}
	/* where all directories are mounts of the model, nobody knows who is below them */
	return same && (!sides[0].world->full || sides[0].world->apart || same_sums(sides, &all, why));
}

bool tops_same_use(struct side sides[static 2], struct why *why)
{
	for (unsigned tries = 0; tries < 500; tries++) {
		if (same_now(sides, why))
			return true;
		if (!why->may_settle)
			return false;
		if (tries > 10)
			nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	return false;
}
