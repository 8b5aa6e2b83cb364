/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/cgroup.c - two tables of /proc say it together: which group, and where its hierarchy is. */
#include "cgroup.h"

#include <string.h>

/* Is `word` one of those that commas separate? */
static bool lists(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words; *p; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ','))
		if (strcspn(p, ",") == len && strncmp(p, word, len) == 0)
			return true;
	return false;
}

/* From a line "id:controllers:path". */
static bool own_group(FILE *groups, enum cgroup_kind kind, char *ret_path, size_t size)
{
	char line[PATH_MAX];

	while (fgets(line, sizeof(line), groups)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(++controllers, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		if (kind == CGROUP_V2 ? *controllers : !lists(controllers, "memory"))
			continue;
		snprintf(ret_path, size, "%s", path);
		return true;
	}
	return false;
}

/* Where that hierarchy is mounted, and which group is at the root of the mount. */
static bool mounted(FILE *mounts, enum cgroup_kind kind, char *ret_root, char *ret_dir, size_t size)
{
	char line[2 * PATH_MAX], root[PATH_MAX], dir[PATH_MAX], type[64], super[PATH_MAX];

	while (fgets(line, sizeof(line), mounts)) {
		const char *tail = strstr(line, " - ");

		if (!tail || sscanf(tail, " - %63s %*s %4095s", type, super) != 2 ||
		    sscanf(line, "%*s %*s %*s %4095s %4095s", root, dir) != 2)
			continue;
		if (kind == CGROUP_V2 ? strcmp(type, "cgroup2") : strcmp(type, "cgroup") || !lists(super, "memory"))
			continue;
		snprintf(ret_root, size, "%s", root);
		snprintf(ret_dir, size, "%s", dir);
		return true;
	}
	return false;
}

int cgroup_find_in(FILE *groups, FILE *mounts, enum cgroup_kind kind, struct cgroup *ret)
{
	char path[PATH_MAX], root[PATH_MAX], dir[PATH_MAX];
	size_t len;

	if (!own_group(groups, kind, path, sizeof(path)) || !mounted(mounts, kind, root, dir, sizeof(root)))
		return -ENOENT;
	len = strcmp(root, "/") ? strlen(root) : 0;
	if (strncmp(path, root, len) || (path[len] && path[len] != '/') || strncmp(path + len, "/..", 3) == 0)
		return -ENOENT;
	snprintf(ret->path, sizeof(ret->path), "%s%s", dir, strcmp(path + len, "/") ? path + len : "");
	ret->top = strlen(dir);
	return 0;
}

int cgroup_find(enum cgroup_kind kind, struct cgroup *ret)
{
	FILE *groups = fopen("/proc/self/cgroup", "re"), *mounts = fopen("/proc/self/mountinfo", "re");
	int r = -ENOENT;

	if (groups && mounts)
		r = cgroup_find_in(groups, mounts, kind, ret);
	if (groups)
		fclose(groups);
	if (mounts)
		fclose(mounts);
	return r;
}

bool cgroup_up(struct cgroup *g)
{
	if (strlen(g->path) <= g->top)
		return false;
	*strrchr(g->path, '/') = '\0';
	return true;
}
