/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "paths.h"

#include <string.h>

#include "failpoint.h"
#include "volume.h"

struct paths {
	uint64_t records;
	uint32_t *parent; /* by record: the directory of its first name, 0: none */
	uint32_t *name;   /* and where that name begins in `bytes` */
	char *bytes;
	size_t used, size;
};

static int add_name(void *arg, uint32_t dir, const struct names_entry *e)
{
	struct paths *p = arg;
	uint32_t record = (uint32_t)e->ino;

	if (record >= p->records || dir >= p->records || p->parent[record])
		return 0; /* made since they were counted, or in something that was */
	if (p->used + e->len + 1 > p->size) {
		size_t size = MAX(p->size * 2, (size_t)64 << 10);
		char *bytes = size < UINT32_MAX ? mem_alloc(size, 1) : NULL;

		if (!bytes)
			return -ENOMEM;
		memcpy(bytes, p->bytes, p->used);
		mem_free(p->bytes);
		p->bytes = bytes;
		p->size = size;
	}
	memcpy(p->bytes + p->used, e->name, e->len);
	p->bytes[p->used + e->len] = '\0';
	p->name[record] = (uint32_t)p->used;
	p->parent[record] = dir;
	p->used += e->len + 1;
	return 0;
}

int paths_gather(struct names *n, uint64_t records, struct paths **ret)
{
	struct paths *p = mem_alloc(1, sizeof(*p));
	int r = -ENOMEM;

	*ret = NULL;
	if (!p)
		return r;
	p->records = records;
	p->parent = mem_alloc(records, sizeof(*p->parent));
	p->name = mem_alloc(records, sizeof(*p->name));
	p->size = 64 << 10;
	p->bytes = mem_alloc(p->size, 1);
	if (p->parent && p->name && p->bytes)
		r = names_walk(n, add_name, p);
	if (r)
		paths_free(p);
	else
		*ret = p;
	return r;
}

void paths_free(struct paths *p)
{
	if (!p)
		return;
	mem_free(p->parent);
	mem_free(p->name);
	mem_free(p->bytes);
	mem_free(p);
}

/* From its last component to its first, into the end of `buf`. */
const char *paths_of(const struct paths *p, uint32_t record, char buf[static PATHS_BYTES])
{
	char *at = buf + PATHS_BYTES - 1;

	*at = '\0';
	if (record >= p->records || !p->parent[record])
		return "(deleted)";
	for (; record != (uint32_t)ROOT_INO; record = p->parent[record]) {
		const char *name = p->bytes + p->name[record];
		size_t len = strlen(name);

		if (!p->parent[record] || (size_t)(at - buf) < len + 1)
			return "(deleted)"; /* moved while we looked, or deeper than a path can tell */
		if (*at)
			*--at = '/';
		at -= len;
		memcpy(at, name, len);
	}
	return at;
}
