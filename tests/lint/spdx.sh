#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each source file says under which licence it is, in its first two lines.
# shellcheck source-path=SCRIPTDIR
. "$SRC/tests/lint/files.sh"

bad=$(all_text | grep -v '\.md$' | while read -r f; do
	head -n 2 "$f" | grep -q 'SPDX-License-Identifier: GPL-2.0-or-later' || echo "$f"
done)
[ -z "$bad" ] || { echo "no SPDX line: $bad"; exit 1; }
