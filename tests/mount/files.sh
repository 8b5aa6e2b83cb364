#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Files and directories behave as POSIX says: names, links, modes, sizes, what lives on after unlink.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=64m
python3 - "$M" <<'PY'
import errno, os, stat, sys
from pages import *

os.chdir(sys.argv[1])

# create and open with its flags
fd = os.open("a", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o640)
same(os.write(fd, b"hello"), 5, "write")
same(os.pread(fd, 100, 0), b"hello", "read")
same(stat.S_IMODE(os.fstat(fd).st_mode), 0o640, "mode")
fails(errno.EEXIST, os.open, "a", os.O_CREAT | os.O_EXCL | os.O_RDWR)
os.close(fd)
fd = os.open("a", os.O_WRONLY | os.O_APPEND)
os.write(fd, b" world")
os.close(fd)
same(open("a", "rb").read(), b"hello world", "append")
os.close(os.open("a", os.O_WRONLY | os.O_TRUNC))
same(os.stat("a").st_size, 0, "O_TRUNC")
fails(errno.ENOENT, os.open, "absent", os.O_RDONLY)
fails(errno.ENAMETOOLONG, os.open, "n" * 256, os.O_CREAT | os.O_RDWR)
os.close(os.open("n" * 255, os.O_CREAT | os.O_RDWR))
os.unlink("n" * 255)
fails(errno.ENOTDIR, os.open, "a/b", os.O_RDONLY)
fails(errno.EISDIR, os.open, ".", os.O_RDWR)

# directories
os.mkdir("d", 0o750)
os.mkdir("d/e")
same(os.stat("d").st_nlink, 3, "nlink of a directory with one subdirectory")
fails(errno.EEXIST, os.mkdir, "d")
fails(errno.ENOTEMPTY, os.rmdir, "d")
fails(errno.ENOTDIR, os.rmdir, "a")
fails(errno.EISDIR, os.unlink, "d")
os.rmdir("d/e")
same(os.stat("d").st_nlink, 2, "nlink of an empty directory")

# many names, each listed once
names = {f"file-{i}" for i in range(1500)}
for name in names:
    os.close(os.open("d/" + name, os.O_CREAT | os.O_WRONLY, 0o600))
listed = os.listdir("d")
same(len(listed), len(names), "names listed")
same(set(listed), names, "names")
for name in names:
    os.unlink("d/" + name)
same(os.listdir("d"), [], "an emptied directory")

# rename
open("from", "w").write("1")
open("to", "w").write("2")
os.rename("from", "to")
same(open("to").read(), "1", "rename replaces")
fails(errno.ENOENT, os.stat, "from")
os.rename("to", "d/to")
os.mkdir("f")
fails(errno.EISDIR, os.rename, "d/to", "f")
fails(errno.ENOTDIR, os.rename, "f", "d/to")
fails(errno.ENOTEMPTY, os.rename, "f", "d")
fails(errno.EINVAL, os.rename, "d", "d/inside")
os.rename("f", "d/f")
same(sorted(os.listdir("d")), ["f", "to"], "a directory moved")
same(os.stat("d/f/..").st_ino, os.stat("d").st_ino, "the parent of a moved directory")
os.rmdir("d/f")

# links
os.link("d/to", "hard")
same(os.stat("hard").st_nlink, 2, "nlink")
same(os.stat("hard").st_ino, os.stat("d/to").st_ino, "inode of a link")
os.unlink("d/to")
same(open("hard").read(), "1", "a link keeps the file")
same(os.stat("hard").st_nlink, 1, "nlink after unlink")
fails(errno.EPERM, os.link, "d", "dirlink")
os.symlink("hard", "soft")
same(os.readlink("soft"), "hard", "readlink")
same(open("soft").read(), "1", "through a symbolic link")
same(os.lstat("soft").st_size, 4, "size of a symbolic link")
os.symlink("t" * 4095, "long")
same(os.readlink("long"), "t" * 4095, "a long target")

# unlinked while open
fd = os.open("gone", os.O_CREAT | os.O_RDWR)
os.unlink("gone")
same(os.fstat(fd).st_nlink, 0, "nlink of an unlinked file")
os.write(fd, page("gone", 0))
same(os.pread(fd, PAGE, 0), page("gone", 0), "an unlinked file")
os.close(fd)

# attributes
os.chmod("hard", 0o4711)
same(stat.S_IMODE(os.stat("hard").st_mode), 0o4711, "chmod")
os.chown("hard", 1234, 5678)
s = os.stat("hard")
same((s.st_uid, s.st_gid), (1234, 5678), "chown")
os.utime("hard", ns=(1_000_000_007, 2_000_000_009))
s = os.stat("hard")
same((s.st_atime_ns, s.st_mtime_ns), (1_000_000_007, 2_000_000_009), "utime")
os.mkfifo("fifo")
assert stat.S_ISFIFO(os.stat("fifo").st_mode)
same(os.stat("hard").st_blocks, 8, "blocks of one page")

# the whole file system
v = os.statvfs(".")
same(v.f_bsize * v.f_blocks, 64 << 20, "statfs: size")
assert v.f_bfree < v.f_blocks and v.f_files > v.f_ffree > 0, v
same(v.f_namemax, 255, "statfs: namemax")

fd = os.open("hard", os.O_RDWR)
os.fsync(fd)
os.fdatasync(fd)
os.close(fd)
fd = os.open("d", os.O_RDONLY)
os.fsync(fd)
os.close(fd)
PY
rm -rf "${M:?}"/*
expect_empty
