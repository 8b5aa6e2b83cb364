#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A directory in the root with limits of its own: df inside shows them, what is full inside leaves the neighbours writable, names
# do not cross its border, and all of it is so for the next worker, whenever this one dies.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=64m,nr_inodes=1000
mkdir "$M/box" "$M/other" "$M/plain"
cat >"$T/tenants.py" <<'PY'
import errno, mmap, os, signal, subprocess, sys
from calls import *
from pages import *

os.chdir(sys.argv[1])
SIZE, INODES, LIMIT = "trusted.ksmfs.size", "trusted.ksmfs.inodes", 256


def space(path):
    st = os.statvfs(path)
    return st.f_blocks, st.f_bavail


def stores(path, index):
    """Whether a store into that page of a mapping goes well: else it is SIGBUS."""
    pid = os.fork()
    if pid == 0:
        fd = os.open(path, os.O_RDWR)
        with mmap.mmap(fd, (index + 1) * PAGE) as m:
            m[index * PAGE] = 1
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert status in (0, signal.SIGBUS), status
    return status == 0


def limits():
    for path, name, value in (("box", SIZE, b"1m"), ("box", INODES, b"40"), ("other", SIZE, b"50%")):
        os.setxattr(path, name, value)
        same(os.getxattr(path, name), value, name)
    same(sorted(os.listxattr("box")), [INODES, SIZE], "limits listed")
    for path, value in (("box", b"1x"), ("box", b""), (".", b"1m")):
        fails(errno.EINVAL, os.setxattr, path, SIZE, value)
    os.close(os.open("plain/file", os.O_CREAT))
    os.mkdir("plain/below")
    fails(errno.ENOTEMPTY, os.setxattr, "plain", SIZE, b"1m")
    fails(errno.EINVAL, os.setxattr, "plain/below", SIZE, b"1m")
    fails(errno.EINVAL, os.setxattr, "plain/file", SIZE, b"1m")
    if os.fork() == 0: # nobody but who has CAP_SYS_ADMIN
        os.setuid(65534)
        same(os.listxattr("box"), [], "limits shown to anybody")
        fails(errno.EPERM, os.setxattr, "box", SIZE, b"2m")
        os._exit(0)
    same(os.wait()[1], 0, "anybody")


def full():
    """Each way to take a page, where there is none."""
    outside = space(".")
    same(space("box"), (LIMIT, LIMIT), "df in an empty one")
    with open("box/fill", "wb", buffering=0) as f:
        same(f.write(bytes([1]) * (2 * LIMIT * PAGE)), LIMIT * PAGE, "a write that does not fit")
        fails(errno.ENOSPC, f.write, bytes([1]) * PAGE)
    same(space("box"), (LIMIT, 0), "df in a full one")
    same(subprocess.check_output(["df", "--output=size,avail", "box"]).split()[2:], [b"1024", b"0"], "df")
    same(space("."), (outside[0], outside[1] - LIMIT), "df outside")
    with open("plain/source", "wb") as f:
        f.write(content("source", 8))
    source, empty = os.open("plain/source", os.O_RDONLY), os.open("box/empty", os.O_RDWR | os.O_CREAT)
    os.ftruncate(empty, 8 * PAGE)
    fails(errno.ENOSPC, os.posix_fallocate, empty, 0, PAGE)
    fails(errno.ENOSPC, os.copy_file_range, source, empty, PAGE)
    fails(errno.ENOSPC, os.pread, empty, PAGE, 0)
    assert not stores("box/empty", 3)
    assert stores("box/fill", 3)
    for path in "other/file", "plain/more":
        with open(path, "wb") as f:
            f.write(content(path, 2 * LIMIT))
    os.truncate("box/fill", 8 * PAGE)
    assert stores("box/empty", 3)
    os.posix_fallocate(empty, 0, PAGE)
    same(os.copy_file_range(source, empty, 4 * PAGE, 0, 4 * PAGE), 4 * PAGE, "a copy that fits")
    fails(errno.ENOSPC, os.posix_fallocate, empty, 0, LIMIT * PAGE)
    fails(errno.EINVAL, os.setxattr, "box", SIZE, b"32k")
    os.close(source)
    os.close(empty)
    for n in range(100):
        try:
            os.close(os.open(f"box/{n}", os.O_CREAT))
        except OSError as e:
            same(e.errno, errno.ENOSPC, "no inode")
            break
    same(os.statvfs("box").f_files, 40, "inodes of the tenant")
    same(os.statvfs("box").f_ffree, 0, "inodes left")
    assert 30 < n < 38, n
    os.close(os.open("other/one", os.O_CREAT))


def borders():
    for path in "box/fill", "other/file", "plain/file":
        for to in "box/to", "other/to", "plain/to", "to":
            if os.path.dirname(to) != os.path.dirname(path) and {"box", "other"} & {os.path.dirname(to), os.path.dirname(path)}:
                fails(errno.EXDEV, os.rename, path, to)
                fails(errno.EXDEV, os.link, path, to)
    os.rename("other", "renamed")
    os.rename("renamed", "other")
    before = digest("other/file")
    subprocess.run(["mv", "other/file", "plain/moved"], check=True)
    same(digest("plain/moved"), before, "moved")
    fails(errno.ENOTEMPTY, os.removexattr, "other", SIZE)


def state():
    return [(path, os.statvfs(path)) for path in (".", "box", "other", "plain")], os.getxattr("box", SIZE)


if sys.argv[2] == "state":
    print(state())
else:
    limits()
    full()
    borders()
PY
python3 "$T/tenants.py" "$M" all || die "a tenant is not what it should be"
check
before=$(python3 "$T/tenants.py" "$M" state)
kill_worker
[ "$(python3 "$T/tenants.py" "$M" state)" = "$before" ] || die "a takeover has changed a tenant"

# Processes at the limit, and workers that die: what is charged is what there is, and comes back.
rm -rf "$M"/box/* "$M"/other/*
cat >"$T/busy.py" <<'PY'
import os, random, sys, time
from pages import *

os.chdir(sys.argv[1])
seed = int(sys.argv[2])
rand, end = random.Random(seed), time.monotonic() + float(sys.argv[3])
name = f"busy{seed}"
while time.monotonic() < end:
    fd = os.open(name, os.O_RDWR | os.O_CREAT)
    for _ in range(rand.randrange(20)):
        at, length = rand.randrange(200), rand.randrange(1, 100)
        try:
            what = rand.randrange(5)
            if what == 0:
                os.pwrite(fd, os.urandom(length * PAGE), at * PAGE)
            elif what == 1:
                os.posix_fallocate(fd, at * PAGE, length * PAGE)
            elif what == 2:
                os.ftruncate(fd, at * PAGE)
            elif what == 3:
                os.setxattr(fd, "user.x", bytes(rand.randrange(3000)))
            else:
                os.pread(fd, length * PAGE, at * PAGE)
        except OSError as e:
            assert e.errno == 28, e
    if rand.randrange(3):
        os.unlink(name)
    os.close(fd)
if os.path.exists(name):
    os.unlink(name)
PY
for seed in 1 2 3; do
	python3 "$T/busy.py" "$M/box" $seed 2 &
	echo $! >>"$T/busy"
	ends_with_test
done
kill_worker KILL 4
for pid in $(cat "$T/busy"); do
	wait "$pid" || die "an application has seen something else than a full tenant"
done
kill_worker
[ "$(stat -f -c '%a %d' "$M/box")" = "256 38" ] || die "left in an empty tenant: $(stat -f -c '%a %d' "$M/box")"
rmdir "$M/box"
mkdir "$M/box"
[ "$(stat -f -c %b "$M/box")" = "$(stat -f -c %b "$M")" ] || die "a removed tenant's limit is another directory's"
rm -rf "$M"/plain "$M"/other
expect_empty
