#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel tells the notifier when memory is short, and the next one, too, and closed files leave its page cache at once,
# whatever their age.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

[ -w /proc/pressure/memory ] || skip "the kernel does not tell when memory is short"
case $(stat -f -c %T /var/tmp) in
tmpfs | overlayfs) skip "no file on a disk to run short of memory with" ;;
esac
make_group
limit_group $((16 << 20))

mount_ksmfs size=64m
set_attr trim_age 3600
set_attr trim_mode closed
head -c 4M /dev/urandom >"$M/closed"
was=$(role ksmfs-notify)
kill -KILL "$was"
another() {
	now=$(role ksmfs-notify) && [ -n "$now" ] && [ "$now" != "$was" ]
}
within 10 another || die "no other notifier comes"

# Memory is short for who reads more than his group may have, again and again.
cat >"$T/reader.py" <<'PY'
import mmap, os, sys
from group import Group

group, path = sys.argv[1:]
Group(group).enter()
fd = os.open(path, os.O_TMPFILE | os.O_RDWR)
for n in range(32):
    os.write(fd, os.urandom(1 << 20))
m = mmap.mmap(fd, 32 << 20)
while True:
    for at in range(0, 32 << 20, mmap.PAGESIZE):
        m[at]
PY
stalled() {
	sed -n 's/^some.*total=//p' /proc/pressure/memory
}
trimmed() {
	[ "$(attr trim/ranges)" -gt 0 ]
}
before=$(stalled)
python3 "$T/reader.py" "$group" /var/tmp &
ends_with_test
within 10 trimmed || {
	stalled=$(($(stalled) - before))
	[ $stalled -gt 3000000 ] || skip "memory was short for $stalled of 10000000 us only"
	die "memory was short for $stalled us, and nothing is trimmed"
}
