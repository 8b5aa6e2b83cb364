#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# stress-ng's stressors of files, directories and shared memory find nothing wrong with the mount that they do not find wrong
# with tmpfs. Those of one line run at once.
# shellcheck source-path=SCRIPTDIR source=../mount/lib.sh
. "${TESTS:?}/lib.sh"

needs stress-ng
[ "${SCALE:-}" != small ] || skip "takes too long with a sanitizer"
mount_ksmfs size=1g
mkdir "$T/tmpfs"
at_end() {
	! is_mounted "$T/tmpfs" || umount "$T/tmpfs"
}
mount -t tmpfs -o size=1g tmpfs "$T/tmpfs"

# Those that would fill the whole mount take less.
small='--copy-file-bytes 128m --fallocate-bytes 32m --hdd-bytes 16m --iomix-bytes 16m --readahead-bytes 16m --seek-size 16m
	--sync-file-bytes 16m --revio-bytes 16m --mmap-bytes 16m --mmap-file --msync-bytes 16m --shm-bytes 16m --fault-ops 20000'

# stress DIRECTORY SECONDS STRESSOR...: false if one of them complains or passes the file system over. Who is killed because
# the machine has no time for him leaves his files.
stress() {
	where=$1 seconds=$2
	shift 2
	# shellcheck disable=SC2046,SC2086
	with_shm "$where" timeout -s KILL 60 stress-ng $small $(printf -- ' --%s 2' "$@") --timeout "$seconds" --verify \
		--temp-path "$where" >"$T/out" 2>&1 && ! grep -qE 'fail:|skipp|aborted early' "$T/out" && return
	rm -rf "$where"/stress-ng-*
	return 1
}

lines='
access chattr chmod chown utime touch fstat
chdir dir dirdeep dirmany getdent dentry filename
link symlink rename mknod open dup handle
copy-file sendfile splice hdd io seek iomix
fallocate fpunch fsize sync-file readahead revio xattr
aio aiol fcntl flock locka lockf lockofd lease
fanotify inotify file-ioctl inode-flags fault
mmap msync madvise shm
dev-shm'
stress "$T/tmpfs" 1 open || die "stress-ng does not run: $(cat "$T/out")"
status=0
while read -r line; do
	# shellcheck disable=SC2086
	[ -z "$line" ] || stress "$M" 2 $line || for stressor in $line; do
		stress "$M" 1 "$stressor" && continue
		cp "$T/out" "$T/complaint"
		if stress "$T/tmpfs" 1 "$stressor"; then
			echo "FAILED: $stressor, which is content with tmpfs, says:"
			grep -vE 'dispatching|setting to' "$T/complaint"
			status=1
		else
			echo "$stressor is not content with tmpfs either"
		fi
	done
done <<LINES
$lines
LINES
[ $status = 0 ] || die "stress-ng finds differences from tmpfs"
[ -z "$(ls "$M")" ] || die "left behind: $(ls "$M")"
expect_empty
