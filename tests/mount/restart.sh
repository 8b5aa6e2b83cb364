#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A worker that dies is replaced, of whatever it dies; who works on the mount meanwhile waits, and sees no error.  The
# supervisor hears that it is to stop in each moment, and stops in time though there are pages to be written back.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs_resends

mount_with_log
super=$(supervisor)
cat >"$T/work.py" <<'END'
import mmap, os, sys
mount, stop = sys.argv[1:]
fd = os.open(mount + "/mapped", os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 4 << 20)
mapping = mmap.mmap(fd, 4 << 20)
rounds = 0
while not os.path.exists(stop):
    rounds += 1
    number = rounds.to_bytes(8, "little")
    for at in range(0, 4 << 20, 64 << 10):
        mapping[at:at + 8] = number
    mapping.flush()
    path = "%s/file%d" % (mount, rounds % 50)
    with open(path, "wb") as f:
        f.write(number * 2000)
    direct = os.open(path, os.O_RDONLY)
    os.posix_fadvise(direct, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.read(direct, 16000) == number * 2000, "what was written is not what is read"
    os.close(direct)
    os.rename(path, path + ".new")
    os.unlink(path + ".new")
print(rounds)
END
python3 "$T/work.py" "$M" "$T/stop" >"$T/rounds" 2>"$T/errors" &
python=$!
# Of the others a sanitizer makes a report.
[ "${SCALE:-}" = small ] && crashes='SYS TRAP' || crashes='SEGV BUS FPE'
for signal in KILL ABRT KILL $crashes KILL KILL KILL KILL; do
	kill -USR1 "$super" # the row of deaths ends here
	kill_worker $signal
	sleep 0.1
done
touch "$T/stop"
wait $python || die "who works on the mount: $(cat "$T/errors")"
[ "$(cat "$T/rounds")" -gt 10 ] || die "only $(cat "$T/rounds") rounds"
said 'killed by signal 9: another one takes over' || die "nothing in the log: $(cat "$T/log")"
check

# A worker that stands still while the supervisor is to stop, with pages to be written back.
dirty() {
	python3 -c 'import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 8 << 20)
mapping = mmap.mmap(fd, 8 << 20)
for at in range(0, 8 << 20, 4096):
    mapping[at] = 1
' "$M/dirty"
}
dirty
kill -STOP "$(worker)"
kill -TERM "$super"
within 10 no_processes "$M" || die "SIGTERM with a stopped worker left $(processes "$M")"
wait "$daemon" || die "exit status $? after SIGTERM"
! is_mounted "$M" || die "SIGTERM left it mounted"

# One that dies while it does.
mount_with_log
super=$(supervisor)
dirty
worker=$(worker)
kill -STOP "$worker"
kill -TERM "$super"
sleep 0.2
kill -KILL "$worker"
within 10 no_processes "$M" || die "SIGTERM, and a worker that died, left $(processes "$M")"

# And one that has just begun.
mount_with_log
dirty
kill -KILL "$(worker)"
kill -TERM "$(supervisor)"
within 10 no_processes "$M" || die "SIGTERM during a takeover left $(processes "$M")"
! is_mounted "$M" || die "SIGTERM during a takeover left it mounted"
