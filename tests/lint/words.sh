#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Words of unfinished work, merges among it, and of numbers and places that mean nothing to a reader of the source.
# shellcheck source-path=SCRIPTDIR
. "$SRC/tests/lint/files.sh"

none() {
	r=0
	all_text | grep -v '^./tests/lint/words.sh$' | xargs grep -nE "$@" || r=$?
	test $r -eq 123 # what xargs makes of 1
}
none '^(<{7}|={7}|>{7})( |$)'
none '\b(TODO|FIXME|XXX|HACK)\b'
none -i '\b(for now|not implemented|placeholder)\b|\b(bug|ticket|pull request) #?[0-9]|/home/[a-z]'
