# SPDX-License-Identifier: GPL-2.0-or-later
"""A memory cgroup that lib.sh has made, of v1 or v2."""
import os


class Group:
    def __init__(self, path):
        self.path = path
        self.v2 = os.path.exists(f"{path}/memory.max")

    def _read(self, name):
        with open(f"{self.path}/{name}") as f:
            return f.read()

    def _write(self, name, value):
        """False: it cannot be had, or somebody takes it back at once."""
        try:
            with open(f"{self.path}/{name}", "w") as f:
                f.write(str(value))
        except OSError:
            return False
        return True

    def usage(self):
        return int(self._read("memory.current" if self.v2 else "memory.usage_in_bytes"))

    def swapped(self):
        if self.v2:
            return int(self._read("memory.swap.current"))
        return next(int(line.split()[1]) for line in self._read("memory.stat").splitlines() if line.startswith("swap "))

    def empty(self):
        """What can be taken away from its processes is: to swap, too."""
        return self._write("memory.reclaim", self.usage()) if self.v2 else self._write("memory.force_empty", 0)

    def press(self, size):
        """For a moment there is room for `size` bytes; nobody is killed for it."""
        limit, none = ("memory.high", "max") if self.v2 else ("memory.limit_in_bytes", -1)
        self._write(limit, size)
        self._write(limit, none)

    def enter(self):
        assert self._write("cgroup.procs", os.getpid()), f"{self.path} takes nobody"
