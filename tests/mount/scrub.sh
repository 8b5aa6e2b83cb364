#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A bit that flips in the daemon's memory is found, told with the files that use it, and repaired from an equal page.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

"$KSMFS" -f -o size=512m "test-$$" "$M" 2>"$T/log" &
echo "$M" >>"$T/mounts"
within 10 is_mounted "$M" || die "no mount"
mkdir "$M/dir" "$M/vault"
python3 - "$M" <<'PY'
import sys
from pages import *

mnt = sys.argv[1]
os.setxattr(f"{mnt}/vault", "user.ksmfs.mergeable", b"0")
for name in ("one", "dir/two"):
    store(f"{mnt}/{name}", content("shared", 16))
store(f"{mnt}/vault/own", content("shared", 8))  # copies of the first eight, which nobody shares
store(f"{mnt}/alone", content("alone", 4))
PY
settle
expect pages_sharing 16
expect pages_unshared 4

# As memory might: the byte $3 of the page of content("$1")[$2], in the frame that others share (the first in the store).
cat >"$T/flip.py" <<'PY'
import glob, mmap, os, sys
from pages import *

def frames(pids):
    for fd in (f for pid in pids for f in glob.glob(f"/proc/{pid}/fd/*")):
        if os.readlink(fd).startswith("/memfd:ksmfs-frames"):
            return open(fd, "r+b")

seed, index, at = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with frames(sys.argv[4:]) as f, mmap.mmap(f.fileno(), 64 << 20) as m:
    found = m.find(page(seed, index))
    assert found > 0 and found % PAGE == 0, found
    m[found + at] ^= 4
PY
flip() {
	# shellcheck disable=SC2046
	python3 "$T/flip.py" "$@" $(processes "$M")
}

# What files hold, asked of the daemon: "right", or the first page that is not.
cat >"$T/look.py" <<'PY'
import sys
from pages import *

for path, seed, pages in ((p, *a) for p, *a in (arg.split(":") for arg in sys.argv[1:])):
    with open(path, "rb", buffering=0) as f:
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        for i in range(int(pages)):
            if f.read(PAGE) != page(seed, i):
                sys.exit(f"{path}: page {i} is wrong")
PY
are_right() {
	python3 "$T/look.py" "$M/one:shared:16" "$M/dir/two:shared:16" "$M/vault/own:shared:8" "$@"
}

# Off, as it is at first, nothing is looked for; the bytes are read as they are.
attr_is scrub_pages_per_second 0 || die "it scrubs though nobody wants it"
flip shared 3 77
if are_right; then die "a flipped bit cannot be seen"; fi
expect scrub/pages 0

set_attr scrub_pages_per_second 1000
expect scrub/errors 1
expect scrub/repaired 2
expect scrub/damaged 0
are_right "$M/alone:alone:4"
expect pages_sharing 16
says() {
	grep -q "$1" "$T/log"
}
within 5 says 'changed by itself: 1 pages (1 repaired), the first at byte 12288, of one$' || die "log: $(cat "$T/log")"
says 'changed by itself: 1 pages (1 repaired), the first at byte 12288, of dir/two$' || die "log: $(cat "$T/log")"

# Without an equal page it stays as it is, is merged with nothing, and goes with the next write.
flip alone 2 5
expect scrub/errors 2
expect scrub/damaged 1
cp "$M/alone" "$M/copy"
settle
expect scrub/damaged 1
expect pages_sharing 19 # the other three pages
within 20 says 'changed by itself: 1 pages (0 repaired), the first at byte 8192, of alone$' || die "log: $(cat "$T/log")"
python3 - "$M" <<'PY'
import sys
from pages import *

fd = os.open(f"{sys.argv[1]}/alone", os.O_WRONLY)
os.pwrite(fd, page("alone", 2), 2 * PAGE)
PY
expect scrub/damaged 0
are_right "$M/alone:alone:4"

# And off again it does not wake at all.
set_attr scrub_pages_per_second 0
sleep 0.5
before=$(attr scrub/pages)
sleep 1
attr_is scrub/pages "$before" || die "it still scrubs"
