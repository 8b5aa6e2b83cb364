/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_tenants.c - directories with limits: who is one, by which extended attributes, and what they have left.
 *
 *   directory -> tenant      it is empty, and gets its first limit            [volume_limit_begin]
 *   limit     -> another     the lower one holds while names.db is told              [volume_limit_begin, _end]
 *   tenant    -> directory   it loses its last limit, and nobody else is in it   [volume_limit_gone]
 *
 * The record says so before the first row of names.db does, and until after the last has gone.  So whoever takes over
 * finds a limit only where the record says so; a tenant without one was about to become one, or had ceased to be, and
 * is alone.
 */
#include "volume_tenants.h"

#include <string.h>
#include <unistd.h>

#include <ksmfs/xattr.h>

#include "amount.h"
#include "log.h"
#include "names_xattr.h"
#include "receipt.h"

enum { VALUE_BYTES = 32, LIST_BATCH = 16 };

#define OURS "trusted.ksmfs."

static bool is(struct name name, const char *text, size_t len)
{
	return name.len == len && memcmp(name.bytes, text, len) == 0;
}

bool volume_is_limit(struct name name)
{
	return name.len >= sizeof(OURS) - 1 && memcmp(name.bytes, OURS, sizeof(OURS) - 1) == 0;
}

static int which_limit(struct name name, enum limit *ret)
{
	if (is(name, KSMFS_XATTR_SIZE, sizeof(KSMFS_XATTR_SIZE) - 1))
		*ret = LIMIT_SIZE;
	else if (is(name, KSMFS_XATTR_INODES, sizeof(KSMFS_XATTR_INODES) - 1))
		*ret = LIMIT_INODES;
	else
		return -EINVAL;
	return 0;
}

static _Atomic uint64_t *limit_of(struct tenant *t, enum limit which)
{
	return which == LIMIT_SIZE ? &t->size_pages : &t->nr_inodes;
}

static int parse(enum limit which, struct name value, uint64_t *ret)
{
	struct amount amount;
	int r = amount_parse(value.bytes, value.len, &amount);

	if (r < 0 || value.len >= VALUE_BYTES)
		return -EINVAL;
	if (which == LIMIT_SIZE)
		return amount_pages(&amount, (uint64_t)sysconf(_SC_PHYS_PAGES), ret);
	return amount_count(&amount, attr_rows[ATTR_nr_inodes].max, ret);
}

/* --- setting and removing limits --------------------------------------------------------------- */

static bool may_be_tenant(struct inode *i)
{
	struct inode_attr attr = inode_attr_get(i);

	return S_ISDIR(attr.mode) && attr.parent == ROOT_INO && inode_ino(i) != ROOT_INO && attr.nlink;
}

static int make(struct volume *v, struct inode *dir)
{
	struct tenant *t;
	uint64_t space;
	bool empty;
	int r = volume_names_errno(names_is_empty(v->names, inode_ino(dir), &empty));

	if (r < 0)
		return r;
	if (!empty)
		return -ENOTEMPTY;
	r = names_xattr_space_of(v->names, inode_ino(dir), &space);
	if (!r)
		r = tenants_make(v->tenants, dir, &t);
	if (!r)
		r = tenant_take(t, space, true);
	return FOLD(r);
}

/* What counts against the limit when names.db has the new text. */
static int used_then(struct volume *v, const struct inode *i, const struct limit_change *c, uint64_t *ret)
{
	const struct tenant *t = i->tenant;
	size_t old = 0;
	uint64_t space;
	int r;

	*ret = t->pages;
	if (c->which == LIMIT_SIZE)
		return 0;
	r = names_xattr_get(v->names, inode_ino(i), c->name, NULL, 0, &old);
	if (r < 0)
		return r;
	space = t->space + names_xattr_space(c->name.len, c->text_len);
	if (r == NAMES_OK)
		space -= names_xattr_space(c->name.len, old);
	*ret = tenant_inodes(space);
	return 0;
}

/* From here on nobody goes beyond it who is not beyond it now. */
static int lower(struct volume *v, struct inode *i, struct limit_change *c)
{
	_Atomic uint64_t *limit = limit_of(i->tenant, c->which);
	uint64_t used;
	int r;

	c->before = *limit;
	if (c->value >= c->before)
		return 0;
	*limit = c->value;
	r = used_then(v, i, c, &used);
	return r < 0 ? r : used > c->value ? -EINVAL : 0;
}

int volume_limit_begin(struct volume *v, struct inode *i, struct name name, struct name text, struct limit_change *c)
{
	int r;

	*c = (struct limit_change){ .name = name, .text_len = text.len };
	r = which_limit(name, &c->which);
	if (!r)
		r = parse(c->which, text, &c->value);
	if (!r && !may_be_tenant(i))
		r = -EINVAL;
	if (r < 0)
		return r;
	if (!i->tenant) {
		r = make(v, i);
		c->made = !r;
	}
	if (!r)
		r = lower(v, i, c);
	if (r < 0 && i->tenant)
		volume_limit_end(v, i, c, r);
	return r;
}

void volume_limit_end(struct volume *v, struct inode *i, const struct limit_change *c, int r)
{
	*limit_of(i->tenant, c->which) = r < 0 ? c->before : c->value;
	if (r < 0 && c->made)
		tenants_end(v->tenants, i);
}

int volume_limit_may_go(struct inode *i, struct name name)
{
	struct tenant *t = i->tenant;
	enum limit which;

	if (!tenant_is_dir(i) || which_limit(name, &which) < 0)
		return 0;
	return *limit_of(t, LIMIT_OTHER(which)) == TENANT_NO_LIMIT && t->inodes > 1 ? -ENOTEMPTY : 0;
}

void volume_limit_gone(struct volume *v, struct inode *i, struct name name)
{
	struct tenant *t = i->tenant;
	enum limit which;

	if (!tenant_is_dir(i) || which_limit(name, &which) < 0)
		return;
	*limit_of(t, which) = TENANT_NO_LIMIT;
	if (*limit_of(t, LIMIT_OTHER(which)) == TENANT_NO_LIMIT)
		tenants_end(v->tenants, i);
}

/* --- whose is what ------------------------------------------------------------------------------ */

bool volume_may_be_in(struct volume *v, struct inode *i, const struct inode *dir)
{
	struct inode_attr attr = inode_attr_get(i);

	if (tenant_is_dir(i) || domains_is_own(v->domains, &attr))
		return inode_ino(dir) == ROOT_INO;
	return i->record->tenant == dir->record->tenant &&
	       (!domains_part(v->domains) || i->record->domain == dir->record->domain);
}

static int adopt_one(struct volume *v, struct inode *i)
{
	uint32_t tenant = i->record->tenant, number = tenant;
	struct inode *dir = tenant ? itable_next(v->pool.itable, &number) : NULL;
	struct tenant *t;
	int r;

	domains_enter(v->domains, i->record->domain);
	if (!tenant)
		return 0;
	if (!dir || dir->number != tenant || !tenant_is_dir(dir)) {
		log_err("inode %u belongs to a tenant that does not exist", i->number);
		return -EUCLEAN;
	}
	r = dir->tenant ? 0 : tenants_make(v->tenants, dir, &t);
	if (r < 0 || i == dir)
		return r;
	tenant_enter(dir->tenant, i);
	return tenant_take(i->tenant, INODE_SPACE, true);
}

int volume_adopt_tenants(struct volume *v)
{
	uint32_t number = 0;
	struct inode *i;
	int r = 0;

	while (!r && (i = itable_next(v->pool.itable, &number)))
		r = adopt_one(v, i);
	return r;
}

int volume_adopt_limit(struct volume *v, struct inode *i, struct name name)
{
	char text[VALUE_BYTES];
	enum limit which;
	uint64_t value;
	size_t len;
	int r = names_xattr_get(v->names, inode_ino(i), name, text, sizeof(text), &len);

	if (r < 0)
		return r;
	if (r != NAMES_OK || !tenant_is_dir(i) || which_limit(name, &which) < 0 ||
	    parse(which, (struct name){ text, len }, &value) < 0) {
		log_err("inode %u has a limit that it cannot have", i->number);
		return -EUCLEAN;
	}
	*limit_of(i->tenant, which) = value;
	return 0;
}

void volume_settle_tenants(struct volume *v)
{
	struct tenant *next;

	for (struct tenant *t = tenants_next(v->tenants, NULL); t; t = next) {
		next = t->next;
		if (t->inodes == 1 && t->size_pages == TENANT_NO_LIMIT && t->nr_inodes == TENANT_NO_LIMIT)
			tenants_end(v->tenants, t->dir);
	}
}

/* --- figures ------------------------------------------------------------------------------------ */

static uint64_t left(uint64_t limit, uint64_t used)
{
	return limit > used ? limit - used : 0;
}

/* A limit beyond the mount's is one that the mount cannot keep. */
static void show_tenant(const struct tenant *t, struct statvfs *st)
{
	if (t->size_pages != TENANT_NO_LIMIT) {
		st->f_blocks = MIN(st->f_blocks, t->size_pages);
		st->f_bfree = left(st->f_blocks, t->pages);
		st->f_bavail = MIN(st->f_bavail, st->f_bfree);
	}
	if (t->nr_inodes != TENANT_NO_LIMIT) {
		st->f_files = MIN(st->f_files, t->nr_inodes);
		st->f_ffree = MIN(st->f_ffree, left(st->f_files, tenant_inodes(t->space)));
		st->f_favail = st->f_ffree;
	}
}

int volume_statfs(struct volume *v, uint64_t ino, struct statvfs *ret)
{
	HOLDS_INODES(v->pool.itable);
	struct pool *p = &v->pool;
	struct inode *i = volume_inode(v, ino);
	const struct tenant *t = i ? i->tenant : NULL;
	uint64_t size = pool_size_pages(p), max = pool_setting(p, ATTR_nr_inodes);

	*ret = (struct statvfs){
		.f_bsize = PAGE_BYTES,
		.f_frsize = PAGE_BYTES,
		.f_blocks = size,
		.f_bfree = left(size, p->charged),
		.f_files = max,
		.f_ffree = left(max, itable_charged(p->itable)),
		.f_namemax = NAME_BYTES_MAX,
	};
	ret->f_bavail = ret->f_bfree;
	ret->f_favail = ret->f_ffree;
	if (t)
		show_tenant(t, ret);
	return 0;
}

static bool fill(struct volume *v, uint64_t ino, struct name name, struct volume_tenant *ret)
{
	HOLDS_INODES(v->pool.itable);
	struct inode *i = volume_inode(v, ino);
	const struct tenant *t = i ? i->tenant : NULL;

	if (!t || t->dir != i)
		return false;
	*ret = (struct volume_tenant){
		.dir = ino,
		.size_pages = t->size_pages,
		.nr_inodes = t->nr_inodes,
		.used_pages = t->pages,
		.inodes = tenant_inodes(t->space),
	};
	memcpy(ret->name, name.bytes, name.len);
	return true;
}

static int next_tenant(struct volume *v, uint64_t *cursor, struct volume_tenant *ret)
{
	struct names_entry e[LIST_BATCH];
	unsigned count;
	int r;

	do {
		r = volume_names_errno(names_list(v->names, ROOT_INO, *cursor, e, LIST_BATCH, &count));
		for (unsigned n = 0; !r && n < count; n++) {
			*cursor = e[n].offset;
			if (fill(v, e[n].ino, (struct name){ e[n].name, e[n].len }, ret))
				return 0;
		}
	} while (!r && count == LIST_BATCH);
	return r < 0 ? r : -ENOENT;
}

int volume_tenants(struct volume *v, uint64_t *cursor, struct volume_tenant *ret)
{
	int r;

	if (!tenants_count(v->tenants)) /* there may be many names in the root */
		return -ENOENT;
	gate_enter(&v->gate);
	r = next_tenant(v, cursor, ret);
	gate_leave(&v->gate);
	return r;
}

int volume_tenant_find(struct volume *v, struct name name, struct volume_tenant *ret)
{
	uint64_t ino;
	int r;

	gate_enter(&v->gate);
	r = volume_names_errno(names_lookup(v->names, ROOT_INO, name, &ino));
	if (!r && !fill(v, ino, name, ret))
		r = -ENOENT;
	gate_leave(&v->gate);
	return r;
}

bool volume_is_shared_out(struct volume *v)
{
	return tenants_count(v->tenants) || pool_setting(&v->pool, ATTR_domain) != DOMAINS_MOUNT;
}
