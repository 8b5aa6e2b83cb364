#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Files are trimmed all the time: nothing that others store meanwhile is lost, also while notifier and worker are killed;
# and an umount never finds the mount busy for it.  A soak by TRIM_SECONDS=N and TRIM_ROUNDS=N.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

if [ "${SCALE:-}" = small ]; then
	ROUNDS=2 SECONDS_=${TRIM_SECONDS:-1}
else
	ROUNDS=${TRIM_ROUNDS:-20} SECONDS_=${TRIM_SECONDS:-4}
fi
mount_ksmfs size=256m
[ -e "$M/.ksmfs/debug/memory_is_short" ] || skip "not built with hooks"

# Until $T/stop is there: memory is short, all the time.
press() {
	while [ ! -e "$T/stop" ]; do
		echo 1 2>/dev/null >"$M/.ksmfs/debug/memory_is_short" || true
		sleep 0.002
	done
}

cat >"$T/stores.py" <<'PY'
"""Open, map, store, close, and look again: many processes, each with files of its own, whose bytes it knows."""
import mmap, os, random, sys, time
PAGE, PAGES = 4096, 16

def check(path, known):
    with open(path, "rb", buffering=0) as f:
        data = f.read()
    for i, value in enumerate(known):
        got = int.from_bytes(data[i * PAGE:i * PAGE + 8], "little")
        assert got == value, f"{path}: page {i} is {got}, not {value}"

def one(mount, number, until):
    rng, rounds, path = random.Random(number), 0, f"{mount}/stores-{number}"
    while time.monotonic() < until or rounds < 12:
        if rounds % 3 == 0:  # a new one: what has come back often is left alone for long
            if rounds:
                os.unlink(path)
            known = [0] * PAGES
            with open(path, "xb") as f:
                f.truncate(PAGES * PAGE)
        rounds += 1
        fd = os.open(path, os.O_RDWR)
        with mmap.mmap(fd, PAGES * PAGE) as m:
            os.close(fd)
            for _ in range(rng.randrange(1, 8)):
                i = rng.randrange(PAGES)
                same = int.from_bytes(m[i * PAGE:i * PAGE + 8], "little")
                assert same == known[i], f"{path}: page {i} of the mapping is {same}, not {known[i]}"
                known[i] = rng.randrange(1 << 63)
                m[i * PAGE:i * PAGE + 8] = known[i].to_bytes(8, "little")
                if rng.random() < 0.2:
                    time.sleep(rng.random() * 0.01)
        if rng.random() < 0.3:
            i = rng.randrange(PAGES)
            known[i] = rng.randrange(1 << 63)
            with open(path, "r+b", buffering=0) as f:
                f.seek(i * PAGE)
                f.write(known[i].to_bytes(8, "little"))
        if rng.random() < 0.2:
            time.sleep(0.02)  # closed: its pages go
        check(path, known)
    os.unlink(path)

until = time.monotonic() + float(sys.argv[2])
children = []
for n in range(4):
    pid = os.fork()
    if pid == 0:
        one(sys.argv[1], n, until)
        os._exit(0)
    children.append(pid)
assert all(os.waitpid(pid, 0)[1] == 0 for pid in children), "what was stored is not there"
PY

stores() {
	rm -f "$T/stop"
	press &
	ends_with_test
	python3 "$T/stores.py" "$M" "$SECONDS_" || die "$1"
}

for mode in closed cold; do
	set_attr trim_mode $mode
	before=$(attr trim/ranges)
	stores "stores while files are trimmed, $mode"
	touch "$T/stop"
	[ "$(attr trim/ranges)" -gt $((before + 9)) ] || die "nothing was trimmed meanwhile, $mode"
done

# Into pages that another read is on its way to: O_DIRECT, from a file that answers slowly.
mount_ksmfs size=64m "$T/slow"
head -c 64k /dev/urandom >"$T/slow/source"
rm -f "$T/stop"
press &
ends_with_test
python3 - "$M" "$T/slow" <<'PY'
import mmap, os, sys
target, slow = sys.argv[1], sys.argv[2]
want = open(f"{slow}/source", "rb").read()
source = os.open(f"{slow}/source", os.O_RDONLY | os.O_DIRECT)
for flags in os.O_RDWR, os.O_RDWR | os.O_DIRECT:
    fd = os.open(f"{target}/pinned", flags | os.O_CREAT | os.O_TRUNC)
    os.ftruncate(fd, len(want))
    with mmap.mmap(fd, len(want)) as m:
        other = os.open(f"{target}/pinned", os.O_RDONLY)
        m[:] = b"old " * (len(want) // 4)
        m.flush()  # clean: it could go
        with open(f"{slow}/.ksmfs/debug/pause_read_reply", "w") as f:
            f.write("400")
        assert os.preadv(source, [m], 0) == len(want)
        assert m[:] == want, "what was read into the mapping is not there"
        assert os.pread(other, len(want), 0) == want, "nor in the file"
        os.close(other)
    os.close(fd)
    assert open(f"{target}/pinned", "rb").read() == want, "nor when it is closed"
PY
touch "$T/stop"
unmount "$T/slow"

# Who trims is killed, and who serves.
kills() {
	while [ ! -e "$T/stop" ]; do
		for pid in $(role ksmfs-notify); do
			kill -KILL "$pid" 2>/dev/null || true
		done
		sleep 1.1
		[ -e "$T/stop" ] || ! resends || kill_worker
	done
}
set_attr trim_mode closed
rm -f "$T/stop"
kills &
kills=$!
stores "stores while notifier and worker are killed"
touch "$T/stop"
wait $kills || die "no other worker"
check

# The mount goes at once, whatever is being trimmed; and with it all processes.
unmount
for round in $(seq "$ROUNDS"); do
	mount_ksmfs size=64m
	set_attr trim_age 1
	for i in 1 2 3 4 5 6 7 8; do
		echo "$round" >"$M/$i"
	done
	echo 1 >"$M/.ksmfs/debug/memory_is_short"
	umount "$M" || die "round $round: it is busy"
	within 20 no_processes "$M" || die "round $round: processes outlive the mount: $(processes "$M")"
done
