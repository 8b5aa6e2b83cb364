#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# mount -o remount changes size, number of inodes and flags of a mount, and refuses by name what it cannot change.
# shellcheck source-path=SCRIPTDIR
# In a mount namespace of its own ours can stand where mount.fuse3 looks for the program of a type.
. "${TESTS:?}/private.sh"
. "${TESTS:?}/lib.sh"

[ -x /sbin/mount.fuse ] || [ -x /sbin/mount.fuse3 ] || skip "mount.fuse3 is not installed"
mount --bind "$(dirname "$KSMFS")" /usr/local/bin

blocks() {
	stat -f -c %b "$M"
}
flags() {
	findmnt -n -o OPTIONS "$M" | sed 's/,user_id=.*//'
}
# $1: what the line must be about; then the command, which must change nothing.
not_remounted() {
	before="$(flags) $(stat -f -c '%b %c' "$M")"
	pattern=$1
	shift
	! "$@" 2>"$T/err" || die "accepted: $*"
	grep -qE -- "$pattern" "$T/err" || die "$*: the line is about something else: $(cat "$T/err")"
	[ "$before" = "$(flags) $(stat -f -c '%b %c' "$M")" ] || die "$*: refused, and has changed something"
}

mkdir "$T/db"
mount_ksmfs "size=8m,nr_inodes=100,nosuid,index=$T/db"
dd if=/dev/urandom of="$M/file" bs=1M count=4 2>/dev/null

mount -o remount,size=16m "$M"
[ "$(blocks) $(flags)" = "4096 rw,nosuid,relatime" ] || die "by mount point: $(blocks) $(flags)"
mount -t fuse.ksmfs -o remount,size=6m,nr_inodes=1k,nodev src "$M"
[ "$(stat -f -c '%b %c' "$M") $(flags)" = "1536 1024 rw,nodev,relatime" ] || die "with its type: $(blocks) $(flags)"
mount -o remount,size=200% "$M"
ram=$(awk '/MemTotal/ { print int($2 / 4) }' /proc/meminfo)
[ "$(blocks)" = $((2 * ram)) ] || die "percent: $(blocks)"
mount -o remount,nr_blocks=2048 "$M"
[ "$(blocks)" = 2048 ] || die "pages: $(blocks)"
[ "$(attr size)" = 8388608 ] || die "the control file says $(attr size)"

# Read-only and back; limits change on the way, but not while it is.
mount -o remount,ro,size=9m "$M"
[ "$(blocks) $(flags)" = "2304 ro,nodev,relatime" ] || die "read-only: $(blocks) $(flags)"
! touch "$M/new" 2>/dev/null || die "a file was made on a read-only mount"
cmp -n 4096 "$M/file" "$M/file" || die "reading"
not_remounted 'size.*read-only' mount -o remount,size=10m "$M"
mount -o remount,ro,size=9m "$M" # what it is, it may be said to be
mount -o remount,rw,size=10m,noexec,sync "$M"
[ "$(blocks) $(flags)" = "2560 rw,nodev,noexec,relatime,sync" ] || [ "$(blocks) $(flags)" = "2560 rw,nodev,noexec,relatime" ] ||
	die "writable: $(blocks) $(flags)"
touch "$M/new" || die "writable again"
mount -o remount,nosuid,nodev,async,exec "$M"
"$KSMFS" -o remount,size=11m ksmfs "$M"
[ "$(blocks) $(flags)" = "2816 rw,nosuid,nodev,relatime" ] || die "without mount(8): $(blocks) $(flags)"
mount -o remount,suid,dev "$M"
[ "$(flags)" = rw,relatime ] || die "flags: $(flags)"
exec 9>>"$M/new"
not_remounted 'busy' mount -o remount,ro,size=12m "$M"
exec 9>&-

# All or nothing, and by name.
not_remounted 'size.*too small.*, which df tells' mount -o remount,size=4092k "$M"
not_remounted 'nr_inodes.*too small' mount -o remount,size=20m,nr_inodes=2 "$M"
mount -o remount,ro "$M"
not_remounted 'size.*too small' mount -o remount,rw,size=1m "$M"
mount -o remount,rw "$M"
for bad in noatime nodiratime strictatime strictatime,nodiratime; do
	not_remounted "$bad|strictatime" mount -o "remount,size=20m,$bad" "$M"
done
mount -o remount,relatime "$M"
for bad in size=x size= size=1zz nr_inodes=50% huge=always mpol=bind:0 frobnicate control=none control=visible \
	"index=$T" user_id=x,subtype=; do
	not_remounted "$(echo "$bad" | sed 's/.*,//; s/=.*//')" mount -o "remount,size=20m,$bad" "$M"
done
mount -o "remount,index=$T/db,control=hidden,mode=700,uid=7,merge=optin,merge_on_write=0" "$M"
[ "$(stat -c '%a %u' "$M")" = '1777 0' ] || die "mode and owner are what a mount starts with"

# A line in fstab, and more on the command line: what it says holds, as far as it can be changed.
echo "test-$$ $M fuse.ksmfs size=7m,mode=700,noexec,nosuid,index=$T/db 0 0" >"$T/fstab"
mount --fstab "$T/fstab" -o remount,nr_inodes=50 "$M" 
[ "$(stat -f -c '%b %c' "$M")" = "1792 50" ] || die "by fstab: $(stat -f -c '%b %c' "$M")"
unmount || die "umount"

# Nothing there, and nothing to reach it by.
not_there() {
	! mount -t fuse.ksmfs -o remount,size=1m src "$1" 2>"$T/err" || die "remounted $1"
	[ "$(wc -l <"$T/err")" = 1 ] || grep -q ksmfs: "$T/err" || die "$1: $(cat "$T/err")"
}
not_there "$M"
not_there "$T/absent"
no_processes "$M" || die "a remount has left processes"

# A directory of the mount has no controls: what looks like them leads nowhere.
mount_ksmfs size=8m
mkdir -p "$M/web/.ksmfs" "$T/web"
echo 111 >"$T/victim"
ln -s "$T/victim" "$M/web/.ksmfs/size"
mount --bind "$M/web" "$T/web"
at_end() {
	! is_mounted "$T/web" || umount "$T/web"
}
! "$KSMFS" -o remount,size=9m ksmfs "$T/web" 2>"$T/err" || die "remounted what is no root"
rm "$M/web/.ksmfs/size"
echo 111 >"$M/web/.ksmfs/size"
! "$KSMFS" -o remount,size=9m ksmfs "$T/web" 2>"$T/err" || die "remounted what is no root, by a file of somebody's"
[ "$(cat "$M/web/.ksmfs/size")" = 111 ] || die "a remount wrote to a file of somebody's"
grep -q 'not the root' "$T/err" || die "why: $(cat "$T/err")"
[ "$(cat "$T/victim")" = 111 ] || die "a remount wrote to a file that a link led to"
umount "$T/web"
unmount || die "umount"
mount_ksmfs size=8m,control=none
not_remounted 'size.*control=none' mount -o remount,size=9m "$M"
mount -o remount,ro "$M"
mount -o remount,rw,control=none "$M"
unmount || die "umount"
