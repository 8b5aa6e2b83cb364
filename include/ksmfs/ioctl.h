/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ksmfs/ioctl.h - what is merged of a file, page by page: calls on an open file of a ksmfs.
 *
 * KSMFS_IOC_MERGEABLE    the pages of a range may be merged, as after madvise(MADV_MERGEABLE).
 * KSMFS_IOC_UNMERGEABLE  they are not merged, and when it returns none of them is (zeroes have no memory to share).
 *	Both are for the owner of the file and for root.  They go before what holds for the whole file
 *	(KSMFS_XATTR_MERGEABLE, ksmfs/xattr.h), which when it is set forgets them; so does truncation for what it
 *	cuts off.  Holes count, too: the advice holds for what is written there later.  It is known whatever
 *	.ksmfs/run says.
 * KSMFS_IOC_STAT         figures of a range: those of KSMFS_XATTR_STAT.  For whoever has the file open.
 *
 * A range begins and ends with a whole page of KSMFS_PAGE_BYTES; the last may be one that the file ends in.
 * A range of no bytes is a success, and nothing is done.  Errors:
 *
 *	EINVAL   `offset` or `len` is not a whole number of pages, their sum is beyond 64 bits, or `reserved` is
 *	         not zero
 *	ENOMEM   advice: some of the range is beyond the end of the file (the rest was done); or the file has more
 *	         than 8192 ranges; or the pages are out of merging now, but there is no memory to split all of
 *	         them
 *	EINTR    advice: a signal came; what was split stays split.  Say it again.
 *	EPERM    advice: neither the owner of the file nor root
 *	EISDIR   a directory (its advice is KSMFS_XATTR_MERGEABLE)
 *	ENOTTY   not a file of a ksmfs, or a control file, or a ksmfs that is too old
 *
 * Growth: `reserved` must be zero when it goes in, and comes back as zeroes.  A figure added later takes the place of a
 * reserved word, so one that reads 0 may be one that this daemon does not know.  The commands and the
 * layout here stay as they are.
 *
 * Example: keep the first MiB of a file apart, and see what merging does for the rest.
 *
 *	#include <fcntl.h>
 *	#include <ksmfs/ioctl.h>
 *	#include <stdio.h>
 *	#include <string.h>
 *	#include <sys/ioctl.h>
 *	#include <sys/stat.h>
 *
 *	int main(int argc, char **argv)
 *	{
 *		struct ksmfs_range secret = {0, 1 << 20};
 *		struct ksmfs_stat rest;
 *		struct stat file;
 *		int fd = argc == 2 ? open(argv[1], O_RDWR) : -1;
 *
 *		if (fd < 0 || fstat(fd, &file) < 0) {
 *			perror("a file of a ksmfs");
 *			return 1;
 *		}
 *		if (ioctl(fd, KSMFS_IOC_UNMERGEABLE, &secret) < 0) {
 *			perror("KSMFS_IOC_UNMERGEABLE");
 *			return 1;
 *		}
 *		memset(&rest, 0, sizeof(rest));
 *		rest.offset = secret.len;
 *		rest.len = KSMFS_WHOLE_PAGES((__u64)file.st_size) - rest.offset;
 *		if (ioctl(fd, KSMFS_IOC_STAT, &rest) < 0) {
 *			perror("KSMFS_IOC_STAT");
 *			return 1;
 *		}
 *		printf("%llu of %llu pages are merged\n", (unsigned long long)rest.merged,
 *		       (unsigned long long)rest.slots);
 *		return 0;
 *	}
 */
#pragma once

#include <linux/ioctl.h>
#include <linux/types.h>

#define KSMFS_PAGE_BYTES 4096

/* `bytes` up to the next whole page. */
#define KSMFS_WHOLE_PAGES(bytes) (((bytes) + (KSMFS_PAGE_BYTES - 1)) & ~(__u64)(KSMFS_PAGE_BYTES - 1))

struct ksmfs_range {
	__u64 offset; /* bytes */
	__u64 len;
};

struct ksmfs_stat {
	__u64 offset; /* in */
	__u64 len;
	/* Out: pages that hold data, and what becomes of them: the five below add up to it. */
	__u64 slots;
	__u64 merged;         /* on memory that other pages share */
	__u64 unshared;       /* looked at, and unlike any other */
	__u64 zero;           /* zeroes, without memory */
	__u64 volatile_pages; /* "volatile": changing too often, or not looked at yet */
	__u64 untracked;      /* left out of merging, or not looked at since that ended */
	/* Pages of the range up to the end of the file that may not be merged, holes included. */
	__u64 left_out;
	__u64 saved_bytes;        /* what the range would take without merging, less what it takes */
	__u64 proportional_bytes; /* what it takes: memory that n pages share counts an nth for each */
	__s64 profit_bytes;       /* saved_bytes, less what is spent to know it */
	__u64 reserved[4];        /* zero, in and out */
};

#define KSMFS_IOC_MERGEABLE   _IOW('k', 0x40, struct ksmfs_range)
#define KSMFS_IOC_UNMERGEABLE _IOW('k', 0x41, struct ksmfs_range)
#define KSMFS_IOC_STAT        _IOWR('k', 0x42, struct ksmfs_stat)
