#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A reader stopped in the middle of its answer delays no writer of that page: it gets the old bytes whole, and
# the next reader the new ones.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs
[ -d "$M/.ksmfs/debug" ] || skip "built without the option hooks"
python3 - "$M" <<'PY'
import os, sys
from pages import *

mnt = sys.argv[1]
path = f"{mnt}/file"
with open(path, "wb") as f:
    f.write(content("old", 16))

def stopped(write, what):
    """A reader of page 3 that stays in its answer while `write` writes."""
    before = Direct(path).read(3)
    hook(mnt, "pause_read_reply", 2000)
    reader = Child(lambda: Direct(path).read(3))
    wait_for("the reader stops", lambda: hook_armed(mnt, "pause_read_reply") == 0)
    writer = Child(write)
    took = writer.result()[1]
    assert reader.runs(), f"{what}: the reader was not stopped, or the writer waited for it"
    assert took < 1, f"{what} took {took} s"
    got = reader.result()[0]
    same(got == before, True, f"{what}: the reader has the old bytes")

stopped(lambda: Direct(path).write(3, page("new", 3)), "a write")
same(Direct(path).read(3), page("new", 3), "the next reader")

# A part of the page: in place, were there no reader.
def part():
    with open(path, "r+b", buffering=0) as f:
        os.pwrite(f.fileno(), b"part", 3 * PAGE + 100)

stopped(part, "a write of a part")
new = page("new", 3)
same(Direct(path).read(3), new[:100] + b"part" + new[104:], "the next reader")

# All of the page goes.
stopped(lambda: os.truncate(path, 0), "a truncation")
same(os.path.getsize(path), 0, "the size")
PY
