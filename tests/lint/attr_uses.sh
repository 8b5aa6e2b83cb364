#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A counter that nobody counts is a lie in the manual, a kill point that nobody comes to one in a test: each row is
# used somewhere.
# shellcheck source-path=SCRIPTDIR
. "$SRC/tests/lint/files.sh"

# Rows `$1(name, ...` of the table $2 are used as $3name.
unused() {
	sed -nE "s/^$1\(([a-z_]+)[,)].*/\1/p" "$2" | while read -r name; do
		grep -rqw --include='*.[ch]' "$3$name" core fs || echo "$3$name is never used"
	done
}

bad=$(unused 'ATTR_[A-Z]+' core/attrs.def ATTR_ && unused 'KILL_POINT[A-Z_]*' core/kill_points.def KILL_)
[ -z "$bad" ] || { echo "$bad"; exit 1; }
