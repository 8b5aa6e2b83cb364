/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/tenant_figures.c - the door's counts, and its sums over all that a tenant has.
 *
 * Who reads all files of a tenant, one after the other, asks for its sums as often: so the last of some tenants are
 * kept for a second.  Nobody waits for somebody else's sums: two who ask at once both look.  Each time all inodes of
 * the mount are looked at; so who wants several tenants asks for them together.
 */
#include "fs/tenant_figures.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/attrs.h"
#include "core/clock.h"

const struct tenant_row tenant_rows[TENANT_FIGURES] = {
#define TENANT_KNOWN(name, unit, value, help) {#name, unit, help, false},
#define TENANT_SUMMED(name, unit, value, help) {#name, unit, help, true},
#include "fs/tenants.def"
#undef TENANT_KNOWN
#undef TENANT_SUMMED
};

enum { KEPT = 32 };

static struct {
	pthread_mutex_t mutex;
	struct sums {
		uint64_t dir; /* of whom; 0: of nobody */
		int64_t at_ms;
		struct volume_pages pages;
	} sums[KEPT];
} kept = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
};

static bool recall(uint64_t dir, struct volume_pages *ret)
{
	int64_t since = clock_ms(CLOCK_MONOTONIC) - TENANT_AGE_MS;
	bool found = false;

	pthread_mutex_lock(&kept.mutex);
	for (unsigned n = 0; n < KEPT && !found; n++) {
		found = kept.sums[n].dir == dir && kept.sums[n].at_ms > since;
		if (found)
			*ret = kept.sums[n].pages;
	}
	pthread_mutex_unlock(&kept.mutex);
	return found;
}

/* In the place of what is there of this tenant, or of the oldest. */
static void keep(const struct sums *new)
{
	unsigned place = 0;

	pthread_mutex_lock(&kept.mutex);
	for (unsigned n = 0; n < KEPT; n++) {
		if (kept.sums[n].dir == new->dir) {
			place = n;
			break;
		}
		if (kept.sums[n].at_ms < kept.sums[place].at_ms)
			place = n;
	}
	kept.sums[place] = *new;
	pthread_mutex_unlock(&kept.mutex);
}

static int sum_up(struct volume *v, uint64_t dir, const struct interrupt *interrupt, struct volume_pages *ret)
{
	struct sums new = {.dir = dir, .at_ms = clock_ms(CLOCK_MONOTONIC)};
	int r;

	if (recall(dir, ret))
		return 0;
	r = volume_tenant_pages(v, &dir, 1, interrupt, &new.pages);
	if (r < 0)
		return r;
	keep(&new);
	*ret = new.pages;
	return 0;
}

/* None is told as the mount's limits tell it. */
static uint64_t limit_bytes(const struct volume_tenant *t)
{
	return MIN(t->size_pages, attr_rows[ATTR_size].max >> PAGE_SHIFT) << PAGE_SHIFT;
}

static uint64_t limit_inodes(const struct volume_tenant *t)
{
	return MIN(t->nr_inodes, attr_rows[ATTR_nr_inodes].max);
}

static void fill(const struct volume_tenant *t, const struct volume_pages *p, uint64_t ret[static TENANT_FIGURES])
{
#define TENANT_KNOWN(name, unit, value, help) ret[TENANT_##name] = value;
#define TENANT_SUMMED(name, unit, value, help) ret[TENANT_##name] = value;
#include "fs/tenants.def"
}

int tenant_figures_get(struct volume *v, const struct volume_tenant *t, bool summed,
		       const struct interrupt *interrupt, uint64_t ret[static TENANT_FIGURES])
{
	struct volume_pages pages = {0};
	int r = summed ? sum_up(v, t->dir, interrupt, &pages) : 0;

	if (r < 0)
		return r;
	fill(t, &pages, ret);
	return 0;
}

int tenant_figures_get_all(struct volume *v, struct tenant_told *tenant, unsigned count,
			   const struct interrupt *interrupt)
{
	struct volume_pages *pages = calloc(count, sizeof(*pages));
	uint64_t *dir = calloc(count, sizeof(*dir));
	int r = -ENOMEM;

	for (unsigned n = 0; dir && n < count; n++)
		dir[n] = tenant[n].tenant.dir;
	if (dir && pages)
		r = volume_tenant_pages(v, dir, count, interrupt, pages);
	for (unsigned n = 0; r == 0 && n < count; n++)
		fill(&tenant[n].tenant, &pages[n], tenant[n].value);
	free(dir);
	free(pages);
	return r;
}
