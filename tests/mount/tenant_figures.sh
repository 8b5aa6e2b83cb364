#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# .ksmfs/tenants/NAME: figures that add up to what the mount has, under any name, the same for the next worker, until the tenant ends.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=512m
python3 - "$M" <<'PY'
import ctypes, errno, os, re, sys, time
import advice
from pages import *
from worker import kill_worker

mount = sys.argv[1]
os.chdir(mount)
control, tenants = ".ksmfs", ".ksmfs/tenants"
libc = ctypes.CDLL(None, use_errno=True)
KEEP_SIZE = 1


def read(path):
    with open(path) as f:
        return f.read()


def stats(name):
    with open(os.path.join(os.fsencode(tenants), os.fsencode(name), b"stats")) as f:
        return {key: int(value) for key, value in (line.split() for line in f)}


def make(name, size="64m", inodes=None):
    os.mkdir(name)
    if size:
        os.setxattr(name, "trusted.ksmfs.size", size.encode())
    if inodes:
        os.setxattr(name, "trusted.ksmfs.inodes", inodes.encode())


def becomes(get, want, what):
    until = time.monotonic() + 10
    while (got := get()) != want and time.monotonic() < until:
        time.sleep(0.1)
    same(got, want, what)


same(os.listdir(tenants), [], "tenants of a mount without")
fails(errno.ENOENT, os.stat, tenants + "/a")
metrics_before = read(control + "/metrics")
assert "tenant" not in metrics_before, "tenants in metrics"

# The figures, of two that share some pages, and of one that has limits and nothing else: its directory, and the
# attribute that says so, are inodes, too.
make("a", "64m")
make("b", None, "5k")
make("empty", "10%", "7")
N = PAGES // 8
mine, shared = content("a", N), content("both", N)
with open("a/file", "wb") as f:
    f.write(mine + shared + bytes(N * PAGE))
    f.flush()
    libc.fallocate(f.fileno(), KEEP_SIZE, ctypes.c_long(4 * N * PAGE), ctypes.c_long(N * PAGE))
os.mkdir("b/dir")
with open("b/dir/file", "wb") as f:
    f.write(shared + shared)
with open("outside", "wb") as f:
    f.write(content("outside", N))
NP = N * PAGE
becomes(lambda: stats("a"), dict(
    size=64 << 20, nr_inodes=1 << 26, logical_bytes=4 * NP, inodes=3, unique_bytes=NP, shared_bytes=NP, zero_bytes=NP,
    proportional_bytes=NP + NP // 3, saved_bytes=2 * NP - NP // 3), "a")
becomes(lambda: stats("b"), dict(
    size=1 << 44, nr_inodes=5 << 10, logical_bytes=2 * NP, inodes=4, unique_bytes=0, shared_bytes=2 * NP, zero_bytes=0,
    proportional_bytes=2 * NP // 3, saved_bytes=2 * NP - 2 * NP // 3), "b")
parts = sum(stats(name)["proportional_bytes"] for name in "ab") + NP
assert 0 <= advice.stat(".")["proportional_bytes"] - parts <= 2, "what they take does not add up"
for name in "a", "b", "empty":
    told = stats(name)
    same(sorted(os.listdir(f"{tenants}/{name}")), sorted([*told, "stats"]), f"files of {name}")
    for key, value in told.items():
        same(read(f"{tenants}/{name}/{key}"), f"{value}\n", f"{name}/{key}")
same(stats("empty")["nr_inodes"], 7, "nr_inodes")
assert 0 < stats("empty")["size"] < os.sysconf("SC_PHYS_PAGES") * PAGE / 9, "a tenth of memory"
os.setxattr("a", "trusted.ksmfs.size", b"128m")
same(read(tenants + "/a/size"), f"{128 << 20}\n", "a size that was changed")
fd = os.open(tenants + "/a/logical_bytes", os.O_RDONLY)
same(os.pread(fd, 99, 0), b"%d\n" % (4 * NP), "logical_bytes")
os.truncate("a/file", 3 * NP)
becomes(lambda: os.pread(fd, 99, 0), b"%d\n" % (3 * NP), "logical_bytes, read again")
os.close(fd)

# What is open and has no name any more, as all have who use shm_unlink: it is charged, and summed.
make("unlinked", "16m")
fd = os.open("unlinked/shm", os.O_CREAT | os.O_RDWR)
os.write(fd, content("unlinked", N) + mine)
os.unlink("unlinked/shm")
for told in lambda: stats("unlinked"), lambda: advice.stat("unlinked"):
    becomes(lambda: told()["proportional_bytes"], NP + NP // 2, "without a name")
becomes(lambda: stats("unlinked"), dict(
    size=16 << 20, nr_inodes=1 << 26, logical_bytes=2 * NP, inodes=3, unique_bytes=NP, shared_bytes=NP, zero_bytes=0,
    proportional_bytes=NP + NP // 2, saved_bytes=NP // 2), "unlinked")
assert f'ksmfs_tenant_unique_bytes{{tenant="unlinked"}} {NP}\n' in read(control + "/metrics"), "unlinked, in metrics"
os.close(fd)
becomes(lambda: stats("unlinked")["proportional_bytes"], 0, "closed")
os.rmdir("unlinked")

# Nothing can be written, made or removed there.
for path in f"{tenants}/a/size", f"{tenants}/a/stats":
    fails(errno.EACCES, os.open, path, os.O_WRONLY)
    fails(errno.EPERM, os.truncate, path, 0)
    fails(errno.EPERM, os.chmod, path, 0o644)
    fails(errno.EPERM, os.unlink, path)
    fails(errno.EPERM, os.link, path, "link")
fails(errno.EPERM, os.mkdir, tenants + "/new")
fails(errno.EPERM, os.rmdir, tenants + "/a")
fails(errno.EPERM, os.rename, tenants + "/a", tenants + "/c")
fails(errno.EPERM, os.open, tenants + "/a/new", os.O_CREAT | os.O_WRONLY)
fails(errno.ENOENT, os.stat, tenants + "/a/new")
fails(errno.ENOENT, os.stat, tenants + "/outside")
same(os.path.realpath(tenants + "/a/../../tenants/b/.."), os.path.realpath(tenants), "the way up")

# Any name; a program that collects figures gets it back.
names = [b"n" * 255, b" ", b"two\nlines", b'"', b"\\", b"\\n", "t\u00e4st\u20ac\U0001f40f".encode(), b"\xff\xc3(\xe2\x82", b"#{}=", b"-n"]
for name in names:
    make(name, "1m")
same(sorted(os.listdir(os.fsencode(tenants))), sorted([b"a", b"b", b"empty", *names]), "names")
for name in names:
    same(stats(name)["size"], 1 << 20, name)
escapes = {"\\n": b"\n", '\\"': b'"', "\\\\": b"\\"}
found = {}
for line in read(control + "/metrics").splitlines():
    if m := re.fullmatch(r'ksmfs_tenant_([a-z_]+)\{tenant="((?:[^"\\]|\\["\\n])*)"\} ([0-9]+)', line):
        label = re.sub(rb"\\.", lambda e: escapes[e[0].decode()], m[2].encode())
        assert (m[1], label) not in found, f"{label} is there twice"
        found[m[1], label] = int(m[3])
    else:
        assert "tenant=" not in line, line
labels = [b"\\xff\\xc3(\\xe2\\x82" if name[:1] == b"\xff" else name for name in names]
for name, label in [*zip(names, labels), (b"a", b"a"), (b"b", b"b")]:
    for key, value in stats(name).items():
        same(found[key, label], value, f"{key} of {label} in metrics")
assert f"\nksmfs_tenants {3 + len(names)}\n" in read(control + "/metrics"), "how many there are"
for name in names:
    os.rmdir(name)

# Many: read in pieces, whoever answers, the text is of one moment; beyond half a MiB some are left out, and it ends as it must.
many = [b"%03d" % n + b"n" * 200 for n in range(260)]
for name in many:
    make(name, "1m")
fd = os.open(control + "/metrics", os.O_RDONLY)
text = os.read(fd, 5000)
kill_worker(os.getcwd())
for name in many[:10]:
    os.rmdir(name)
while piece := os.read(fd, 9999):
    text += piece
os.close(fd)
assert 300000 < len(text) <= 512 << 10, f"{len(text)} bytes"
assert re.search(rb"\} \d+\n# EOF\n$", text) and b"\nksmfs_tenants 263\n" in text, text[-200:]
left = [re.findall(b'ksmfs_tenant_%s{tenant="([^"]*)"}' % name.encode(), text) for name in ("size", "saved_bytes")]
same(left[0], left[1], "whose figures are there")
assert 150 < len(left[0]) < 263 and set(left[0]) & set(many[:10]), f"{len(left[0])} of 263"
for name in many[10:]:
    os.rmdir(name)

# What there was to see is there for the next worker, with the same numbers.
def tree():
    return sorted((path, os.lstat(path).st_ino, os.lstat(os.path.join(path, "stats")).st_ino if path != tenants else 0)
                  for path, _, _ in os.walk(tenants))


before, kept = tree(), os.open(tenants + "/b/stats", os.O_RDONLY)
start = os.pread(kept, 5, 0)
same([path for path, _, _ in before], [tenants, tenants + "/a", tenants + "/b", tenants + "/empty"], "the tree")
here = os.open(tenants + "/b", os.O_RDONLY)
kill_worker(os.getcwd())
os.truncate("b/dir/file", 0)
same(tree(), before, "the tree after a takeover")
same(os.stat("size", dir_fd=here).st_ino, os.stat(tenants + "/b/size").st_ino, "a file below an open directory")
assert b"shared_bytes %d\n" % (2 * NP) in start + os.pread(kept, 999, 5), "what was begun is read on"
becomes(lambda: b"logical_bytes 0\n" in os.pread(kept, 999, 0), True, "and then of now")

# Places in the listing are stable while tenants come and go.
libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
libc.telldir.restype = ctypes.c_long


def next_name(d):
    e = libc.readdir(ctypes.c_void_p(d))
    return e and ctypes.string_at(e + 19)


for n in range(30):
    make(f"t{n}", "1m")
for rounds in range(2): # once from us, once from what the kernel remembers
    d = libc.opendir(tenants.encode())
    seen = [next_name(d) for _ in range(15)]
    place = libc.telldir(ctypes.c_void_p(d))
    rest = []
    while name := next_name(d):
        rest.append(name)
    same(len(set(seen + rest)), 30 + 3 + 2, "names")
    libc.seekdir(ctypes.c_void_p(d), ctypes.c_long(place))
    again = []
    while name := next_name(d):
        again.append(name)
    same(again, rest, "listed from there again")
    libc.closedir(ctypes.c_void_p(d))
all_ = {b"a", b"b", b"empty", *(b"t%d" % n for n in range(30))}
d = os.open(tenants, os.O_RDONLY)
buf = ctypes.create_string_buffer(256)
got, gone = [], set()
for n in range(1000):
    length = libc.syscall(217, d, buf, 64) # getdents64, a name or two at a time
    if length <= 0:
        break
    at = 0
    while at < length:
        size = int.from_bytes(buf.raw[at + 16:at + 18], "little")
        got.append(buf.raw[at + 19:at + size].split(b"\0")[0])
        at += size
    if 3 * n < 30:
        os.rmdir(f"t{3 * n}")
        gone.add(b"t%d" % (3 * n))
        make(f"new{n}", "1m")
os.close(d)
same(len(got), len(set(got)), "how often each is listed")
assert len(gone) == 10 and all_ - gone <= set(got), f"not listed: {all_ - gone - set(got)}"
same({name for name in os.listdir(os.fsencode(tenants)) if name[:3] != b"new"}, all_ - gone, "listed at last")
for name in os.listdir("."):
    if name.startswith(("t", "new")):
        os.rmdir(name)

# One that ends takes its figures along; a new one of that name has others, and a new name keeps them.
old, number = os.open(tenants + "/b/inodes", os.O_RDONLY), os.stat(tenants + "/b").st_ino
same(os.pread(old, 9, 0), b"4\n", "inodes")
os.rename("b", "c")
make("b", "1m")
assert os.stat(tenants + "/b").st_ino != number, "who has the name now"
os.rmdir("b")
same(sorted(os.listdir(tenants)), ["a", "c", "empty"], "after a rename")
same(os.stat(tenants + "/c").st_ino, number, "the number after a rename")
fails(errno.ENOENT, os.stat, tenants + "/b")
same(os.pread(old, 9, 0), b"4\n", "inodes, of whatever name")
os.unlink("c/dir/file")
os.rmdir("c/dir")
os.rmdir("c")
make("c", "1m")
assert os.stat(tenants + "/c").st_ino != number, "the number of an old tenant"
fails(errno.ESTALE, os.pread, old, 9, 0)
fails(errno.ESTALE, os.stat, "size", dir_fd=here)
os.rmdir("c")
fails(errno.ENOENT, os.stat, tenants + "/c")
os.unlink("a/file")
os.rmdir("a")
os.removexattr("empty", "trusted.ksmfs.size")
same(os.listdir(tenants), ["empty"], "one limit is enough")
os.removexattr("empty", "trusted.ksmfs.inodes")
same(os.listdir(tenants), [], "without a limit it is no tenant")
assert "tenant" not in read(control + "/metrics"), "tenants in metrics"
PY
rm -rf "${M:?}"/*
expect_empty
