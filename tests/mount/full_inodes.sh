#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A full inode table refuses to create, by ENOSPC, and takes new files when old ones have gone.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=64m,nr_inodes=50
python3 - "$M" <<'PY'
import errno, os, sys, time
from pages import *

os.chdir(sys.argv[1])
same(os.statvfs(".").f_files, 50, "inodes")
made = []
try:
    while len(made) < 100:
        name = f"f{len(made)}"
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
        made.append(name)
except OSError as e:
    same(e.errno, errno.ENOSPC, "create")
assert 45 <= len(made) <= 50, len(made)
same(os.statvfs(".").f_ffree, 0, "free inodes")
fails(errno.ENOSPC, os.mkdir, "d")
fails(errno.ENOSPC, os.symlink, "x", "s")
fails(errno.ENOSPC, os.mkfifo, "p")
same(sorted(os.listdir(".")), sorted(made), "nothing half done")
fails(errno.ENOSPC, os.link, made[0], "link") # as on tmpfs: names take memory, too
os.unlink(made.pop())
for _ in range(100):
    if os.statvfs(".").f_ffree == 1:
        break
    time.sleep(0.05)
os.link(made[0], "link")
same(os.statvfs(".").f_ffree, 0, "free inodes with a link")
os.unlink("link")
os.close(os.open("again", os.O_CREAT | os.O_WRONLY))
for name in made[:10]:
    os.unlink(name)
for _ in range(100):
    if os.statvfs(".").f_ffree == 10:
        break
    time.sleep(0.05)
for name in made[:10]:
    os.mkdir(name)
fails(errno.ENOSPC, os.mkdir, "d")
PY
