#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each header compiles alone.
# shellcheck source-path=SCRIPTDIR
. "$SRC/tests/lint/files.sh"

fuse=$(pkg-config --cflags fuse3)
status=0
for h in $(ours -name '*.h'); do
	# shellcheck disable=SC2086
	echo "#include \"$h\"" | ${CC:-cc} -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DFUSE_USE_VERSION=314 \
		-DDIGEST_BITS=32 -DKSMFS_VERSION='""' -Iinclude -I. $fuse -Wall -Werror -fsyntax-only -x c - || status=1
done
exit $status
