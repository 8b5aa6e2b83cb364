#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What a file system says of its files its next worker says, too, also of what the kernel has forgotten: names, links,
# times, attributes, access lists, flags, handles, holes, what was said about merging, limits and figures.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs_resends

mount_ksmfs size=256m,nr_inodes=5k
KSMFSCTL=${KSMFSCTL:-${BUILD:?}/tools/ksmfsctl} python3 - "$M" <<'PY' || die "a takeover has changed something"
import subprocess, sys
import advice
from calls import *
from pages import *
from worker import kill_worker

mount = sys.argv[1]
os.chdir(mount)
DIRECTORY = struct.pack("=I" + "HHI" * 4, 2, 1, 7, 2**32 - 1, 4, 5, 2**32 - 1, 16, 5, 2**32 - 1, 32, 0, 2**32 - 1)


def build():
    for path in ("a", "a/b", "optedout", "sgid", "many"):
        os.mkdir(path)
    store("shared", content("state", 100) * 2)
    store("a/shared", content("state", 100))
    store("own", content("own", 20))
    for n in range(3):
        os.link("shared", f"a/link{n}")
    os.unlink("a/link1")
    os.symlink("link0", "a/symbolic")
    os.symlink("x" * 4000, "long")
    os.mkfifo("fifo", 0o620)
    os.mknod("null", 0o20666, os.makedev(1, 3))
    os.chown("fifo", 7, 8)
    os.chmod("a/shared", 0o4751)
    os.chmod("sgid", 0o2775)
    for n in range(300):
        open(f"many/{n}", "w").close()
    os.rename("many/7", "many/seven")
    renameat2("many/8", "a/b", RENAME_EXCHANGE)
    os.rmdir("many/8")
    os.mkdir("a/c")
    os.setxattr("shared", "user.one", b"a value")
    os.setxattr("shared", "user.large", os.urandom(60000))
    os.setxattr("a", "trusted.two", bytes(3))
    os.setxattr("own", "system.posix_acl_access", ACL)
    os.setxattr("a/c", "system.posix_acl_default", DIRECTORY)
    subprocess.run([os.environ["KSMFSCTL"], "unmergeable", "optedout"], check=True)
    store("optedout/shared", content("state", 100))
    subprocess.run([os.environ["KSMFSCTL"], "keep", "a/shared"], check=True)
    store("ranges", content("state", 100))
    with open("ranges", "r+b") as f:
        for n in range(10):
            advice.advise_range(f.fileno(), advice.IOC_UNMERGEABLE, (10 * n + 3) * PAGE, 3 * PAGE)
    with open("holes", "w+b") as f:
        fallocate(f.fileno(), 0, 0, 50 * PAGE)
        f.truncate(1 << 40)
        os.pwrite(f.fileno(), b"far", (1 << 39) + 5)
        fallocate(f.fileno(), FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, 10 * PAGE, 10 * PAGE)
        os.pwrite(f.fileno(), bytes(5 * PAGE), 12 * PAGE)
    utimensat("a/shared", 981173106789012345, 1234567890123456789)
    set_flags("own", IMMUTABLE | NOATIME)
    set_flags("a/c", NODUMP | APPEND)


def data_of(path):
    """Where the data is, and a digest of it."""
    fd, at, found = os.open(path, os.O_RDONLY), 0, []
    try:
        while True:
            try:
                at = os.lseek(fd, at, os.SEEK_DATA)
            except OSError:
                return found, hashlib.sha256(b"".join(os.pread(fd, len_, from_) for from_, len_ in found)).hexdigest()
            end = os.lseek(fd, at, os.SEEK_HOLE)
            found.append((at, end - at))
            at = end
    finally:
        os.close(fd)


def look(path):
    s = os.lstat(path)
    kind = s.st_mode & 0o170000
    said = {name: os.getxattr(path, name, follow_symlinks=False)
            for name in os.listxattr(path, follow_symlinks=False)}
    said["stat"] = tuple(s)[:7] + (s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns, s.st_rdev, s.st_blocks)
    said["statx"] = statx(path)
    said["handle"] = handle_of(path)
    if kind == 0o120000:
        said["target"] = os.readlink(path)
    if kind in (0o100000, 0o040000):
        said["flags"] = get_flags(path)
        said["advice"] = os.getxattr(path, advice.MERGEABLE)
    if kind == 0o100000:
        said["data"] = data_of(path)
        said["left out"] = advice.stat(path)["left_out"]
    return said


def snapshot():
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")
    said = {}
    for at, dirs, files in os.walk("."):
        said[at + "/"] = sorted(dirs + files)
        for name in [*dirs, *files]:
            said[f"{at}/{name}"] = look(f"{at}/{name}")
    v = os.statvfs(".")
    said["df"] = tuple(getattr(v, name) for name in ("f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree"))
    said["figures"] = {name: value for name, value in figures(mount).items() if name in
                       ("size", "nr_inodes", "pages_shared", "pages_sharing", "ksm_zero_pages", "pages_untracked",
                        "store/data_pages", "store/reserved_pages", "store/size_pages", "store/free_pages",
                        "store/inodes", "store/table_frames", "run", "pages_to_scan", "merge_on_write")}
    return said


build()
with open(".ksmfs/size", "w") as f:
    f.write("200m")  # as a remount does
snapshot()  # reading moves times of access, once
before = snapshot()
same(len(before) > 320 and before["figures"]["pages_sharing"], 270, "there is something to compare")
for n in range(5):
    kill_worker(mount)
    after = snapshot()
    for key in sorted(before.keys() | after.keys()):
        same(after.get(key), before.get(key), f"{key} after {n + 1} takeovers")
set_flags("own", 0)
set_flags("a/c", 0)
PY
settle
expect pages_sharing 270
