#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Who has begun to read a control file when the worker dies reads on in the text of that moment; read from its start
# again it says what is true now.  Settings stay, what only grows goes on growing, and the check is clean.
. "$TESTS/lib.sh"
needs_resends
needs python3

mount_ksmfs
set_attr advisor_max_cpu 33
set_attr smart_scan 0
cp "$KSMFS" "$M/a"
cp "$KSMFS" "$M/b"
settle
set_attr run 0
set_attr pages_to_scan 1234
awk -F'[(, "]+' '/^ATTR_COUNTER/ { print $3 }' "$SRC/core/attrs.def" >"$T/counters"
python3 - "$M" "$T/counters" <<'PYTHON'
import os
import sys

from worker import kill_worker

mount = sys.argv[1]
control = mount + "/.ksmfs/"


def change():
    with open(mount + "/changes", "ab") as f:
        f.write(os.urandom(4096 * 3))


def figures():
    with open(control + "stats") as f:
        return {name: int(value) for name, value in map(str.split, f) if not value.isalpha()}


names = ["stats", "metrics", "store/pages_written"]
fds = {name: os.open(control + name, os.O_RDONLY) for name in names}
first = {name: os.pread(fds[name], 3, 0) for name in names}
rest = {name: os.pread(fds[name], 1 << 20, 3) for name in names}
for n in range(3):
    change()
    kill_worker(mount)
    change()
    for name in names:
        if os.pread(fds[name], 1 << 20, 3) != rest[name]:
            sys.exit("%s is not of one moment" % name)
for name in names:
    again = os.pread(fds[name], 1 << 20, 0)
    if again == first[name] + rest[name]:
        sys.exit("%s read again says nothing new" % name)
    kill_worker(mount)
    if os.pread(fds[name], 1 << 20, 3) != again[3:]:
        sys.exit("%s read again is not of one moment" % name)
    os.close(fds[name])

# Places in the table come back, whoever gave them out: more files than it has are opened in all.
for n in range(4):
    many = [os.open(control + "stats", os.O_RDONLY) for i in range(100)]
    kill_worker(mount)
    for fd in many:
        os.close(fd)
fd = os.open(control + "stats", os.O_RDONLY)
before = os.pread(fd, 1 << 20, 1)
change()
if os.pread(fd, 1 << 20, 1) != before:
    sys.exit("there is no place for a text any more")
os.close(fd)

with open(sys.argv[2]) as f:
    counters = f.read().split()
if "takeovers" not in counters:
    sys.exit("the counters are not known")
before = figures()
kill_worker(mount)
after = figures()
for name in counters:
    if after[name] < before[name]:
        sys.exit("%s was %d, and is %d" % (name, before[name], after[name]))
for name in ("run", "pages_to_scan", "advisor_max_cpu", "smart_scan", "size", "nr_inodes", "pages_shared",
             "pages_sharing", "ksm_zero_pages", "store/data_pages", "store/reserved_pages", "store/inodes",
             "store/free_pages", "store/frames", "store/table_frames", "full_scans", "pages_scanned",
             "store/pages_written"):
    if after[name] != before[name]:
        sys.exit("%s was %d, and is %d" % (name, before[name], after[name]))
if after["takeovers"] != before["takeovers"] + 1 or not 0 < after["takeover_usecs"] < 10000000:
    sys.exit("takeovers %(takeovers)d, takeover_usecs %(takeover_usecs)d" % after)
if not before["pages_shared"] or before["takeovers"] != 10:
    sys.exit("nothing was shared, or not taken over")
PYTHON
check
