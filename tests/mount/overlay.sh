#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An overlayfs whose upper layer is on ksmfs does what one on tmpfs does: copies up, whiteouts, opaque directories.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

grep -qw overlay /proc/filesystems || skip "there is no overlayfs"
mount_ksmfs size=64m
setfattr -n trusted.test -v 1 "$M" 2>/dev/null || skip "no extended attributes for opaque directories"
setfattr -x trusted.test "$M"
at_end() {
	for at in "$T"/over.*; do
		is_mounted "$at" && umount "$at"
	done
	umount "$T/plain"
	return 0
}
mkdir "$T/plain"
mount -t tmpfs -o size=64m "test-$$" "$T/plain"

# Say what is found below an overlay on $1 (userxattr or nothing more in $2) after its lower layer was changed through it.
layers() {
	mkdir -p "$T/lower$3/dir/sub" "$1/up$3" "$1/work$3" "$T/over.$3"
	for name in gone stays changed moved dir/a dir/sub/b; do
		echo "$name" >"$T/lower$3/$name"
	done
	mount -t overlay -o "lowerdir=$T/lower$3,upperdir=$1/up$3,workdir=$1/work$3$2" "test-$$" "$T/over.$3" || return 1
	(
		cd "$T/over.$3"
		rm gone
		echo more >>changed
		mv moved elsewhere
		rm -r dir
		mkdir dir
		echo new >dir/new
		ln -s nowhere link
		mkfifo fifo
		chmod 4755 stays
		mv elsewhere dir/back
		echo "$name" >gone
		rm gone
		find . -printf '%P %y %m %n %l\n' | sort
		for f in changed dir/back dir/new; do cat $f; done
	)
	echo "-- upper"
	(cd "$1/up$3" && find . -printf '%P %y %m %n %l\n' | sort)
	umount "$T/over.$3"
	mount -t overlay -o "lowerdir=$T/lower$3,upperdir=$1/up$3,workdir=$1/work$3$2" "test-$$" "$T/over.$3"
	echo "-- mounted again"
	(cd "$T/over.$3" && find . -printf '%P %y %m %n %l\n' | sort)
	umount "$T/over.$3"
}

n=0
for option in '' ,userxattr; do
	for at in "$T/plain" "$M"; do
		n=$((n + 1))
		layers "$at" "$option" $n >"$T/said.$n" || die "no overlay on $at$option: $(dmesg 2>/dev/null | tail -3)"
	done
	like=$((n - 1))
	if [ -n "$option" ] && ! setfattr -n user.test -v 1 "$T/plain" 2>/dev/null; then
		like=2 # before Linux 6.6 tmpfs cannot be one, and ours is as good as by the other option
	fi
	diff -U 2 "$T/said.$like" "$T/said.$n" || die "an overlay on tmpfs (-) and on ksmfs (+) differ$option"
done
