/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs/options.c - one row for each option, and one reader for each kind of value.
 *
 * Options of tmpfs mean what they mean there.  Words that belong to mount(8) or fstab are passed over by
 * name; words of the VFS become flags of mount(2).  All else is refused, for a limit that was misspelt
 * must not become no limit.
 */
#include "fs/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "core/attrs.h"

struct row;
struct reader {
	struct options *o;
	char *err;
	size_t errlen;
};
typedef int take_value(struct reader *r, const struct row *row, char *value);

struct row {
	const char *name;
	take_value *take;
	const char *help; /* of our own options; the reason, where an option is refused */
	size_t offset;    /* of the field in struct options */
	uint64_t max;
	unsigned long set, clear; /* MS_* */
	unsigned given; /* enum option_given */
	const char *but; /* the one value that says what is so anyway, of an option that is refused */
};

enum {
	READ_AHEAD_PRESET_KB = 128,
	MAX_RATIO_PRESET = 100,
};

static int refuse(struct reader *r, const struct row *row, const char *reason)
{
	snprintf(r->err, r->errlen, "option %s: %s", row->name, reason);
	return -EINVAL;
}

static int bad_value(struct reader *r, const struct row *row, const char *value, const char *wanted)
{
	snprintf(r->err, r->errlen, "option %s: bad value '%.64s' (%s)", row->name, value, wanted);
	return -EINVAL;
}

static void *field(struct reader *r, const struct row *row)
{
	return (char *)r->o + row->offset;
}

/* Digits of `base` at the start of `text`: false if there are none, or too many. */
static bool read_number(const char *text, int base, uint64_t *ret, const char **ret_rest)
{
	char *end;

	if (*text < '0' || *text >= '0' + base)
		return false;
	errno = 0;
	*ret = strtoull(text, &end, base);
	*ret_rest = end;
	return errno == 0;
}

static int take_size(struct reader *r, const struct row *row, char *value)
{
	static const char wanted[] = "bytes, with k, m, g or t, or a percentage of RAM like 50%";
	struct amount size;
	uint64_t pages;

	if (amount_parse(value, strlen(value), &size) < 0)
		return bad_value(r, row, value, wanted);
	if (amount_pages(&size, 0, &pages) < 0)
		return bad_value(r, row, value, "at most 16t; 0 is no limit");
	*(struct amount *)field(r, row) = size;
	return 0;
}

static int take_blocks(struct reader *r, const struct row *row, char *value)
{
	struct amount size;

	if (amount_parse(value, strlen(value), &size) < 0 || size.is_percent || size.number > FILE_PAGES_MAX)
		return bad_value(r, row, value, "a number of pages, with k, m or g; 0 is no limit");
	size.number <<= PAGE_SHIFT;
	r->o->size = size;
	return 0;
}

static int take_inodes(struct reader *r, const struct row *row, char *value)
{
	struct amount count;

	if (amount_parse(value, strlen(value), &count) < 0 || amount_count(&count, row->max, &r->o->nr_inodes) < 0)
		return bad_value(r, row, value, "a number of inodes, with k, m or g; 0 is no limit");
	return 0;
}

static int take_mode(struct reader *r, const struct row *row, char *value)
{
	const char *rest;
	uint64_t n;

	if (!read_number(value, 8, &n, &rest) || *rest || n > 07777)
		return bad_value(r, row, value, "permissions in octal, like 1777");
	r->o->mode = (mode_t)n;
	return 0;
}

/* uid_t, gid_t and unsigned are the same 32 bits. */
static int take_u32(struct reader *r, const struct row *row, char *value)
{
	char wanted[48];
	const char *rest;
	uint64_t n;

	if (!read_number(value, 10, &n, &rest) || *rest || n > row->max) {
		snprintf(wanted, sizeof(wanted), "a number from 0 to %" PRIu64, row->max);
		return bad_value(r, row, value, wanted);
	}
	*(uint32_t *)field(r, row) = (uint32_t)n;
	return 0;
}

static int take_bool(struct reader *r, const struct row *row, char *value)
{
	if ((value[0] != '0' && value[0] != '1') || value[1])
		return bad_value(r, row, value, "0 or 1");
	*(bool *)field(r, row) = value[0] == '1';
	return 0;
}

static int take_control(struct reader *r, const struct row *row, char *value)
{
	static const char *const words[] = {
		[CONTROL_HIDDEN] = "hidden",
		[CONTROL_VISIBLE] = "visible",
		[CONTROL_NONE] = "none",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(value, words[i]) == 0) {
			r->o->control = (enum control_mode)i;
			return 0;
		}
	}
	return bad_value(r, row, value, "hidden, visible or none");
}

static int take_merge(struct reader *r, const struct row *row, char *value)
{
	bool optin = strcmp(value, "optin") == 0;

	if (!optin && strcmp(value, "all") != 0)
		return bad_value(r, row, value, "all or optin");
	r->o->merge_optin = optin;
	return 0;
}

static int take_domain(struct reader *r, const struct row *row, char *value)
{
	if (attr_parse(ATTR_domain, value, strlen(value), &r->o->domain) < 0)
		return bad_value(r, row, value, "mount, uid or dir");
	return 0;
}

/* A string that fits; row->max is the size of the field. */
static int take_text(struct reader *r, const struct row *row, char *value)
{
	size_t len = strlen(value);

	if (len == 0 || len >= row->max)
		return bad_value(r, row, value, len ? "too long" : "empty");
	memcpy(field(r, row), value, len + 1);
	return 0;
}

static int take_flag(struct reader *r, const struct row *row, char *value)
{
	r->o->mount_flags &= ~row->clear;
	r->o->mount_flags |= row->set;
	return 0;
}

static int take_word(struct reader *r, const struct row *row, char *value)
{
	*(bool *)field(r, row) = true;
	return 0;
}

/* Security labels: the kernel's parser knows what they mean. */
static int take_kernel(struct reader *r, const struct row *row, char *value)
{
	size_t used = strlen(r->o->kernel);
	int n;

	n = snprintf(r->o->kernel + used, sizeof(r->o->kernel) - used, ",%s=%s", row->name, value);
	if (n < 0 || (size_t)n >= sizeof(r->o->kernel) - used)
		return bad_value(r, row, value, "too long");
	return 0;
}

static int pass_over(struct reader *r, const struct row *row, char *value)
{
	return 0;
}

static int take_never(struct reader *r, const struct row *row, char *value)
{
	if (row->but && value && strcmp(value, row->but) == 0)
		return 0;
	return refuse(r, row, row->help);
}

#define FIELD(f) .offset = offsetof(struct options, f)
#define TEXT(f) FIELD(f), .max = sizeof(((struct options *)NULL)->f)
#define FLAG(word, on, off) {word, take_flag, .set = (on), .clear = (off), .given = OPTION_FLAG}
#define NO_QUOTA "there are no quotas of users; directories can have limits, see TENANTS in ksmfs(8)"
#define ATIME_FLAGS (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)

/* A name that ends in '=' needs a value; one that ends in '?' may have one; others have none. */
static const struct row rows[] = {
	{"size=", take_size, "limit of the files' bytes: bytes, k, m, g, t, or % of RAM (50%); 0 none", FIELD(size),
	 .given = OPTION_SIZE},
	{"nr_blocks=", take_blocks, "the same in pages", .given = OPTION_SIZE},
	{"nr_inodes=", take_inodes, "limit of inodes (half of RAM's pages); 0 none", .max = UINT32_MAX - 1,
	 .given = OPTION_INODES},
	{"store_limit=", take_size, "limit of the memory for them, in the same way (0, none)", FIELD(store_limit),
	 .given = OPTION_STORE_LIMIT},
	{"noswap", take_word, "never swap what files hold; refused where that cannot be had", FIELD(noswap)},
	{"mode=", take_mode, "permissions of the root directory, in octal (1777)"},
	{"uid=", take_u32, "owner of the root directory", FIELD(uid), .max = UINT32_MAX - 1},
	{"gid=", take_u32, "group of the root directory", FIELD(gid), .max = UINT32_MAX - 1},
	{"index=", take_text, "directory of the databases, instead of a private one", TEXT(index),
	 .given = OPTION_INDEX},
	{"control=", take_control, "hidden, visible or none: .ksmfs/ in the root directory (hidden)",
	 .given = OPTION_CONTROL},
	{"domain=", take_domain, "whose files may share pages: mount (all), uid (of one owner), dir (of one directory in the root) (mount)",
	 .given = OPTION_DOMAIN},
	{"merge=", take_merge, "all, or optin: only what is said to be mergeable, see ksmfsctl (all)"},
	{"merge_on_write=", take_bool, "what the setting of that name starts with: 0 or 1 (1)",
	 FIELD(merge_on_write)},
	{"read_ahead_kb=", take_u32, "read-ahead of the mount, as root (128)", FIELD(read_ahead_kb),
	 .max = 1 << 20, .given = OPTION_READ_AHEAD},
	{"max_ratio=", take_u32, "its share of dirty memory in percent, as root (100)",
	 FIELD(max_ratio), .max = 100, .given = OPTION_MAX_RATIO},

	{"remount", take_word, "change the mount that is there: size, nr_inodes, and what mount(8) knows, like ro",
	 FIELD(remount)},

	{"huge?", take_never, "pages are merged one by one, so there are no huge ones (never is taken)", .but = "never"},
	{"mpol?", take_never, "a merged page has no single user whose memory policy could hold (default is taken)",
	 .but = "default"},
	{"inode32", take_never, "numbers of inodes have 64 bits"},
	{"quota?", take_never, NO_QUOTA},
	{"usrquota?", take_never, NO_QUOTA},
	{"grpquota?", take_never, NO_QUOTA},

	{"user_id=", pass_over, .given = OPTION_OF_KERNEL},
	{"group_id=", pass_over, .given = OPTION_OF_KERNEL},
	{"seclabel", pass_over, .given = OPTION_OF_KERNEL},
	{"inode64", pass_over}, /* always; Linux lists it for tmpfs */

	{"allow_other", take_word, FIELD(allow_other)},
	{"default_permissions", pass_over}, /* always */
	{"fsname=", take_text, TEXT(fsname)},
	{"subtype=", take_text, TEXT(subtype)},
	{"context=", take_kernel},
	{"fscontext=", take_kernel},
	{"defcontext=", take_kernel},
	{"rootcontext=", take_kernel},

	FLAG("ro", MS_RDONLY, 0),
	FLAG("rw", 0, MS_RDONLY),
	FLAG("nosuid", MS_NOSUID, 0),
	FLAG("suid", 0, MS_NOSUID),
	FLAG("nodev", MS_NODEV, 0),
	FLAG("dev", 0, MS_NODEV),
	FLAG("noexec", MS_NOEXEC, 0),
	FLAG("exec", 0, MS_NOEXEC),
	FLAG("sync", MS_SYNCHRONOUS, 0),
	FLAG("async", 0, MS_SYNCHRONOUS),
	FLAG("dirsync", MS_DIRSYNC, 0),
	FLAG("noatime", MS_NOATIME, ATIME_FLAGS),
	FLAG("atime", 0, MS_NOATIME),
	FLAG("nodiratime", MS_NODIRATIME, 0),
	FLAG("diratime", 0, MS_NODIRATIME),
	FLAG("relatime", MS_RELATIME, ATIME_FLAGS),
	FLAG("norelatime", 0, MS_RELATIME),
	FLAG("strictatime", MS_STRICTATIME, ATIME_FLAGS),
	FLAG("nostrictatime", 0, MS_STRICTATIME),
	FLAG("lazytime", MS_LAZYTIME, 0),
	FLAG("nolazytime", 0, MS_LAZYTIME),
	FLAG("silent", MS_SILENT, 0),
	FLAG("loud", 0, MS_SILENT),
	FLAG("nosymfollow", 256, 0), /* MS_NOSYMFOLLOW is younger than some headers */
	FLAG("symfollow", 0, 256),
	FLAG("defaults", 0, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SYNCHRONOUS),

	{"auto", pass_over},
	{"noauto", pass_over},
	{"user?", pass_over},
	{"nouser", pass_over},
	{"users", pass_over},
	{"owner", pass_over},
	{"group", pass_over},
	{"nofail", pass_over},
	{"_netdev", pass_over},
	{"comment=", pass_over},
	{"uhelper=", pass_over},
	{"helper=", pass_over},
};

/* The row of `word`, which ends at '=' or at its end. */
static const struct row *find_row(const char *word, size_t len)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = strcspn(rows[i].name, "=?");

		if (n == len && memcmp(rows[i].name, word, len) == 0)
			return &rows[i];
	}
	return NULL;
}

/* One option, "name" or "name=value"; `text` is ours to change. */
static int take_option(struct reader *r, char *text)
{
	size_t len = strcspn(text, "=");
	char *value = text[len] ? text + len + 1 : NULL;
	const struct row *row;
	struct row named;
	char name[32], form;

	if (len > 2 && (strncmp(text, "x-", 2) == 0 || strncmp(text, "X-", 2) == 0))
		return 0; /* notes for other programs */
	row = find_row(text, len);
	if (!row) {
		snprintf(r->err, r->errlen, "unknown option '%.64s'", text);
		return -EINVAL;
	}
	form = row->name[len];
	memcpy(name, row->name, len); /* for messages: without its '=' */
	name[len] = '\0';
	named = *row;
	named.name = name;
	if (form == '=' && !value)
		return refuse(r, &named, "needs a value");
	if (!form && value)
		return refuse(r, &named, "takes no value");
	r->o->given |= row->given;
	return row->take(r, &named, value);
}

void options_preset(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->mode = 01777;
	o->uid = (uid_t)-1;
	o->gid = (gid_t)-1;
	o->merge_on_write = true;
	o->read_ahead_kb = READ_AHEAD_PRESET_KB;
	o->max_ratio = MAX_RATIO_PRESET;
	snprintf(o->subtype, sizeof(o->subtype), "ksmfs");
}

int options_parse(const char *text, struct options *o, char *err, size_t errlen)
{
	struct reader reader = {.o = o, .err = err, .errlen = errlen};
	char word[PATH_MAX + 64];
	size_t len = 0;
	int r;

	options_preset(o);
	for (const char *p = text;; p++) {
		if (*p && *p != ',') {
			if (*p == '\\' && (p[1] == ',' || p[1] == '\\'))
				p++;
			if (len + 1 >= sizeof(word)) {
				snprintf(err, errlen, "option '%.32s...' is too long", text);
				return -EINVAL;
			}
			word[len++] = *p;
			continue;
		}
		word[len] = '\0';
		r = len ? take_option(&reader, word) : 0;
		if (r < 0)
			return r;
		if (!*p)
			break;
		len = 0;
	}
	if ((o->given & OPTION_OF_KERNEL) && !o->remount) {
		/* what the kernel tells of a mount, mount(8) says to a remount */
		snprintf(err, errlen, "options user_id, group_id and seclabel are only known to a remount");
		return -EINVAL;
	}
	return 0;
}

void options_resolve(struct options *o, uint64_t ram_pages, uid_t uid, gid_t gid)
{
	if (!(o->given & OPTION_SIZE))
		o->size_pages = MAX(ram_pages / 2, UINT64_C(1));
	else if (amount_pages(&o->size, ram_pages, &o->size_pages) < 0)
		ASSERT(!"a size that was refused when it was read");
	if (!(o->given & OPTION_INODES)) {
		o->nr_inodes = MAX(ram_pages / 2, UINT64_C(1));
		o->nr_inodes = MIN(o->nr_inodes, (uint64_t)UINT32_MAX - 1);
	}
	if (o->store_limit.number && amount_pages(&o->store_limit, ram_pages, &o->store_limit_pages) < 0)
		ASSERT(!"a limit that was refused when it was read");
	if (o->uid == (uid_t)-1)
		o->uid = uid;
	if (o->gid == (gid_t)-1)
		o->gid = gid;
}

const char *options_help(unsigned i, const char **ret_name)
{
	for (unsigned row = 0; row < ARRAY_SIZE(rows); row++) {
		if (!rows[row].help || rows[row].take == take_never || i-- > 0)
			continue;
		*ret_name = rows[row].name;
		return rows[row].help;
	}
	return NULL;
}
