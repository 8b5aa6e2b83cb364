/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/tops_figures.c - .ksmfs/tenants and the figures of tenants in .ksmfs/metrics, against the model.
 *
 * Which pages are merged depends on who came first and on the rules of the moment, but for this: what is data is either
 * alone, or shared, or zero; what is shared has its like somewhere in the same domain; and what is zero is zero.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "tops.h"

enum { PAGE = 4096, PAGES_MAX = 1 << 14, FILES_MAX = 1 << 12, NOBODY = TOPS, TEXT_MAX = 1 << 19 };

/* Every page of the mount that has content, as the model knows it. */
struct census {
	unsigned files, pages;
	struct {
		ino_t ino;
		dev_t dev;
	} file[FILES_MAX];
	struct {
		uint64_t hash; /* 0: zeroes */
		unsigned top; /* NOBODY: of what has gone, or is no tenant's */
	} page[PAGES_MAX];
	uint64_t data[TOPS + 1]; /* pages that ksmfs says are no holes */
};

static bool is_zero(const char *page)
{
	return page[0] == 0 && memcmp(page, page + 1, PAGE - 1) == 0;
}

/* With two names it is one file. */
static bool is_new(struct census *c, const struct stat *st)
{
	for (unsigned n = 0; n < c->files; n++)
		if (c->file[n].ino == st->st_ino && c->file[n].dev == st->st_dev)
			return false;
	if (c->files == FILES_MAX)
		abort();
	c->file[c->files].ino = st->st_ino;
	c->file[c->files++].dev = st->st_dev;
	return true;
}

static void count_content(struct census *c, int model, unsigned top)
{
	char page[PAGE];
	off_t at = 0;
	ssize_t n;

	for (; (n = pread(model, page, PAGE, at)) > 0; at += PAGE) {
		memset(page + n, 0, (size_t)(PAGE - n));
		if (c->pages == PAGES_MAX)
			abort();
		c->page[c->pages].hash = is_zero(page) ? 0 : XXH3_64bits(page, PAGE) | 1;
		c->page[c->pages++].top = top;
	}
}

static uint64_t count_data(int subject)
{
	uint64_t pages = 0;
	off_t data, end = 0;

	while ((data = lseek(subject, end, SEEK_DATA)) >= 0) {
		end = lseek(subject, data, SEEK_HOLE);
		pages += (uint64_t)((end + PAGE - 1) / PAGE - data / PAGE);
	}
	return pages;
}

static void count_file(struct census *c, const int fds[static 2], unsigned top)
{
	struct stat st;

	if (fds[0] < 0 || fds[1] < 0 || fstat(fds[0], &st) < 0)
		abort();
	if (S_ISREG(st.st_mode) && is_new(c, &st)) {
		count_content(c, fds[0], top);
		c->data[top] += count_data(fds[1]);
	}
}

static void count_dir(struct census *c, const int dirs[static 2], unsigned top)
{
	DIR *d = fdopendir(openat(dirs[0], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME));

	if (!d)
		abort();
	for (struct dirent *e; (e = readdir(d));) {
		int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME, fds[2];

		if ((e->d_type != DT_REG && e->d_type != DT_DIR) || strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		for (unsigned i = 0; i < 2; i++)
			fds[i] = openat(dirs[i], e->d_name, flags);
		if (e->d_type == DT_REG)
			count_file(c, fds, top);
		else
			count_dir(c, fds, top);
		close(fds[0]);
		close(fds[1]);
	}
	closedir(d);
}

/* Whose mount of the model a file is on. */
static unsigned top_of(const struct side *model, const struct stat *st)
{
	unsigned top = NOBODY;

	for (unsigned n = 0; n < TOPS; n++) {
		int dir = top_open(model, n);
		struct stat own;

		if (dir >= 0 && top_is_tenant(dir) && fstat(dir, &own) == 0 && own.st_dev == st->st_dev)
			top = n;
		if (dir >= 0)
			close(dir);
	}
	return top;
}

/* What is open and has no name any more. */
static void count_open(struct census *c, const struct side sides[static 2])
{
	for (unsigned n = 0; n < OP_FDS; n++) {
		char path[40];
		struct stat st;
		int fds[2];

		if (fstat(sides[0].fds[n], &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink)
			continue;
		for (unsigned i = 0; i < 2; i++) {
			snprintf(path, sizeof(path), "/proc/self/fd/%d", sides[i].fds[n]);
			fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		}
		count_file(c, fds, top_of(&sides[0], &st));
		close(fds[0]);
		close(fds[1]);
	}
}

static void take_census(const struct side sides[static 2], struct census *c)
{
	memset(c, 0, sizeof(*c));
	for (unsigned n = 0; n < TOPS; n++) {
		int dirs[] = {top_open(&sides[0], n), top_open(&sides[1], n)};

		if (dirs[0] >= 0 && dirs[1] >= 0)
			count_dir(c, dirs, top_is_tenant(dirs[0]) ? n : NOBODY);
		for (unsigned i = 0; i < 2; i++)
			if (dirs[i] >= 0)
				close(dirs[i]);
	}
	count_open(c, sides);
}

/* Pages of the tenant that are zero, and those that have their like where they may share. */
static void look_alike(const struct census *c, unsigned top, bool apart, uint64_t *ret_zero, uint64_t *ret_alike)
{
	*ret_zero = *ret_alike = 0;
	for (unsigned a = 0; a < c->pages; a++) {
		bool alike = false;

		if (c->page[a].top != top)
			continue;
		for (unsigned b = 0; b < c->pages && !alike; b++)
			alike = b != a && c->page[a].hash == c->page[b].hash &&
				(!apart || c->page[b].top == top || c->page[b].top == NOBODY);
		*ret_zero += c->page[a].hash == 0;
		*ret_alike += alike;
	}
}

/* --- what ksmfs tells ------------------------------------------------------------------------------ */

static bool read_control(const struct side *s, const char *file, char *text, size_t size)
{
	char path[512];
	ssize_t n = 0, len = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/.ksmfs/%s", s->world->mounts[1], file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (n = read(fd, text + len, size - 1 - (size_t)len)) > 0)
		len += n;
	text[len] = '\0';
	if (fd >= 0)
		close(fd);
	return fd >= 0 && n == 0;
}

/* UINT64_MAX: it is not there. */
static uint64_t metric(const char *text, const char *name, unsigned top)
{
	char line[80];
	const char *at;

	snprintf(line, sizeof(line), "ksmfs_tenant_%s{tenant=\"%s\"} ", name, top_name(top));
	at = strstr(text, line);
	return at ? strtoull(at + strlen(line), NULL, 10) : UINT64_MAX;
}

static bool same_figure(const char *text, const char *name, unsigned top, uint64_t want, struct why *why)
{
	uint64_t is = metric(text, name, top);

	return is == want || differ(why, "%s of %s is %" PRIu64 ", not %" PRIu64, name, top_name(top), is, want);
}

/* The file of its own says the same: of what is counted all the time, at once. */
static bool same_file(const struct side *subject, const char *name, unsigned top, uint64_t want, struct why *why)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "tenants/%s/%s", top_name(top), name);
	if (!read_control(subject, path, text, sizeof(text)))
		return differ(why, "%s cannot be read", path);
	return strtoull(text, NULL, 10) == want || differ(why, "%s says %s, not %" PRIu64, path, text, want);
}

static bool same_known(const struct side *subject, const char *text, unsigned top, int dir, struct why *why)
{
	struct top_use use;
	struct {
		const char *name;
		uint64_t want;
	} figure[4];

	if (!top_use(dir, &use))
		return differ(why, "statfs of %s: %s", top_name(top), strerror(errno));
	figure[0].name = "size";
	figure[0].want = use.size_pages >= UINT64_C(1) << 20 ? UINT64_C(1) << 44 : use.size_pages * PAGE;
	figure[1].name = "nr_inodes";
	figure[1].want = use.nr_inodes > 1 << 26 ? 1 << 26 : use.nr_inodes;
	figure[2].name = "logical_bytes";
	figure[2].want = use.pages * PAGE;
	figure[3].name = "inodes";
	figure[3].want = use.inodes;
	for (unsigned n = 0; n < 4; n++)
		if (!same_figure(text, figure[n].name, top, figure[n].want, why) ||
		    !same_file(subject, figure[n].name, top, figure[n].want, why))
			return false;
	return true;
}

static bool same_summed(const struct side *subject, const char *text, const struct census *c, unsigned top,
			struct why *why)
{
	uint64_t unique = metric(text, "unique_bytes", top), shared = metric(text, "shared_bytes", top);
	uint64_t zero = metric(text, "zero_bytes", top), takes = metric(text, "proportional_bytes", top), zeroes, alike;

	look_alike(c, top, subject->world->apart, &zeroes, &alike);
	if (unique + shared + zero != c->data[top] * PAGE)
		return differ(why, "of %s %" PRIu64 " bytes are unique, %" PRIu64 " shared, %" PRIu64 " zero: not %" PRIu64,
			      top_name(top), unique, shared, zero, c->data[top] * PAGE);
	if (shared > alike * PAGE || zero > zeroes * PAGE)
		return differ(why, "of %s %" PRIu64 " bytes are shared and %" PRIu64 " zero: more than %" PRIu64 " and %" PRIu64,
			      top_name(top), shared, zero, alike * PAGE, zeroes * PAGE);
	if (takes < unique || takes > unique + shared)
		return differ(why, "%s takes %" PRIu64 " bytes, of %" PRIu64 " and %" PRIu64, top_name(top), takes, unique,
			      shared);
	return same_figure(text, "saved_bytes", top, c->data[top] * PAGE - takes, why);
}

static bool is_listed(const struct side *subject, unsigned top)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/.ksmfs/tenants/%s", subject->world->mounts[1], top_name(top));
	return access(path, F_OK) == 0;
}

static bool same_tenant(const struct side sides[static 2], const char *text, const struct census *c, unsigned top,
			struct why *why)
{
	int dir = top_open(&sides[0], top);
	bool is = dir >= 0 && top_is_tenant(dir), same = true;

	if (is_listed(&sides[1], top) != is || (metric(text, "size", top) != UINT64_MAX) != is)
		same = differ(why, "%s is a tenant on %s only", top_name(top), is ? "tmpfs" : "ksmfs");
	else if (is)
		same = same_known(&sides[1], text, top, dir, why) && same_summed(&sides[1], text, c, top, why);
	if (dir >= 0)
		close(dir);
	return same;
}

bool tops_same_figures(const struct side sides[static 2], struct why *why)
{
	struct census *c = malloc(sizeof(*c));
	char *text = malloc(TEXT_MAX);
	bool same = true;

	if (!c || !text)
		abort();
	take_census(sides, c);
	if (!read_control(&sides[1], "metrics", text, TEXT_MAX))
		same = differ(why, "metrics cannot be read");
	for (unsigned n = 0; same && n < TOPS; n++)
		same = same_tenant(sides, text, c, n, why);
	free(c);
	free(text);
	return same;
}

void do_figures(struct side *s, const struct op *op, struct seen *ret)
{
	/* they are compared after it */
}
