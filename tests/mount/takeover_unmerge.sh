#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Whoever has all that is merged split waits for it, however often the worker dies: then everything is split, and
# merging and full_scans begin anew as the writer of `run` has it.  A scan that is cut short is made again.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs_resends

mount_ksmfs size=512m
[ -e "$M/.ksmfs/debug/kill_at" ] || skip "this build has no hooks"
for name in a b c; do
	python3 -c 'import sys; from pages import *; store(sys.argv[1], content("u", PAGES))' "$M/$name"
done
settle
set_attr merge_on_write 0
[ "$(attr pages_sharing)" = $((2 * PAGES)) ] || die "not merged: $(attr pages_sharing)"

# In the middle, at the end, before anything is said, and when it is said.
for at in "unmerge_batch" "unmerge_batch 3" "swing_done 100" "unmerge_all" "setting_stored"; do
	echo "$at" >"$M/.ksmfs/debug/kill_at"
	set_attr run 2 || die "$at: run=2 failed"
	attr_is run 2 || die "$at: run is $(attr run)"
	attr_is pages_sharing 0 || die "$at: $(attr pages_sharing) pages still share"
	attr_is pages_untracked $((3 * PAGES)) || die "$at: $(attr pages_untracked) pages are untracked"
	attr_is full_scans 0 || die "$at: full_scans is $(attr full_scans)"
	! grep -q "^${at%% *} " "$M/.ksmfs/debug/kill_at" || die "$at: nobody died"
	check
	cmp "$M/a" "$M/b"
	set_attr run 1
	within 60 attr_is pages_sharing $((2 * PAGES)) || die "$at: not merged again: $(attr pages_sharing)"
done
attr_is takeovers 5 || die "takeovers: $(attr takeovers)"

# A scanner that dies on its way: somebody else goes that way again.
set_attr run 2
for at in "scan_chunk" "scan_pass" "merge_pinned" "merge_swung 20" "scan_pass"; do
	echo "$at" >"$M/.ksmfs/debug/kill_at"
	set_attr run 1
	within 60 attr_is pages_sharing $((2 * PAGES)) || die "$at: not merged: $(attr pages_sharing)"
	settle
	! grep -q "^${at%% *} " "$M/.ksmfs/debug/kill_at" || die "$at: nobody died"
	check
	set_attr run 2
done
cmp "$M/a" "$M/c"
