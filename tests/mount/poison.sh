#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A request that crashes each worker is answered EIO when it has crashed three, and that is said; others are served, and
# so are those of workers that somebody killed.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs_resends

mount_with_log
[ -d "$M/.ksmfs/debug" ] || skip "built without the option hooks"
super=$(supervisor)
echo content >"$M/f"
echo other >"$M/other"
head -c 8M /dev/urandom >"$M/source"

arm() {
	kill -USR1 "$super"
	takeovers=$(attr takeovers)
	set_attr "debug/$1" "$2"
}

# Three workers, and no more.
took_three() {
	[ $(($(attr takeovers) - takeovers)) = 3 ] || die "$1: $(($(attr takeovers) - takeovers)) workers died"
}

arm crash_ino "$(stat -c %i "$M/f")"
(echo more >>"$M/f") 2>"$T/err" && die "what crashes was written"
grep -q 'I/O error' "$T/err" || die "not EIO: $(cat "$T/err")"
took_three 'a write'
said 'write of inode .* has crashed 3 workers' || die "not said: $(cat "$T/log")"
[ "$(cat "$M/f")" = content ] || die "content after poison: $(cat "$M/f")"
echo more >>"$M/other" || die "another file cannot be written to"

# Written back from a mapping.
arm crash_ino "$(stat -c %i "$M/f")"
python3 - "$M/f" <<'END'
import errno, mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
mapping = mmap.mmap(fd, 0)
mapping[0:1] = b"C"
try:
    mapping.flush()
    sys.exit("msync says nothing")
except OSError as e:
    if e.errno != errno.EIO:
        raise
END
took_three 'a writeback'
set_attr debug/crash_ino 0
echo more >>"$M/f" || die "the file cannot be written to any more"

# In the thread of a request that takes long.
arm crash_aside 1
python3 - "$M" <<'END'
import errno, os, sys
source, to = os.open(sys.argv[1] + "/source", os.O_RDONLY), os.open(sys.argv[1] + "/copy", os.O_RDWR | os.O_CREAT)
try:
    os.copy_file_range(source, to, 8 << 20)
    sys.exit("what crashes was copied")
except OSError as e:
    if e.errno != errno.EIO:
        raise
END
took_three 'a copy'
said 'copy_file_range of inode' || die "the copy is not said: $(cat "$T/log")"
set_attr debug/crash_aside 0

# Signals that somebody sends.
(while [ ! -e "$T/stop" ]; do cp "$M/source" "$M/copy" || exit 1; done) &
writer=$!
[ "${SCALE:-}" = small ] && crashes='SYS TRAP SYS TRAP' || crashes='SEGV SEGV SEGV BUS'
for signal in ABRT $crashes KILL KILL ABRT; do
	kill -USR1 "$super"
	kill_worker $signal
	sleep 0.1
done
touch "$T/stop"
wait $writer || die "a request failed whose workers somebody killed"
cmp "$M/source" "$M/copy"
