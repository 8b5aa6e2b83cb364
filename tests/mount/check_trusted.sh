#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# ksmfs-check looks at the mount, whoever else says that he is its daemon; and lets it go on, whatever becomes of who looks.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

needs mkfifo python3
# Anybody can give a program that becomes root a name and a title.
chmod 755 "$T"
cp "$(command -v sleep)" "$T/ksmfs-super"
chmod 4755 "$T/ksmfs-super"
python3 -c '
import os, sys
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
os.execv(sys.argv[1], ["ksmfs-super " + sys.argv[2], "60"])' "$T/ksmfs-super" "$M" &
ends_with_test
within 10 grep -q ksmfs-super "/proc/$!/comm" || die "nobody says that he is a supervisor"
mkdir "$T/db"
mount_ksmfs "size=64m,index=$T/db" # has a later number
echo content >"$M/f"
looks() {
	status=0
	timeout -s KILL 20 "${KSMFS_CHECK:?}" "$M" >"${2:-$T/said}" 2>"$T/err" || status=$?
	[ $status = "$1" ] || die "exit status $status: $(cat "$T/err" "$T/said")"
}
looks 0
"$KSMFS_CHECK" "$T/db" >"$T/said" || die "by its directory: $(cat "$T/said")"

kill $!
within 10 test ! -e "/proc/$!/exe" || die "it still says so"

# ^Z while the mount stands still is heard when it goes on.
cat >"$T/stop.py" <<'PY'
import os, signal, subprocess, sys, time

check, mount, worker = sys.argv[1:]


def state(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


hits = 0
for tries in range(50):
    looks = subprocess.Popen([check, mount], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while looks.poll() is None and state(worker) != "T":
        pass
    if looks.poll() is None:
        looks.send_signal(signal.SIGTSTP)
        hits += state(worker) == "T"
        until = time.time() + 10
        while state(worker) == "T" and time.time() < until:
            time.sleep(0.001)
        moves = state(worker) != "T"
        looks.send_signal(signal.SIGCONT)
        assert moves, "the mount stands still as long as who looks at it is stopped"
    said = looks.communicate()[0]
    assert looks.returncode == 0, said
    if hits == 3:
        break
assert hits, "never stopped while the mount stood still"
PY
python3 "$T/stop.py" "$KSMFS_CHECK" "$M" "$(worker)" || die "stopped"

# What is no file of names is not waited for.
mv "$T/db/names.db" "$T"
mkfifo "$T/db/names.db"
looks 2
mv "$T/names.db" "$T/db"
looks 0
