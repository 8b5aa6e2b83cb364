#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What programs do to a file system has on ksmfs the same results, errnos and attributes as on tmpfs: the
# programs of tests/mount/posix/ write them down on both, and say what must be whatever tmpfs does.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

"${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror "$TESTS"/posix/*.c -o "$T/posix" -pthread -lrt || die "does not compile"
mkdir "$T/tmpfs"
mount -t tmpfs -o size=512m,mode=1777 none "$T/tmpfs"
at_end() {
	umount "$T/tmpfs"
}
mount_ksmfs size=512m
chmod 755 "$T"

failed=
for theme in ${THEMES:-errors rename times rights files dirs locks memory}; do
	for at in "$T/tmpfs" "$M"; do
		timeout 150 "$T/posix" "$at" "$theme" >"$at.$theme" || {
			echo "$theme on $(basename "$at"): status $?, $(grep -c WRONG "$at.$theme") wrong"
			grep -m 40 WRONG "$at.$theme"
			failed="$failed $theme"
		}
	done
	diff -U 2 "$T/tmpfs.$theme" "$M.$theme" | head -n 200 >"$T/diff"
	if [ -s "$T/diff" ]; then
		cat "$T/diff"
		failed="$failed $theme"
	fi
	rm -rf "${T:?}/tmpfs/$theme" "${M:?}/$theme"
done
[ -z "$failed" ] || die "not as on tmpfs:$failed"
