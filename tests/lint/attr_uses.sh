#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A counter that nobody counts is a lie in the manual: each row is used somewhere in core/.
# shellcheck source-path=SCRIPTDIR
. "$SRC/tests/lint/files.sh"

bad=$(sed -nE 's/^ATTR_[A-Z]+\(([a-z_]+),.*/\1/p' core/attrs.def | while read -r name; do
	grep -rqw --include='*.[ch]' "ATTR_$name" core || echo "ATTR_$name is never used"
done)
[ -z "$bad" ] || { echo "$bad"; exit 1; }
