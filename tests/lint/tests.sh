#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each module of core/ has its unit test, and each test is run: it stands in a meson.build there.
# shellcheck source-path=SCRIPTDIR
. "$SRC/tests/lint/files.sh"

listed=$(cat tests/meson.build tests/mount/meson.build tests/unit/meson.build tests/programs/meson.build tests/crash/meson.build | tr -s "[],' " '\n')
bad=$(
	for f in core/*.c; do
		m=$(basename "$f" .c)
		[ -f "tests/unit/test_$m.c" ] || echo "$f has no tests/unit/test_$m.c"
	done
	for f in tests/unit/test_*.c tests/mount/*.sh tests/lint/*.sh tests/regress/*.sh tests/programs/*.sh tests/crash/*.sh; do
		name=$(basename "$f" .c)
		name=$(basename "${name#test_}" .sh)
		case $f in
		tests/mount/lib.sh | tests/mount/private.sh | tests/lint/files.sh | */\**) continue ;;
		esac
		echo "$listed" | grep -qxF "$name" || echo "$f is in no meson.build of tests/"
	done
)
[ -z "$bad" ] || { echo "$bad"; exit 1; }
