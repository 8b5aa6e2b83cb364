#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What lets the daemon go on when memory is short: its processes are killed last, each of their threads is an I/O
# flusher, and all that they map but the frames stays in memory; or the log says what was not allowed.  That is so of
# the next worker, and of another program, too.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs capsh

has() {
	capsh --has-p="$1" 2>/dev/null
}

# Threads of process $1 that are no I/O flushers: PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE in the kernel's flags.
not_flushers() {
	for task in /proc/"$1"/task/*; do
		flags=$(sed 's/.*) //' "$task/stat" | cut -d ' ' -f 7)
		[ $((flags & 0x180000)) = $((0x180000)) ] || cat "$task/comm"
	done
}

# Mappings of process $1 that are locked (or, with $2, are not), by their files.
mappings() {
	awk -v wanted="${2:-lo}" '
		$1 ~ /^[0-9a-f]+-[0-9a-f]+$/ { name = $6 }
		$1 == "VmFlags:" && (wanted == "lo") == (/ lo( |$)/ > 0) { print name == "" ? "anonymous" : name }' \
		"/proc/$1/smaps" | grep -vE '^\[(vvar|vdso|vsyscall|vvar_vclock)\]$' | sort -u
}

expected_score=$(cat /proc/self/oom_score_adj)
! has cap_sys_resource || expected_score=-1000

holds() {
	for pid in $(processes "$M"); do
		name=$(cat "/proc/$pid/comm")
		[ "$(cat "/proc/$pid/oom_score_adj")" -le "$expected_score" ] || die "$1: $name would be killed before others"
		! has cap_sys_resource || [ -z "$(not_flushers "$pid")" ] || die "$1: no I/O flushers: $(not_flushers "$pid")"
		[ "$name" != ksmfs-notify ] || continue # nobody waits for it
		grep -q __asan_init "$KSMFS" || grep -q __tsan_init "$KSMFS" || { # they let nobody lock memory
			! mappings "$pid" | grep -q ksmfs-frames || die "$1: $name locks frames"
			swappable=$(mappings "$pid" none | grep -v '^/memfd:ksmfs-frames' | tr '\n' ' ')
			[ -z "$swappable" ] || die "$1: $name can lose $swappable"
		}
	done
}

# Whoever starts it is to be killed early.
(echo 300 >/proc/self/oom_score_adj && exec "$KSMFS" -f -o size=64m "test-$$" "$M" 2>"$T/log") &
echo "$M" >>"$T/mounts"
within 20 grep -q mounted "$T/log" || die "no mount: $(cat "$T/log")"
has cap_sys_resource || said 'oom_score_adj is -?[0-9]+, not -1000' || die "why it is not -1000 is not told"
has cap_sys_resource || said 'not marked as an I/O flusher' || die "that there is no I/O flusher is not told"
! said 'can be swapped' || die "memory is not locked"
echo content >"$M/file"
holds "at first"
if resends; then
	kill_worker
	holds "after a takeover"
	"$KSMFS" --upgrade "$M" >/dev/null || die "no upgrade"
	holds "after an upgrade"
fi
[ "$(cat "$M/file")" = content ] || die "the file has changed"
unmount

# With less: nothing fails, and it is told.
capsh --drop=cap_ipc_lock -- -c "ulimit -l 64; exec $KSMFS -f -o size=64m test-$$ $M" 2>"$T/log" &
within 20 grep -q mounted "$T/log" || die "no mount: $(cat "$T/log")"
said 'can be swapped' || die "what can be swapped is not told"
echo content >"$M/file"
! resends || kill_worker
[ "$(cat "$M/file")" = content ] || die "the file has changed"
