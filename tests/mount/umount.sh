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
unmount

# The same where a filter of system calls, as containers have, refuses the newest way to find a mount.
cat >"$T/filtered.py" <<'PY'
import ctypes, os, struct, sys

LOAD, JUMP_IF_EQUAL, RETURN, STATMOUNT, REFUSED, ALLOWED = 0x20, 0x15, 0x06, 457, 0x50001, 0x7fff0000
program = [(LOAD, 0, 0, 0), (JUMP_IF_EQUAL, 0, 1, STATMOUNT), (RETURN, 0, 0, REFUSED), (RETURN, 0, 0, ALLOWED)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
head = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
if ctypes.CDLL(None).prctl(22, 2, head, 0, 0): # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    sys.exit("no filter")
os.execv(sys.argv[1], sys.argv[1:])
PY
python3 "$T/filtered.py" "$KSMFS" -o size=8m "test-$$" "$M" || die "no mount where calls are filtered"
echo "$M" >>"$T/mounts"
kill_worker
check
unmount || die "filtered calls"
python3 "$T/filtered.py" "$KSMFS" -o size=8m "test-$$" "$M"
kill -TERM "$(supervisor)"
within 10 no_processes "$M" || die "filtered calls and SIGTERM: $(processes "$M")"
! is_mounted "$M" || die "filtered calls and SIGTERM leave the mount"
