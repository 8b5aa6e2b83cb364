#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A request that waits for one page for two seconds delays nobody who wants another page of the file.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs
[ -d "$M/.ksmfs/debug" ] || skip "built without the option hooks"
[ "$(stat -c %a:%u "$M/.ksmfs/debug/fail_alloc")" = 600:0 ] || die "hooks are not root's alone"
for junk in -1 x '' 1x 9999999999; do
	set_attr debug/fail_alloc "$junk" 2>/dev/null && die "a hook takes '$junk'"
done
expect debug/fail_alloc 0
set_attr run 0 # the scanner holds page locks too, for a moment
python3 - "$M" <<'PY'
import os, sys, time
from pages import *

mnt = sys.argv[1]
WAITS, WATCHED, ALONE, P99 = 2.0, 1.5, 0.5, 0.01  # seconds
path, other = f"{mnt}/file", f"{mnt}/other"

for f in (path, other):
    with open(f, "wb") as out:
        out.write(content("old", 128))

def again(call, until):
    """What 99 of 100 calls are quicker than."""
    took = []
    while time.monotonic() < until:
        start = time.monotonic()
        call(len(took))
        took.append(time.monotonic() - start)
    return sorted(took)[len(took) * 99 // 100]

def reads(f=path):
    d = Direct(f)
    return lambda n: same(d.read(10 + n % 8), page("old", 10 + n % 8), "another page")

def writes(f=path):
    d = Direct(f)
    return lambda n: d.write(20 + n % 8, page("other", n % 50))

def truncates(f=path):
    return lambda n: os.truncate(f, (64 + 64 * (n % 2)) * PAGE)

def together(others, seconds):
    until = time.monotonic() + seconds
    children = [(name, Child(lambda: again(call, until))) for name, call in others]
    return [(name, c.result()[0]) for name, c in children]

def while_waiting(what, waiter, others, want, resumed, restarted):
    alone = max(p99 for _, p99 in together(others, ALONE))  # on a busy machine it is more
    before = figures(mnt)
    hook(mnt, "pause_fault_wait", int(WAITS * 1000))
    hook(mnt, "fail_page_lock", 1)
    waits = Child(waiter)
    wait_for(f"{what} waits", lambda: hook_armed(mnt, "pause_fault_wait") == 0)
    for name, p99 in together(others, WATCHED):
        print(f"{what} waits: {name}: 99 % within {p99 * 1000:.3f} ms")
        assert p99 < max(P99, 4 * alone), f"{what} waits, and {name} takes {p99} s, alone {alone} s"
    assert waits.runs(), f"{what} did not wait"
    same(waits.result()[0], want, what)
    now = figures(mnt)
    same([now[f"fault/retries_{k}"] - before[f"fault/retries_{k}"] for k in ("resumed", "restarted")],
         [resumed, restarted], f"{what}: resumed and restarted")

old = page("old", 3)
while_waiting("a read", lambda: Direct(path).read(3), [("a read", reads()), ("a write", writes())], old, 1, 0)
while_waiting("a read", lambda: Direct(path).read(3),
              [("a read", reads()), ("a write", writes()), ("a truncation", truncates())], old, 0, 1)
# Over a write the kernel itself keeps other writes and truncations of the file away.
while_waiting("a write", lambda: Direct(path).write(3, page("new", 3)),
              [("a read", reads()), ("a write of another file", writes(other)),
               ("a truncation of another file", truncates(other))], None, 1, 0)
same(Direct(path).read(3), page("new", 3), "what was written")
PY
