/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/control_tenants.c - what there is, core is asked for each time.
 *
 * Core finds a tenant by its name; by number only in the whole list of the root.  So names of some that were asked
 * for are kept, as a hint: whoever has another by now, or none, is looked for in the list.
 *
 * The number of a node, from the top: what INO_END has there, some of the generation of the tenant's directory
 * (CHECK_MASK), the number of its record, and FILE_BITS for the file.
 */
#include "fs/control_tenants.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fs/metrics.h"
#include "fs/tenant_figures.h"
#include "fs/texts.h"

enum {
	FILE_BITS = 5,
	RECORD_BITS = 32 - FILE_BITS, /* there are 2^26 at most */
	DIRECTORY = 0, /* files: one for each figure, from 1 on, */
	STATS = TENANT_FIGURES + 1, /* and all in one */
	FILES,
	HINTS = 256,
};

#define CHECK_MASK (CONTROL_TENANTS_GENERATIONS - 1)

_Static_assert(FILES <= 1 << FILE_BITS, "a number for each file");

/* --- numbers -------------------------------------------------------------------------------------- */

static uint64_t number_of(uint64_t dir, unsigned file)
{
	return INO_END + ((dir >> 32 & CHECK_MASK) << 32) + ((dir & UINT32_MAX) << FILE_BITS) + file;
}

static unsigned file_of(uint64_t ino)
{
	return ino & ((1 << FILE_BITS) - 1);
}

uint64_t control_tenants_parent(uint64_t ino)
{
	return file_of(ino) == DIRECTORY ? 0 : ino - file_of(ino);
}

bool control_tenants_is_directory(uint64_t ino)
{
	return file_of(ino) == DIRECTORY;
}

static struct {
	pthread_mutex_t mutex;
	struct hint {
		uint64_t dir;
		char name[NAME_BYTES_MAX + 1];
	} hint[HINTS]; /* by number of the record */
} known = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
};

static void remember(const struct volume_tenant *t)
{
	struct hint *hint = &known.hint[(uint32_t)t->dir % HINTS];

	pthread_mutex_lock(&known.mutex);
	hint->dir = t->dir;
	memcpy(hint->name, t->name, sizeof(hint->name));
	pthread_mutex_unlock(&known.mutex);
}

static int find_by_name(struct volume *v, const char *name, struct volume_tenant *ret)
{
	return volume_tenant_find(v, (struct name){.bytes = name, .len = strlen(name)}, ret);
}

static bool belongs(uint64_t ino, uint64_t dir)
{
	return number_of(dir, file_of(ino)) == ino;
}

static bool find_known(struct volume *v, uint64_t ino, struct volume_tenant *ret)
{
	struct hint hint;

	pthread_mutex_lock(&known.mutex);
	hint = known.hint[(uint32_t)ino >> FILE_BITS & (HINTS - 1)];
	pthread_mutex_unlock(&known.mutex);
	return hint.dir && belongs(ino, hint.dir) && find_by_name(v, hint.name, ret) == 0 && ret->dir == hint.dir;
}

/* The tenant that a number belongs to. */
static int find(struct volume *v, uint64_t ino, struct volume_tenant *ret)
{
	uint64_t cursor = 0;
	int r;

	if (file_of(ino) >= FILES)
		return -ESTALE;
	if (find_known(v, ino, ret))
		return 0;
	do {
		r = volume_tenants(v, &cursor, ret);
	} while (r == 0 && !belongs(ino, ret->dir));
	if (r == 0)
		remember(ret);
	return r == -ENOENT ? -ESTALE : r;
}

/* --- the tree ------------------------------------------------------------------------------------- */

static const char *name_of_file(unsigned file)
{
	return file == STATS ? "stats" : tenant_rows[file - 1].name;
}

static int fill(struct volume *v, const struct volume_tenant *t, unsigned file, struct stat *ret)
{
	struct stat dir;
	int r = volume_getattr(v, t->dir, &dir);

	if (r < 0)
		return r;
	*ret = (struct stat){
		.st_ino = number_of(t->dir, file),
		.st_mode = file == DIRECTORY ? S_IFDIR | 0500 : S_IFREG | 0400,
		.st_nlink = file == DIRECTORY ? 2 : 1,
		.st_uid = dir.st_uid,
		.st_gid = dir.st_gid,
		.st_blksize = PAGE_BYTES,
	};
	return 0;
}

int control_tenants_getattr(struct volume *v, uint64_t ino, struct stat *ret)
{
	struct volume_tenant t;
	int r = find(v, ino, &t);

	return r < 0 ? r : fill(v, &t, file_of(ino), ret);
}

int control_tenants_lookup(struct volume *v, uint64_t dir, const char *name, struct stat *ret)
{
	struct volume_tenant t;
	int r;

	if (!dir) {
		r = find_by_name(v, name, &t);
		if (r == 0)
			r = fill(v, &t, DIRECTORY, ret);
		if (r == 0)
			remember(&t);
		return r == -ESTALE ? -ENOENT : r;
	}
	r = find(v, dir, &t);
	for (unsigned file = 1; r == 0 && file < FILES; file++)
		if (strcmp(name, name_of_file(file)) == 0)
			return fill(v, &t, file, ret);
	return r < 0 ? r : -ENOENT;
}

static int list_files(struct volume *v, uint64_t dir, uint64_t *io_place, char ret_name[static NAME_BYTES_MAX + 1],
		      struct stat *ret)
{
	unsigned file = (unsigned)MIN(*io_place, (uint64_t)FILES) + 1;
	struct volume_tenant t;
	int r;

	if (file >= FILES)
		return -ENOENT;
	r = find(v, dir, &t);
	if (r < 0)
		return r;
	snprintf(ret_name, NAME_BYTES_MAX + 1, "%s", name_of_file(file));
	*io_place = file;
	return fill(v, &t, file, ret);
}

/* One that ends while it is listed is passed over. */
static int list_tenants(struct volume *v, uint64_t *io_place, char ret_name[static NAME_BYTES_MAX + 1],
			struct stat *ret)
{
	struct volume_tenant t;
	int r;

	do {
		r = volume_tenants(v, io_place, &t);
		if (r == 0)
			r = fill(v, &t, DIRECTORY, ret);
	} while (r == -ESTALE);
	if (r < 0)
		return r;
	memcpy(ret_name, t.name, sizeof(t.name));
	return 0;
}

int control_tenants_list(struct volume *v, uint64_t dir, uint64_t *io_place,
			 char ret_name[static NAME_BYTES_MAX + 1], struct stat *ret)
{
	return dir ? list_files(v, dir, io_place, ret_name, ret) : list_tenants(v, io_place, ret_name, ret);
}

/* --- what the files say --------------------------------------------------------------------------- */

bool control_tenants_is_long(uint64_t ino)
{
	unsigned file = file_of(ino);

	return file == STATS || (file != DIRECTORY && file < FILES && tenant_rows[file - 1].is_summed);
}

int control_tenants_print(struct volume *v, uint64_t ino, const struct interrupt *interrupt, FILE *out)
{
	uint64_t value[TENANT_FIGURES] = {0};
	unsigned file = file_of(ino);
	struct volume_tenant t;
	int r = find(v, ino, &t);

	if (r == 0)
		r = tenant_figures_get(v, &t, control_tenants_is_long(ino), interrupt, value);
	if (r < 0)
		return r;
	if (file != STATS)
		fprintf(out, "%" PRIu64 "\n", value[file - 1]);
	for (unsigned i = 0; i < TENANT_FIGURES && file == STATS; i++)
		fprintf(out, "%s %" PRIu64 "\n", tenant_rows[i].name, value[i]);
	return 0;
}

struct gathered {
	struct tenant_told *tenant;
	unsigned count, size, all;
	size_t bytes; /* that they will take */
};

static int make_room(struct gathered *g)
{
	struct tenant_told *tenant;

	if (g->count < g->size)
		return 0;
	g->size = MAX(g->size * 2, 16u);
	tenant = reallocarray(g->tenant, g->size, sizeof(*tenant));
	if (!tenant)
		return -ENOMEM;
	g->tenant = tenant;
	return 0;
}

/* What is left out, for a text that is kept has an end, is counted. */
static int gather(const struct volume_tenant *t, struct gathered *g)
{
	size_t bytes = metrics_tenant_bytes(t->name);
	int r;

	g->all++;
	if (g->bytes < bytes)
		return 0;
	r = make_room(g);
	if (r < 0)
		return r;
	g->tenant[g->count++].tenant = *t;
	g->bytes -= bytes;
	return 0;
}

int control_tenants_print_metrics(struct volume *v, const struct interrupt *interrupt, FILE *out)
{
	struct gathered g = {.bytes = TEXT_BYTES_MAX - (size_t)MIN(ftell(out) + METRICS_TENANTS_HEAD, TEXT_BYTES_MAX)};
	struct volume_tenant t;
	uint64_t cursor = 0;
	int r;

	do {
		r = volume_tenants(v, &cursor, &t);
		if (r == 0)
			r = gather(&t, &g);
	} while (r == 0);
	if (r == -ENOENT)
		r = g.count ? tenant_figures_get_all(v, g.tenant, g.count, interrupt) : 0;
	if (r == 0)
		metrics_print_tenants(g.tenant, g.count, g.all, out);
	free(g.tenant);
	return r;
}
