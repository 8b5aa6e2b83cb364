#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# While the mount works, another process that maps its memory and reads its databases finds it consistent.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs
cat >"$T/writer.py" <<'PY'
import ctypes, os, random, sys
from pages import *

KEEP_SIZE = 1
libc = ctypes.CDLL(None)

rng = random.Random(5)
kinds = [page("kind", k) for k in range(8)] + [bytes(PAGE)]
os.chdir(sys.argv[1])
os.makedirs("one/dir/below")
os.mkdir("two")
where = "one"
while not os.path.exists(sys.argv[2]):
    name = f"f{rng.randrange(30)}"
    dice = rng.random()
    if dice < 0.05:
        there = "two" if where == "one" else "one"
        os.rename(where + "/dir", there + "/dir")
        where = there
    elif dice < 0.1 and os.path.exists(name):
        os.rename(name, f"f{rng.randrange(30)}")
    elif dice < 0.2 and os.path.exists(name):
        os.unlink(name)
    elif dice < 0.3 and os.path.exists(name):
        os.truncate(name, rng.randrange(100 * PAGE))
    else:
        fd = os.open(name, os.O_CREAT | os.O_RDWR, 0o600)
        if dice < 0.4:
            libc.fallocate(fd, KEEP_SIZE, ctypes.c_long(0), ctypes.c_long(rng.randrange(1, 150) * PAGE))
        os.pwrite(fd, b"".join(rng.choices(kinds, k=50)), rng.randrange(100 * PAGE))
        os.close(fd)
PY
python3 "$T/writer.py" "$M" "$T/stop" &
ends_with_test
writer=$!
tries=300
[ "${SCALE:-}" != small ] || tries=40
while [ $tries -gt 0 ]; do
	"${KSMFS_CHECK:?}" "$M" >"$T/looked" 2>&1 || die "from outside: $(cat "$T/looked")"
	[ $((tries % 20)) != 0 ] || check
	tries=$((tries - 1))
done
touch "$T/stop"
wait $writer || die "the writer failed"
