#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# While the mount works, another process that maps its memory and reads its databases finds it consistent.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs
cat >"$T/writer.py" <<'PY'
import os, random, sys
from pages import *

rng = random.Random(5)
kinds = [page("kind", k) for k in range(8)] + [bytes(PAGE)]
os.chdir(sys.argv[1])
while not os.path.exists(sys.argv[2]):
    name = f"f{rng.randrange(30)}"
    dice = rng.random()
    if dice < 0.1 and os.path.exists(name):
        os.rename(name, f"f{rng.randrange(30)}")
    elif dice < 0.2 and os.path.exists(name):
        os.unlink(name)
    elif dice < 0.3 and os.path.exists(name):
        os.truncate(name, rng.randrange(100 * PAGE))
    else:
        fd = os.open(name, os.O_CREAT | os.O_RDWR, 0o600)
        os.pwrite(fd, b"".join(rng.choices(kinds, k=50)), rng.randrange(100 * PAGE))
        os.close(fd)
PY
python3 "$T/writer.py" "$M" "$T/stop" &
ends_with_test
writer=$!
tries=20
[ "${SCALE:-}" != small ] || tries=5
while [ $tries -gt 0 ]; do
	check
	tries=$((tries - 1))
done
touch "$T/stop"
wait $writer || die "the writer failed"
