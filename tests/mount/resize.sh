#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# .ksmfs/size and .ksmfs/nr_inodes change the limits of a mount in use, and refuse what tmpfs refuses.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mkdir "$T/tmpfs"
mount -t tmpfs -o size=64m,nr_inodes=100 none "$T/tmpfs"
at_end() {
	umount "$T/tmpfs"
}
mount_ksmfs size=64m,nr_inodes=100

# The same values to both, with the same in use: 100 pages, and 10 files below the root.
cat >"$T/both.py" <<'PY'
import ctypes, errno, os, sys
from pages import *

ours, tmpfs = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
MS_REMOUNT = 32

def remount(name, value):
    ctypes.set_errno(0)
    libc.mount(b"none", tmpfs.encode(), None, MS_REMOUNT, f"{name}={value}".encode())
    return ctypes.get_errno()

def write(name, value):
    fd = os.open(f"{ours}/.ksmfs/{name}", os.O_WRONLY)
    try:
        os.write(fd, value.encode())
        return 0
    except OSError as e:
        return e.errno
    finally:
        os.close(fd)

def limits(where):
    st = os.statvfs(where)
    return st.f_blocks, st.f_bfree, st.f_files, st.f_ffree

for where in ours, tmpfs:
    for n in range(10):
        with open(f"{where}/f{n}", "wb") as f:
            f.write(page("x", n) * 10)
same(limits(ours), limits(tmpfs), "to begin with")
for name, value in (
        ("size", "1m"), ("size", "400k"), ("size", "399k"), ("size", "396k"), ("size", "1"), ("size", "409600"),
        ("size", "409601"), ("size", "405504"), ("size", "1g"), ("size", "3M"), ("size", "1T"), ("size", "50%"), ("size", "1%"),
        ("size", "200%"), ("size", "1x"), ("size", "x"), ("size", "-1"), ("size", "+1m"), ("size", "1mm"),
        ("size", "1 m"), ("size", "64m"),
        ("nr_inodes", "11"), ("nr_inodes", "10"), ("nr_inodes", "1"), ("nr_inodes", "12"), ("nr_inodes", "1k"),
        ("nr_inodes", "2m"), ("nr_inodes", "50%"), ("nr_inodes", "x"), ("nr_inodes", "-1"), ("nr_inodes", "1kk"), ("nr_inodes", "100")):
    before = limits(ours)
    theirs, is_ = remount(name, value), write(name, value)
    same(is_, theirs, f"{name}={value}")
    assert is_ in (0, errno.EINVAL), (name, value, is_)
    if is_:
        same(limits(ours), before, f"refused {name}={value}")
    same(limits(ours), limits(tmpfs), f"{name}={value}")

# A link counts as an inode.
for where in ours, tmpfs:
    for n in range(5):
        os.link(f"{where}/f1", f"{where}/l{n}")
    os.rename(f"{where}/l0", f"{where}/l1") # two names of one file: nothing happens
    os.rename(f"{where}/l2", f"{where}/l3x")
same(limits(ours), limits(tmpfs), "with links")
for value in "15", "16":
    same(write("nr_inodes", value), remount("nr_inodes", value), f"nr_inodes={value} with links")
for where in ours, tmpfs:
    fails(errno.ENOSPC, os.link, f"{where}/f1", f"{where}/more")
    for n in "0", "1", "3", "3x", "4":
        os.unlink(f"{where}/l{n}")
same(limits(ours), limits(tmpfs), "without links")

# No limit, which is the largest one here; and back, which tmpfs refuses.
for name in "size", "nr_inodes":
    same(remount(name, "0"), 0, name)
    same(write(name, "0\n"), 0, name)
same(limits(ours), (1 << 32, (1 << 32) - 100, 1 << 26, (1 << 26) - 11), "no limit")
same(remount("size", "64m"), errno.EINVAL, "tmpfs has become different: so may we")
same(write("size", "1"), errno.EINVAL, "too small")
same((write("size", "64m"), write("nr_inodes", "100")), (0, 0), "a limit again")
same((open(f"{ours}/.ksmfs/size").read(), open(f"{ours}/.ksmfs/nr_inodes").read()), ("67108864\n", "100\n"), "read")
PY
python3 "$T/both.py" "$M" "$T/tmpfs"
rm "$M"/f*
within 5 attr_is store/inodes 1 || die "files stay"

# A full mount: who waits for room goes on when it has grown; it cannot be smaller than what is in it.
set_attr size 4m
! dd if=/dev/urandom of="$M/full" bs=64k count=100 2>"$T/dd" || die "8 MiB in 4"
grep -q 'No space' "$T/dd" || die "not ENOSPC: $(cat "$T/dd")"
[ "$(stat -f -c %f "$M")" = 0 ] || die "full, and there is room"
! (set_attr size 4092k) 2>/dev/null || die "smaller than what is in it"
attr_is size 4194304 || die "a refused size: $(attr size)"
set_attr size 8m
dd if=/dev/zero of="$M/full" bs=64k count=64 oflag=append conv=notrunc 2>"$T/dd" || die "after it has grown: $(cat "$T/dd")"
[ "$(stat -f -c %f "$M")" = 0 ] || die "full again"
rm "$M/full"
expect_empty

# More inodes than it began with, by far; then only as many as there are, and one more after one has gone.
count=20000
[ "${SCALE:-}" != small ] || count=2000
set_attr nr_inodes $((count + 2))
python3 - "$M" $count <<'PY'
import errno, os, sys, time
from pages import *

os.chdir(sys.argv[1])
count = int(sys.argv[2])
os.mkdir("d")
for n in range(count):
    os.close(os.open(f"d/{n}", os.O_CREAT | os.O_WRONLY))
fails(errno.ENOSPC, os.mkdir, "more")
for n in range(1, count, 2):
    os.unlink(f"d/{n}")
for _ in range(100):
    if os.statvfs(".").f_ffree == count // 2:
        break
    time.sleep(0.05)
set_ = lambda n: open(".ksmfs/nr_inodes", "w", buffering=1).write(f"{n}\n")
fails(errno.EINVAL, set_, count // 2 + 1)
set_(count // 2 + 2)
fails(errno.ENOSPC, os.mkdir, "more")
same(os.statvfs(".").f_ffree, 0, "free")
set_(count // 2 + 3)
os.mkdir("more")
PY
rm -r "$M/d" "$M/more"
within 10 attr_is store/inodes 1 || die "files stay"

# While some write and remove, the size goes up and down between what is just too small and what is enough.
set_attr nr_inodes 1000
set_attr size 32m
cat >"$T/writers.py" <<'PY'
import errno, os, random, sys, time
from pages import *

os.chdir(sys.argv[1])
end = time.monotonic() + float(sys.argv[2])
children = []
for who in range(3):
    pid = os.fork()
    if pid:
        children.append(pid)
        continue
    rng = random.Random(who)
    fd = os.open(f"w{who}", os.O_CREAT | os.O_RDWR)
    while time.monotonic() < end:
        try:
            if rng.random() < 0.3:
                os.ftruncate(fd, rng.randrange(2000) * PAGE)
            elif rng.random() < 0.2:
                os.posix_fallocate(fd, rng.randrange(2000) * PAGE, rng.randrange(1, 500) * PAGE)
            else:
                os.pwrite(fd, page("w", rng.randrange(50)) * rng.randrange(1, 200), rng.randrange(2000) * PAGE)
        except OSError as e:
            same(e.errno, errno.ENOSPC, "a write")
    os._exit(0)
done = refused = 0
rng = random.Random(9)
while time.monotonic() < end:
    size = rng.randrange(1 << 20, 40 << 20)
    fd = os.open(".ksmfs/size", os.O_WRONLY)
    try:
        os.write(fd, str(size).encode())
        done += 1
    except OSError as e:
        same(e.errno, errno.EINVAL, size)
        refused += 1
    os.close(fd)
    st = os.statvfs(".")
    assert 0 <= st.f_bfree <= st.f_blocks, st
for pid in children:
    same(os.waitpid(pid, 0)[1], 0, "a writer")
assert done and refused, (done, refused)
st = os.statvfs(".")
used = sum(os.stat(f"w{who}").st_blocks for who in range(3)) // 8
same(st.f_blocks - st.f_bfree, used, "what is in use")
print(f"{done} sizes taken, {refused} refused")
PY
python3 "$T/writers.py" "$M" "$([ "${SCALE:-}" = small ] && echo 2 || echo 5)"
check
rm "$M"/w*
expect_empty
