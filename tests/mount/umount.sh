#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# After umount, and after fusermount3 -u, there is no process, no file and no mount left.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

# Of the mounts of this test: others may come and go meanwhile.
left_in_run() {
	tag=$(basename "$T" | tr - _)
	find /run/ksmfs -mindepth 1 2>/dev/null | grep -F "$tag" | sort
	grep -c " /run/ksmfs/[^ ]*$tag" /proc/self/mountinfo || true
}

before=$(left_in_run)
[ "$before" = 0 ] || die "there is something before it begins: $before"
for command in umount 'fusermount3 -u' 'umount -l'; do
	mount_ksmfs size=64m
	[ -n "$(processes "$M")" ] || die "no process found"
	python3 -c 'import sys; from pages import *; store(sys.argv[1], content("s", 100))' "$M/f"
	check
	within 5 $command "$M" || die "$command"
	within 10 no_processes "$M" || die "$command left $(processes "$M")"
	! is_mounted "$M" || die "$command left it mounted"
	[ "$(left_in_run)" = "$before" ] || die "$command left files: $(left_in_run)"
done

# Databases in a directory of the user's choice go too.
mkdir "$T/db"
mount_ksmfs "size=64m,index=$T/db"
touch "$M/f"
unmount
left=$(ls -A "$T/db")
[ -z "$left" ] || die "left in index=: $left"

# Busy: refused, and all is as it was.
mount_ksmfs size=64m
echo content >"$M/f"
exec 3<"$M/f"
umount "$M" 2>/dev/null && die "unmounted while a file was open"
[ "$(cat "$M/f")" = content ] || die "content after a refused umount"
exec 3<&-
