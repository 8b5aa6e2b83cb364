#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# At most 600 lines a file and 100 a function (aim for 60); 120 columns at the very most (aim for 100), tabs for indentation.
# shellcheck source-path=SCRIPTDIR
. "$SRC/tests/lint/files.sh"

bad=$(c_files | while read -r f; do
	awk -v f="$f" '
		function width(s,  i, n) {
			n = 0
			for (i = 1; i <= length(s); i++)
				n = substr(s, i, 1) == "\t" ? n - n % 8 + 8 : n + 1
			return n
		}
		/^\{/ { start = NR }
		/^\}/ && start { if (NR - start > 100) print f ":" start ": a function of " NR - start " lines"; start = 0 }
		/^        / { print f ":" NR ": spaces for a tab" }
		/[ \t]$/ { print f ":" NR ": space at the end of the line" }
		width($0) > 120 && !/"/ { print f ":" NR ": " width($0) " columns" }
		END { if (NR > 600) print f ": " NR " lines" }' "$f"
done)
[ -z "$bad" ] || { echo "$bad"; exit 1; }
