# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# tests/mount/lib.sh - what every mount test stands on; sourced, never run.
#
# A test works in $T, a directory of its own, with mounts below it.  Whatever happens to the test, at
# its end every mount has been checked and unmounted, every process of it is gone and $T is removed; a
# mount that does not pass its check, a process that stays, or a sanitizer's report fails the test.
# Exit status 77 says "skipped".

set -eu

skip() {
	echo "skipped: $*"
	exit 77
}

die() {
	echo "FAILED: $*" >&2
	exit 1
}

# The programs that a test cannot do without.
needs() {
	for program in "$@"; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

KSMFS=${KSMFS:?the ksmfs binary to test}
TESTS=${TESTS:?the directory of the mount tests}
[ "$(id -u)" = 0 ] || skip "mounting needs root"
[ -c /dev/fuse ] || skip "there is no /dev/fuse"

# In a mount namespace of its own (private.sh) a test has copies of others' mounts, which would live as long as it does.
if [ -n "${PRIVATE:-}" ]; then
	awk '/ - fuse\.ksmfs / { print $5 }' /proc/self/mountinfo | while read -r others; do
		umount -l "$others"
	done
fi

# Sanitizer builds run the same tests with SCALE=small: less of everything, the same assertions.
if [ "${SCALE:-}" = small ]; then
	PAGES=128
else
	PAGES=1024
fi
export PAGES

T=$(mktemp -d "${TMPDIR:-/tmp}/ksmfs-test.XXXXXX")
M=$T/mnt
mkdir "$M"
: >"$T/mounts"

# A daemon has no stderr to complain on: reports become files, which finish() looks for.
log=log_path=$T/sanitizer
export ASAN_OPTIONS="$log:detect_leaks=0:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="$log:print_stacktrace=1:halt_on_error=1"
export TSAN_OPTIONS="report_thread_leaks=0:$log:${TSAN_OPTIONS:-}"
export PYTHONPATH="$TESTS" PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8

# Asked of the mount table: not everybody may look at a mount itself.
is_mounted() {
	grep -qF " $1 " /proc/self/mountinfo
}

# For a test that others would disturb: whoever mounts asks all supervisors that are in the directory of them, and
# sweeps it of what dead ones have left.  Only after private.sh.
run_directory_of_ones_own() {
	: "${PRIVATE:?}"
	mkdir -p /run/ksmfs
	mount -t tmpfs -o mode=755 none /run/ksmfs
}

# Mount a fresh ksmfs with options $1 (none: a size that is enough) at $2 (none: $M).
mount_ksmfs() {
	mount_at=${2:-$M}
	mkdir -p "$mount_at"
	"$KSMFS" -o "${1:-size=512m}" "test-$$" "$mount_at" || return $?
	echo "$mount_at" >>"$T/mounts"
	is_mounted "$mount_at" || die "ksmfs returned, and $mount_at is not mounted"
}

# Where memory cgroups can be made, of v1 or v2; nothing: nowhere.
memory_groups() {
	awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ || $3 == "cgroup2" { print $2 }' /proc/mounts | while read -r at; do
		if [ -e "$at/memory.limit_in_bytes" ] || grep -qsw memory "$at/cgroup.subtree_control"; then
			echo "$at"
			break
		fi
	done
}

# A memory cgroup for the test, $group, which goes when it has ended.
make_group() {
	[ "${SCALE:-}" != small ] || skip "a sanitizer's own memory does not fit into the limit"
	group=$(memory_groups)
	[ -n "$group" ] && mkdir "$group/ksmfs-test-$$" 2>/dev/null || skip "there is no memory cgroup to make"
	group=$group/ksmfs-test-$$
	at_end() {
		within 10 rmdir "$group"
	}
}

# Run a command in it.
in_group() {
	# shellcheck disable=SC2016
	sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$@"
}

# Mount with options $1 at $M in a memory cgroup.  Write its limit after: the daemon is small then.
mount_in_group() {
	make_group
	mkdir -p "$M"
	in_group "$KSMFS" -o "$1" "test-$$" "$M" || return $?
	echo "$M" >>"$T/mounts"
}

# It has room for $1 bytes; none: for all there is.
limit_group() {
	if [ -e "$group/memory.max" ]; then
		echo "${1:-max}" >"$group/memory.max"
	else
		echo "${1:--1}" >"$group/memory.limit_in_bytes"
	fi
}

# Bytes that its processes have.
group_usage() {
	cat "$group/memory.current" 2>/dev/null || cat "$group/memory.usage_in_bytes"
}

# What others have for swap is no help to it.
group_without_swap() {
	if [ -e "$group/memory.max" ]; then
		[ ! -e "$group/memory.swap.max" ] || echo 0 >"$group/memory.swap.max" # a kernel may have no swap at all
	else
		echo 0 >"$group/memory.swappiness"
	fi
}

# How many processes of it were killed because it had no memory left.
killed_in_group() {
	cat "$group/memory.events" "$group/memory.oom_control" 2>/dev/null | awk '$1 == "oom_kill" { print $2 }'
}

# The same, with $2 of swap that goes with it. The group is first: whoever skips for want of one leaves no swap behind.
mount_in_group_with_swap() {
	needs mkswap swapon
	mount_in_group "$1"
	swap=$T/swap
	(umask 077 && fallocate -l "$2" "$swap" && mkswap -q "$swap") 2>"$T/err" || skip "no swap file: $(cat "$T/err")"
	swapon "$swap" 2>"$T/err" || {
		swap=$(losetup -f --show "$swap" 2>>"$T/err") && swapon "$swap" 2>>"$T/err" || skip "no swap: $(cat "$T/err")"
	}
	at_end() {
		ended=0
		within 10 rmdir "$group" || ended=1
		within 10 swapoff "$swap" || ended=1 # ENOMEM while the last of the group goes
		[ "$swap" = "$T/swap" ] || losetup -d "$swap" || ended=1
		return $ended
	}
	[ ! -e "$group/memory.swappiness" ] || echo 100 >"$group/memory.swappiness"
}

# Process ids of the mount at $1: a daemon's binary with the mount point on its command line.
processes() {
	for p in /proc/[0-9]*; do
		case $(readlink "$p/exe" 2>/dev/null) in
		"$KSMFS" | "$KSMFS (deleted)" | "$T"/*) ;;
		*) continue ;;
		esac
		if tr '\0' '\n' <"$p/cmdline" 2>/dev/null | grep -qF "$1"; then
			echo "${p#/proc/}"
		fi
	done
}

# Those of the mount at $2 with the role $1.
role() {
	for process in $(processes "${2:-$M}"); do
		[ "$(cat "/proc/$process/comm" 2>/dev/null)" != "$1" ] || echo "$process"
	done
}

# The one of them that starts the others.
supervisor() {
	role ksmfs-super "$@"
}

worker() {
	role ksmfs-worker "$@"
}

# Who stands in when no worker is started any more.
rests() {
	[ -n "$(role ksmfs-rest "$@")" ]
}

# A fresh ksmfs at $M as mount_ksmfs makes it, but one that writes its log to $T/log.
mount_with_log() {
	"$KSMFS" -f -o "${1:-size=512m}" "test-$$" "$M" 2>"$T/log" &
	# shellcheck disable=SC2034
	daemon=$! # for the test
	echo "$M" >>"$T/mounts"
	within 20 grep -q mounted "$T/log" || die "no mount: $(cat "$T/log")"
}

said() {
	grep -qE -- "$1" "$T/log"
}

# Does this kernel send requests again that a worker has left unanswered?  Else a mount ends with its worker.
resends() {
	python3 "$TESTS/worker.py" resends
}

needs_resends() {
	resends || skip "this kernel does not send requests again, as Linux 6.9 does"
}

# End a worker by signal $1 (none: KILL) and wait until another one is there, so many times ($2) as one does.
kill_worker() {
	needs_resends
	python3 "$TESTS/worker.py" "${1:-KILL}" "$M" "${2:-1}" || die "no worker takes over from one killed by ${1:-KILL}"
}

# So many of them, one after the other, that no other is started.
wear_out() {
	python3 "$TESTS/worker.py" wear-out "$M" || die "no worker rests"
}

# Wait until the command succeeds, at most $1 seconds.
within() {
	tries=$(($1 * 20))
	shift
	while ! "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}

no_processes() {
	[ -z "$(processes "$1")" ]
}

check() {
	answer=$(cat "${1:-$M}/.ksmfs/check") || die "the check of ${1:-$M} could not be read"
	[ "$answer" = ok ] || die "the check of ${1:-$M} says: $answer"
	# And from outside: another process finds the same truth in the mount's memory and databases.
	"${KSMFS_CHECK:?}" "${1:-$M}" >"$T/outside" 2>&1 || die "from outside: $(cat "$T/outside")"
}

unmount() {
	within 10 umount "${1:-$M}" 2>"$T/umount" || {
		cat "$T/umount"
		return 1
	}
	within 20 no_processes "${1:-$M}" || {
		echo "processes outlive the mount: $(processes "${1:-$M}")"
		return 1
	}
}

# Last resort, for a mount that would not go: abort it, let go of it, end its processes.
force_unmount() {
	minor=$(stat -c '%d' "$1" 2>/dev/null || echo none)
	echo 1 2>/dev/null >"/sys/fs/fuse/connections/$minor/abort" || true
	umount -l "$1" 2>/dev/null || true
	for pid in $(processes "$1"); do
		kill -KILL "$pid" 2>/dev/null || true
	done
}

finish() {
	status=$?
	trap - EXIT INT TERM
	set +e
	if command -v before_end >/dev/null; then # what a test has made of its mounts
		before_end || status=1
	fi
	for pid in $(cat "$T"/background 2>/dev/null); do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	while read -r at; do
		is_mounted "$at" || continue
		if [ $status = 0 ]; then
			(check "$at") || status=1
		fi
		if ! unmount "$at"; then
			status=1
			force_unmount "$at"
		fi
	done <"$T/mounts"
	for report in "$T"/sanitizer*; do
		[ -s "$report" ] || continue
		echo "a sanitizer reports:" >&2
		cat "$report" >&2
		status=1
	done
	if command -v at_end >/dev/null; then # what a test has made elsewhere
		at_end || status=1
	fi
	is_mounted "$T/tmpfs" && umount "$T/tmpfs"
	rm -rf --one-file-system "$T"
	exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

# Remember the last background job, so that it ends with the test.
ends_with_test() {
	echo $! >>"$T/background"
}

# Run the Python program on stdin in an empty tmpfs and in an empty directory of the ksmfs at $M: what it prints must be
# the same, line for line. Arguments go to the program; the tmpfs is mounted with $tmpfs_options, too.
as_tmpfs() {
	cat >"$T/twin.py"
	mkdir -p "$T/tmpfs" "$M/twin"
	mount -t tmpfs -o "size=64m${tmpfs_options:+,$tmpfs_options}" "test-$$" "$T/tmpfs"
	chmod 755 "$T/tmpfs"
	tmpfs_said=0 ksmfs_said=0
	(cd "$T/tmpfs" && exec python3 "$T/twin.py" "$@") >"$T/on_tmpfs" || tmpfs_said=$?
	umount "$T/tmpfs"
	(cd "$M/twin" && exec python3 "$T/twin.py" "$@") >"$T/on_ksmfs" || ksmfs_said=$?
	[ $tmpfs_said = 0 ] || die "the program fails on tmpfs"
	[ -s "$T/on_tmpfs" ] || die "the program says nothing"
	diff -U 2 "$T/on_tmpfs" "$T/on_ksmfs" >"$T/diff" || die "tmpfs (-) and ksmfs (+) differ: $(cat "$T/diff")"
	[ $ksmfs_said = 0 ] || die "the program fails on ksmfs"
	rm -rf "$M/twin"
}

# The value of one file in .ksmfs/ of the mount at $2.
attr() {
	cat "${2:-$M}/.ksmfs/$1"
}

set_attr() {
	echo "$2" >"${3:-$M}/.ksmfs/$1"
}

attr_is() {
	[ "$(attr "$1" "${3:-$M}")" = "$2" ]
}

# Figures reach their value a moment after the call returned: RELEASE and FORGET come later.
expect() {
	within 10 attr_is "$@" || {
		cat "${3:-$M}/.ksmfs/stats" >&2
		die "$1 is $(attr "$1" "${3:-$M}"), not $2"
	}
}

scanner_rests() {
	before=$(attr pages_scanned "$1").$(attr full_scans "$1")
	sleep 0.3
	[ "$before" = "$(attr pages_scanned "$1").$(attr full_scans "$1")" ]
}

# Let the scanner go through everything, quickly, until it has nothing left to do.
settle() {
	set_attr pages_to_scan 100000 "${1:-$M}"
	set_attr sleep_millisecs 5 "${1:-$M}"
	within 60 scanner_rests "${1:-$M}" || die "the scanner does not come to rest"
}

# Run a command where /dev/shm is the directory $1, for it and its children alone.
with_shm() {
	# shellcheck disable=SC2016
	unshare -m --propagation private sh -c 'mount --bind "$1" /dev/shm && shift && exec "$@"' sh "$@"
}

# Everything that counts pages is back where an empty mount starts.
expect_empty() {
	for name in pages_shared pages_sharing pages_unshared ksm_zero_pages pages_volatile \
		pages_untracked store/data_pages store/reserved_pages; do
		expect $name 0 "${1:-$M}"
	done
}

# 512-byte blocks that the frames of the mount at $1 hold.
frame_blocks() {
	for pid in $(processes "${1:-$M}"); do
		for fd in /proc/"$pid"/fd/*; do
			case $(readlink "$fd" 2>/dev/null) in
			/memfd:ksmfs-frames*) stat -L -c '%i %b' "$fd" 2>/dev/null ;;
			esac
		done
	done | sort -u | awk '{ n += $2 } END { print n + 0 }'
}

# The command must fail, saying something that matches $1, and nothing must be mounted at $M.
refused() {
	pattern=$1
	shift
	if "$@" >"$T/out" 2>"$T/err"; then
		echo "$M" >>"$T/mounts"
		die "accepted: $*"
	fi
	[ "$(wc -l <"$T/err")" = 1 ] || die "$*: not one line: $(cat "$T/err")"
	grep -qE -- "$pattern" "$T/err" || die "$*: the line is about something else: $(cat "$T/err")"
	if is_mounted "$M"; then
		die "$*: failed, and left something mounted"
	fi
	no_processes "$M" || within 5 no_processes "$M" || die "$*: failed, and left processes"
}
