#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Two containers without privileges, each with a directory of the mount as its /dev/shm: shared memory works, what is alike in
# both exists once, and neither sees the other or the controls.
# shellcheck source-path=SCRIPTDIR source=../mount/lib.sh
. "${TESTS:?}/lib.sh"

needs bwrap setpriv
python=/usr/bin/python3
[ -x $python ] || skip "there is no $python"
chmod 711 "$T"
mount_ksmfs size=256m
cp "$TESTS/pages.py" "$T"
cat >"$T/inside.py" <<'PY'
import errno, os, sys
from multiprocessing import shared_memory
from pages import *

name, other, n = sys.argv[1], sys.argv[2], PAGES
same(os.getuid(), 0, "root of its own")
block = shared_memory.SharedMemory(name, create=True, size=2 * n * PAGE)
block.buf[:] = content("alike", n) + content(name, n)
same(os.listdir("/dev/shm"), [name], "what is there")
fails(errno.ENOENT, os.stat, "/dev/shm/.ksmfs")
fails(errno.ENOENT, os.stat, "/dev/shm/../" + other)
fails(errno.ENOENT, shared_memory.SharedMemory, other)
same(os.stat("/dev/shm/" + name).st_uid, 0, "its owner inside")
fd = os.open("/dev/shm/" + name, os.O_RDWR)
os.fsync(fd)
print("ready", flush=True)
sys.stdin.readline()
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
same(bytes(block.buf), content("alike", n) + content(name, n), "what was stored")
block.close()
block.unlink()
same(os.listdir("/dev/shm"), [], "what is left")
PY

# container NAME OTHER UID: it says ready, and ends when it is written to.
container() {
	mkfifo "$T/$1.in"
	install -d -o "$3" -g "$3" -m 700 "$M/$1"
	setpriv --reuid="$3" --regid="$3" --clear-groups bwrap --unshare-all --uid 0 --gid 0 --die-with-parent \
		--ro-bind / / --proc /proc --dev /dev --bind "$M/$1" /dev/shm --tmpfs /tmp --ro-bind "$T/inside.py" /tmp/inside.py \
		--ro-bind "$T/pages.py" /tmp/pages.py --setenv PYTHONPATH /tmp --setenv PAGES "$PAGES" \
		$python /tmp/inside.py "$1" "$2" <"$T/$1.in" >"$T/$1.out" 2>&1 &
	ends_with_test
}
setpriv --reuid=40001 --regid=40001 --clear-groups bwrap --unshare-all --ro-bind / / true 2>"$T/err" ||
	skip "no containers without privileges here: $(cat "$T/err")"
container one two 40001
one=$!
exec 3>"$T/one.in"
container two one 40002
two=$!
exec 4>"$T/two.in"
for name in one two; do
	within 20 grep -q ready "$T/$name.out" || die "$name: $(cat "$T/$name.out")"
	[ "$(stat -c %u "$M/$name/$name")" -gt 40000 ] || die "$name belongs to $(stat -c %u "$M/$name/$name")"
done
expect pages_sharing "$PAGES"
expect pages_shared "$PAGES"
echo >&3
echo >&4
wait $one || die "one: $(cat "$T/one.out")"
wait $two || die "two: $(cat "$T/two.out")"
rmdir "$M/one" "$M/two"
expect_empty
