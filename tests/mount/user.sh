#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An ordinary user mounts for himself, through fusermount3.
# shellcheck source-path=SCRIPTDIR
# In a mount namespace of its own, where /dev/fuse is open to everybody, as it is on most machines.
. "${TESTS:?}/private.sh"
. "${TESTS:?}/lib.sh"

mknod -m 666 "$T/fuse" c 10 229
mount --bind "$T/fuse" /dev/fuse
[ -u "$(command -v fusermount3)" ] || skip "fusermount3 is not setuid root"
as_user() {
	setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all env HOME="$T/home" "$@"
}
as_user true || skip "setpriv cannot become nobody"
# Where the user can reach them: the checkout may be private.
chmod 755 "$T"
cp "$KSMFS" "$T/ksmfs"
mkdir "$T/home" "$T/run"
chown 65534:65534 "$T/home" "$M" "$T/run"
as_user XDG_RUNTIME_DIR="$T/run" "$T/ksmfs" -o size=64m src "$M" || die "a user cannot mount"
echo "$M" >>"$T/mounts"
KSMFS=$T/ksmfs
case ,$(findmnt -n -o OPTIONS "$M"), in
*,nosuid,*nodev,*) ;;
*) die "a user's own mount without nosuid, nodev: $(findmnt -n -o OPTIONS "$M")" ;;
esac

# What only the user sees, the user must look at.
as_user sh -eu -c 'echo content >"$1/f"; cp "$1/f" "$1/g"; cat "$1/g"; cat "$1/.ksmfs/check"' sh "$M" >"$T/out" ||
	die "using it"
[ "$(cat "$T/out")" = "content
ok" ] || die "content and check: $(cat "$T/out")"
# Nobody may purge here: holes that were read for nothing leave the page cache when the first who can store into the file
# has it open, and are paid for then.
python3 - "$M" <<'PY' || die "who is the first to store"
import mmap, os, sys

LENGTH = 256 << 10
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
os.chdir(sys.argv[1])


def reserved():
    with open(".ksmfs/store/reserved_pages") as f:
        return int(f.read())


with open("sparse", "wb") as f:
    f.truncate(LENGTH)
with open("sparse", "rb") as f:
    assert f.read() == bytes(LENGTH)
assert reserved() == 0, reserved()
fd = os.open("sparse", os.O_RDWR)
with mmap.mmap(fd, LENGTH) as m:
    assert m[:] == bytes(LENGTH)
    assert reserved() == LENGTH // 4096, reserved()
os.close(fd)
os.unlink("sparse")
PY
# Limits are his to change, flags are root's.
as_user "$T/ksmfs" -o remount,size=32m,nr_inodes=50 src "$M" || die "a remount"
[ "$(as_user stat -f -c '%b %c' "$M")" = "8192 50" ] || die "limits: $(as_user stat -f -c '%b %c' "$M")"
for bad in size=4k ro,size=16m; do
	! as_user "$T/ksmfs" -o "remount,$bad" src "$M" 2>"$T/err" || die "$bad: accepted"
	grep -qE 'too small|cannot remount' "$T/err" || die "$bad: $(cat "$T/err")"
	[ "$(as_user stat -f -c '%b %c' "$M")" = "8192 50" ] || die "$bad: refused, and has changed the limits"
done
# What is mounted over it stays when it goes.
mount -t tmpfs "test-$$" "$M"
touch "$M/upper"
kill -TERM "$(supervisor)"
within 10 no_processes "$M" || die "left processes: $(processes "$M")"
[ -e "$M/upper" ] || die "who unmounts it took another mount along"
umount "$M"
within 10 as_user fusermount3 -u "$M" || die "fusermount3 -u"
within 10 no_processes "$M" || die "left processes: $(processes "$M")"
[ -z "$(find "$T/run" "$T/home" -mindepth 1 -not -name ksmfs)" ] || die "left files: $(find "$T/run" "$T/home")"

# Who may open the directory of somebody's mounts could lock it, and whoever mounts would wait for him.
stranger() {
	setpriv --reuid=65533 --regid=65533 --clear-groups --inh-caps=-all "$@"
}
needs flock
stranger true || die "setpriv cannot become 65533"
! stranger flock -n "$T/run/ksmfs" true 2>"$T/err" || die "anybody can lock a user's directory"
run_directory_of_ones_own
mount_ksmfs size=8m
! as_user flock -n /run/ksmfs true 2>"$T/err" || die "anybody can lock root's directory"
