#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Scripts are clean to shellcheck, and Python compiles the others.
# shellcheck source-path=SCRIPTDIR
. "$SRC/tests/lint/files.sh"

command -v shellcheck >/dev/null || skip "shellcheck is not installed"
shell=$(scripts | while read -r f; do
	head -n 1 "$f" | grep -q python || echo "$f"
done)
# shellcheck disable=SC2086
shellcheck -x -S warning $shell
for f in $(ours -name '*.py'); do
	python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$f"
done
