# SPDX-License-Identifier: GPL-2.0-or-later
"""What a mount takes of the system's memory, as the system sees it: all of its processes and what they hold open."""
import os


def processes(mount):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                command = f.read()
            with open(f"/proc/{pid}/comm") as f:
                if f.read().startswith("ksmfs-") and os.fsencode(mount) in command:
                    yield pid
        except (FileNotFoundError, ProcessLookupError):
            pass


def fields(path, *names):
    """Sums of lines "name: N kB", in bytes."""
    with open(path) as f:
        lines = [line.split() for line in f]
    return [sum(int(words[1]) << 10 for words in lines if words and words[0] == name + ":") for name in names]


def memory_files(pid):
    """Memfds, and files on the tmpfs of the databases: (device, inode) -> name, bytes."""
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{fd}")
            if "memfd:" in link or "/ksmfs/" in link:
                st = os.stat(f"/proc/{pid}/fd/{fd}")
                yield (st.st_dev, st.st_ino), os.path.basename(link).removesuffix(" (deleted)"), st.st_blocks * 512
        except FileNotFoundError:
            pass


class Footprint:
    """pss: all processes, with what they map of shared memory.  files: memory in memfds and databases, by name.
    tables: the kernel's page tables.  total: all of it, each byte once.  text: what of it is files on a disk, as programs
    and libraries are, shared with whoever else runs them."""

    def __init__(self, mount):
        self.pss = self.tables = self.text = shared = 0
        self.files, seen = {}, {}
        for pid in processes(mount):
            pss, text, shmem = fields(f"/proc/{pid}/smaps_rollup", "Pss", "Pss_File", "Pss_Shmem")
            self.pss += pss
            self.text += text
            shared += shmem
            self.tables += fields(f"/proc/{pid}/status", "VmPTE")[0]
            for which, name, size in memory_files(pid):
                seen[which] = name, size
        assert self.pss, f"no processes of {mount}"
        for name, size in seen.values():
            name = name.removeprefix("memfd:")
            self.files[name] = self.files.get(name, 0) + size
        self.total = self.pss - shared + self.tables + sum(self.files.values())

    def __str__(self):
        files = ", ".join(f"{name} {size >> 10}" for name, size in sorted(self.files.items()) if size >> 16)
        return f"{self.total >> 10} KiB: PSS {self.pss >> 10}, page tables {self.tables >> 10}, {files}"
