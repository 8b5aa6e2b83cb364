#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The top level holds what it should, each folder says what lives there, and meson files stay short.
# shellcheck source-path=SCRIPTDIR
. "$SRC/tests/lint/files.sh"

bad=$(
	for d in fs core include tools tests contrib; do
		[ -s "$d/README.md" ] || echo "$d has no README.md"
	done
	for f in *; do
		case $f in
		fs | core | include | tools | tests | contrib | meson.build | meson_options.txt | COPYING | README.md | build* | b) ;;
		*) echo "$f does not belong to the top level" ;;
		esac
	done
	for f in $(ours -name meson.build); do
		[ "$(wc -l <"$f")" -lt "$([ "$f" = ./meson.build ] && echo 60 || echo 30)" ] || echo "$f is too long"
	done
)
[ -z "$bad" ] || { echo "$bad"; exit 1; }
