#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a ksmfs mount and the processes that use it really take of the machine's memory.

Usage: measure.py MOUNT TMPFS_BYTES PID...: PIDs use the mount; TMPFS_BYTES is what the same work took on
a tmpfs, measured before.
"""
import ctypes
import os
import sys

PAGE = 4096
SYS_PIDFD_OPEN, SYS_PROCESS_MADVISE, SYS_CACHESTAT = 434, 440, 451
MADV_PAGEOUT = 21


def figures(mount):
    """Those that are numbers; a setting may be a word."""
    with open(os.path.join(mount, ".ksmfs/stats")) as f:
        pairs = [line.split() for line in f]
    return {name: int(value) for name, value in pairs if value.lstrip("-").isdigit()}


def readlink(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def listdir(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def rollup(pid, *fields):
    """Sum of fields of smaps_rollup, in bytes."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            lines = [line.split() for line in f]
    except OSError:
        return 0
    return sum(int(w[1]) * 1024 for w in lines if w[0].rstrip(":") in fields)


def daemons(mount):
    """Processes named for this mount."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read()
        except OSError:
            continue
        if os.path.basename(readlink(f"/proc/{pid}/exe")).startswith("ksmfs") and mount.encode() in words:
            yield pid


def memfds(pids):
    """Bytes held by the memfds that these processes have open, each counted once."""
    held = {}
    for pid in pids:
        for fd in listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{fd}"
            if readlink(path).startswith("/memfd:"):
                try:
                    s = os.stat(path)
                except OSError:
                    continue
                held[s.st_dev, s.st_ino] = s.st_blocks * 512
    return sum(held.values())


def cached(fd):
    """Pages of the file in the kernel's cache, by cachestat(2); None where the kernel has no such call."""
    span = (ctypes.c_uint64 * 2)(0, 0)
    out = (ctypes.c_uint64 * 5)()
    if ctypes.CDLL(None, use_errno=True).syscall(SYS_CACHESTAT, fd, span, out, 0):
        return None
    return out[0]


def page_cache(mount, pids):
    """Bytes of page cache of the files of this mount that are mapped by the processes."""
    dev = os.stat(mount).st_dev
    seen = {}
    for pid in pids:
        for name in listdir(f"/proc/{pid}/map_files"):
            try:
                fd = os.open(f"/proc/{pid}/map_files/{name}", os.O_RDONLY)
            except OSError:
                continue
            try:
                s = os.fstat(fd)
                if s.st_dev == dev and s.st_ino not in seen:
                    seen[s.st_ino] = cached(fd)
            finally:
                os.close(fd)
    if None in seen.values():
        return None
    return sum(seen.values()) * PAGE


def reclaim(mount, pids):
    """Have the kernel take the cached pages of the mount that these processes map, as it does by itself
    with pages that nobody touched lately, when memory is short."""
    libc = ctypes.CDLL(None, use_errno=True)
    for pid in pids:
        pidfd = libc.syscall(SYS_PIDFD_OPEN, int(pid), 0)
        if pidfd < 0:
            continue
        with open(f"/proc/{pid}/maps") as f:
            spans = [line.split()[0] for line in f if f" {mount}/" in line or " /dev/shm/" in line]
        for span in spans:
            first, end = (int(x, 16) for x in span.split("-"))
            iov = (ctypes.c_uint64 * 2)(first, end - first)
            libc.syscall(SYS_PROCESS_MADVISE, pidfd, iov, ctypes.c_size_t(1), MADV_PAGEOUT, 0)
        os.close(pidfd)


def main():
    mount, tmpfs, users = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    f = figures(mount)
    own = list(daemons(mount))

    def show(what, n, note=""):
        text = "not measured" if n is None else f"{n / (1 << 20):9.1f} MiB"
        print(f"  {what:<42}{text:>14}  {note}")

    print("Counters (pages of 4096 bytes)")
    for name in ("pages_shared", "pages_sharing", "pages_unshared", "ksm_zero_pages", "pages_volatile",
                 "pages_untracked"):
        print(f"  {name:<42}{f[name]:>14}")
    held = memfds(own)
    anon = sum(rollup(pid, "Pss_Anon", "Pss_File") for pid in own)
    databases = f.get("store/database_bytes", 0)
    cache = page_cache(mount, users)
    print("The mount")
    show("bytes of files", f["store/data_pages"] * PAGE, "pages that hold data")
    show("bytes of frames", f["store/frames"] * PAGE, "each distinct page once, and page tables")
    print("Memory really used, as the kernel counts it")
    show("the store's memfds", held, "frames and inodes, with a warm reserve")
    show("the daemon's own memory", anon)
    show("its databases", databases)
    show("= what cannot be given back", held + anon + databases)
    show("page cache of the mapped files", cache, "a second copy, given up when memory is short")
    show("the processes, without it", sum(rollup(pid, "Pss_Anon") for pid in users), "the same on any file system")
    print("Compared")
    show("tmpfs took, for the same work", tmpfs, "none of it can be given back")
    show("ksmfs takes", held + anon + databases)
    show("saved", tmpfs - held - anon - databases,
         f"{100 * (tmpfs - held - anon - databases) / tmpfs:.0f} %" if tmpfs else "")
    if cache is not None:
        show("saved while all of the page cache is kept", tmpfs - held - anon - databases - cache,
             "until somebody else needs the memory")
        reclaim(mount, users)
        show("page cache after the kernel reclaimed it", page_cache(mount, users),
             "the processes live, and fault back what they touch")


if __name__ == "__main__":
    main()
