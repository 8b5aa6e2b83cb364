#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# mount(8) with -t fuse.ksmfs, and the same line in fstab.
# shellcheck source-path=SCRIPTDIR
# In a mount namespace of its own ours can stand where mount.fuse3 looks for the program of a type.
. "${TESTS:?}/private.sh"
. "${TESTS:?}/lib.sh"

[ -x /sbin/mount.fuse ] || [ -x /sbin/mount.fuse3 ] || skip "mount.fuse3 is not installed"
mount --bind "$(dirname "$KSMFS")" /usr/local/bin

mount -t fuse.ksmfs test "$M" -o size=8m,mode=1777
echo "$M" >>"$T/mounts"
[ "$(stat -c %a "$M")" = 1777 ] || die "mode"
[ "$(stat -f -c %b "$M")" = 2048 ] || die "size"
[ "$(findmnt -n -o FSTYPE,SOURCE "$M" | tr -s ' ')" = "fuse.ksmfs test" ] || die "type and source"
options=$(findmnt -n -o OPTIONS "$M")
for want in default_permissions allow_other; do
	case ,$options, in
	*,$want,*) ;;
	*) die "$want is not among $options" ;;
	esac
done
case ,$options, in
*,nosuid,* | *,nodev,*) die "root's mount has $options, unlike tmpfs" ;;
esac
unmount || die "umount"

echo "test $M fuse.ksmfs size=16m,mode=700,noexec,nosuid 0 0" >"$T/fstab"
mount --fstab "$T/fstab" "$M"
[ "$(stat -f -c %b "$M")" = 4096 ] || die "size by fstab"
case ,$(findmnt -n -o OPTIONS "$M"), in
*,nosuid,*noexec,*) ;;
*) die "VFS options by fstab: $(findmnt -n -o OPTIONS "$M")" ;;
esac

# A failure is a status and a line, not a mount.
unmount || die "umount"
! mount -t fuse.ksmfs test "$M" -o size=8m,frobnicate 2>"$T/err" || die "frobnicate was accepted"
grep -q frobnicate "$T/err" || die "not by name: $(cat "$T/err")"
