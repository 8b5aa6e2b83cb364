#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Splitting much is ended by a signal with EINTR, goes on when it is said again, and loses nothing.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=1g
export PAGES=$((PAGES * 32))
python3 -c 'import sys; from pages import *
for name in ("/a", "/b"):
    with open(sys.argv[1] + name, "wb") as f:
        for i in range(PAGES // 64):
            f.write(page("many", i) * 64)' "$M"
sha256sum "$M/a" "$M/b" >"$T/sums"

cat >"$T/say.py" <<'PY'
import ctypes, errno, os, signal, struct, sys
from pages import *
from advice import *

libc = ctypes.CDLL(None, use_errno=True)
file = os.open("a", os.O_RDWR)
run = os.open(".ksmfs/run", os.O_WRONLY)
everything = struct.pack("=QQ", 0, PAGES * PAGE)
ways = {
    "attribute": lambda: libc.fsetxattr(file, MERGEABLE.encode(), b"0", ctypes.c_size_t(1), 0),
    "range": lambda: libc.ioctl(file, ctypes.c_ulong(IOC_UNMERGEABLE), everything),
    "run": lambda: min(libc.pwrite(run, b"2", ctypes.c_size_t(1), ctypes.c_long(0)), 0),
}
say = ways[sys.argv[1]]
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, True)
ended, seconds = 0, 0.002
while True:
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds) # again, if it came before the call
    r, number = say(), ctypes.get_errno()
    signal.setitimer(signal.ITIMER_REAL, 0)
    if r == 0:
        break
    same(number, errno.EINTR, sys.argv[1])
    if sys.argv[1] == "run":
        same(open(".ksmfs/run").read(), "0\n", "run after EINTR")
    else:
        same(stat("a")["left_out"], PAGES, "left out after EINTR")
    ended += 1
    seconds *= 1.2 # one that comes before anything was done brings nothing forward
assert ended, "a signal ended nothing"
PY

for way in attribute range run; do
	settle
	expect pages_sharing $((2 * PAGES - PAGES / 64))
	(cd "$M" && timeout 120 python3 "$T/say.py" $way) || die "$way"
	if [ $way = run ]; then
		attr_is pages_sharing 0 || die "run 2 left $(attr pages_sharing) sharing"
		attr_is run 2 || die "run is $(attr run)"
	else
		attr_is pages_untracked "$PAGES" || die "$way: untracked $(attr pages_untracked)"
	fi
	sha256sum --quiet -c "$T/sums" || die "$way: other bytes"
	check
	set_attr run 1
	python3 -c 'import sys; from advice import *; advise(sys.argv[1], "1")' "$M/a"
done
