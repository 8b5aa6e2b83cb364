#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Options mean what they mean to tmpfs.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

size_is() {
	mount_ksmfs "$1"
	[ "$(stat -f -c %b "$M")" = "$2" ] || die "$1 gives $(stat -f -c %b "$M") blocks, not $2"
	unmount || die "umount"
}
size_is size=1048576 256
size_is size=1000000 245
size_is size=512k 128
size_is size=3M 768
size_is size=1g 262144
size_is nr_blocks=100 100
size_is nr_blocks=1k 1024

# Percentages are of the memory there is, as tmpfs counts it.
mkdir "$T/tmpfs"
for percent in 50% 10%; do
	mount -t tmpfs -o size=$percent none "$T/tmpfs"
	want=$(stat -f -c %b "$T/tmpfs")
	umount "$T/tmpfs"
	size_is size=$percent "$want"
done
mount -t tmpfs none "$T/tmpfs"
want=$(stat -f -c %b "$T/tmpfs")
umount "$T/tmpfs"
size_is mode=700 "$want"

mount_ksmfs size=1m
[ "$(stat -c %a:%u:%g "$M")" = 1777:0:0 ] || die "defaults: $(stat -c %a:%u:%g "$M")"
unmount || die "umount"
mount_ksmfs size=1m,mode=0750,uid=12,gid=34,nr_inodes=77,noexec,ro
[ "$(stat -c %a:%u:%g "$M")" = 750:12:34 ] || die "mode, uid, gid: $(stat -c %a:%u:%g "$M")"
[ "$(stat -f -c %c "$M")" = 77 ] || die "nr_inodes"
case ,$(findmnt -n -o OPTIONS "$M"), in
,ro,*noexec,*) ;;
*) die "VFS options: $(findmnt -n -o OPTIONS "$M")" ;;
esac
! touch "$M/x" 2>/dev/null || die "a read-only mount was written"
unmount || die "umount"

# The backing device: what is asked for is there.
mount_ksmfs size=1m,read_ahead_kb=64,max_ratio=7
bdi=/sys/class/bdi/$(mountpoint -d "$M")
if [ -w "$bdi/read_ahead_kb" ]; then
	[ "$(cat "$bdi/read_ahead_kb")" = 64 ] || die "read_ahead_kb is $(cat "$bdi/read_ahead_kb")"
	[ "$(cat "$bdi/max_ratio")" = 7 ] || die "max_ratio is $(cat "$bdi/max_ratio")"
fi
