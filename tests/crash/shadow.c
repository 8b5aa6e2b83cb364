/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shadow.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "run.h"

struct node nodes[NODES] = {{.type = S_IFDIR, .mode = 0755, .mtime = -1}};

static struct node *find_free(void)
{
	for (unsigned i = 1; i < NODES; i++)
		if (!nodes[i].type)
			return &nodes[i];
	return NULL;
}

bool shadow_is_full(void)
{
	return !find_free();
}

unsigned shadow_directories(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < NODES; i++)
		count += S_ISDIR(nodes[i].type);
	return count;
}

struct node *shadow_new(mode_t type, mode_t mode)
{
	struct node *n = find_free();

	*n = (struct node){.type = type, .mode = mode, .mtime = -1};
	return n;
}

struct node *shadow_at(struct place p)
{
	return p.dir->entry[p.name];
}

static void enter(struct place p, struct node *n)
{
	p.dir->entry[p.name] = n;
	if (S_ISDIR(n->type)) {
		n->parent = p.dir;
		n->name = p.name;
	}
}

void shadow_put(struct place p, struct node *n)
{
	enter(p, n);
	n->nlink++;
}

void shadow_release(struct node *n)
{
	if (!n->nlink && !n->opens)
		n->type = 0;
}

void shadow_take(struct place p)
{
	struct node *n = shadow_at(p);

	p.dir->entry[p.name] = NULL;
	n->nlink--;
	shadow_release(n);
}

void shadow_swap(struct place a, struct place b)
{
	struct node *n = shadow_at(a), *m = shadow_at(b);

	enter(a, m);
	enter(b, n);
}

static unsigned depth_of(const struct node *dir)
{
	unsigned depth = 0;

	for (; dir->parent; dir = dir->parent)
		depth++;
	return depth;
}

struct place shadow_draw(void)
{
	for (;;) {
		struct node *n = &nodes[draw(4) ? draw(NODES) : 0];

		if (S_ISDIR(n->type) && depth_of(n) < DEPTH)
			return (struct place){n, draw(NAMES)};
	}
}

bool shadow_is_empty(const struct node *dir)
{
	for (unsigned i = 0; i < NAMES; i++)
		if (dir->entry[i])
			return false;
	return true;
}

bool shadow_is_within(const struct node *n, const struct node *above)
{
	for (; n; n = n->parent)
		if (n == above)
			return true;
	return false;
}

unsigned shadow_links(const struct node *n)
{
	unsigned links = 2;

	if (!S_ISDIR(n->type))
		return n->nlink;
	for (unsigned i = 0; i < NAMES; i++)
		links += n->entry[i] && S_ISDIR(n->entry[i]->type);
	return links;
}

const char *shadow_path(struct place p, char path[PATH])
{
	char below[PATH];

	snprintf(path, PATH, "n%02u", p.name);
	for (const struct node *dir = p.dir; dir->parent; dir = dir->parent) {
		memcpy(below, path, PATH);
		snprintf(path, PATH, "n%02u/%.200s", dir->name, below);
	}
	return path;
}
