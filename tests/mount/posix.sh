#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What programs do to a file system has on ksmfs the same results, errnos and attributes as on tmpfs: the
# programs of tests/mount/posix/ write them down on both, and say what must be whatever tmpfs does.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

"${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror "$TESTS"/posix/*.c -o "$T/posix" -pthread -lrt ||
	die "does not compile"
chmod 755 "$T"
mkdir "$T/tmpfs" "$T/tmpfs_small"
at_end() {
	umount "$T/tmpfs" "$T/tmpfs_small"
}
mount -t tmpfs -o size=512m,mode=1777 none "$T/tmpfs"
mount -t tmpfs -o size=4m,mode=1777 none "$T/tmpfs_small"
mount_ksmfs size=512m
mount_ksmfs size=4m "$T/small"

failed=
# The theme in directories of both.
compare() {
	for at in "$2" "$3"; do
		timeout 150 "$T/posix" "$at" "$1" >"$T/$(basename "$at").$1" || {
			echo "$1 on $(basename "$at"): status $?"
			grep -m 20 WRONG "$T/$(basename "$at").$1" || true
			failed="$failed $1"
		}
	done
	if ! diff -U 2 "$T/$(basename "$2").$1" "$T/$(basename "$3").$1" >"$T/diff"; then
		head -n 200 "$T/diff"
		failed="$failed $1"
	fi
	rm -rf "${2:?}/$1" "${3:?}/$1"
}

for theme in ${THEMES:-errors rename times rights files dirs locks memory traps full watch async spaces extras}; do
	case $theme in
	full) compare "$theme" "$T/tmpfs_small" "$T/small" ;;
	*) compare "$theme" "$T/tmpfs" "$M" ;;
	esac
done
[ -z "$failed" ] || die "not as on tmpfs:$failed"
