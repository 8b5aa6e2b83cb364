# SPDX-License-Identifier: GPL-2.0-or-later
"""ksmfs, tmpfs, and libfuse's passthrough_ll over tmpfs, mounted side by side."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = pathlib.Path("/usr/share/doc/libfuse3-dev/examples")


def run(*command, **kw):
    return subprocess.run([str(c) for c in command], check=True, **kw)


def flags(*what):
    return subprocess.check_output(["pkg-config", *what, "fuse3"], text=True).split()


def unpack(name, where):
    """An example of libfuse, plain or compressed, as the package has it."""
    plain = EXAMPLES / name
    if plain.exists():
        shutil.copy(plain, where)
    elif (EXAMPLES / f"{name}.gz").exists():
        with open(where / name, "wb") as out:
            run("gzip", "-dc", EXAMPLES / f"{name}.gz", stdout=out)
    else:
        return False
    return True


def build(where, program):
    run("gcc", "-O2", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-I", HERE.parent.parent, HERE / f"{program}.c", "-o", where / program)
    if all([unpack("passthrough_ll.c", where), unpack("passthrough_helpers.h", where)]):
        run("gcc", "-O2", "-w", where / "passthrough_ll.c", "-o", where / "passthrough_ll",
            *flags("--cflags", "--libs"))
        return True
    return False


class Contestants:
    """Mounts by name, and a program that is built to be run on them; gone in the end whatever happens."""

    def __init__(self, program, ksmfs, size):
        self.where = pathlib.Path(tempfile.mkdtemp(prefix="ksmfs-bench."))
        self.program = self.where / program
        self.mounted = []
        self.at = {}
        self.ksmfs, self.size = ksmfs, size

    def __enter__(self):
        try:
            there = build(self.where, self.program.name)
            self.at["ksmfs"] = self.add("ksmfs", self.ksmfs, "-o", self.size, "bench", None)
            self.at["tmpfs"] = self.add("tmpfs", "mount", "-t", "tmpfs", "-o", self.size, "bench", None)
            if there:
                below = self.add("below", "mount", "-t", "tmpfs", "-o", self.size, "bench", None)
                self.at["passthrough_ll"] = self.add("passthrough", self.where / "passthrough_ll", "-o",
                                                     f"source={below},cache=always,default_permissions", None)
        except BaseException:
            self.__exit__()
            raise
        return self

    def add(self, name, *command):
        path = self.where / name
        path.mkdir()
        run(*(str(path) if c is None else c for c in command))
        self.mounted.append(path)
        return path

    def daemons(self, name):
        """Processes that have the mount on their command line."""
        path, found = str(self.at[name]).encode(), []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    command = f.read()  # of ours it is one word
            except OSError:
                continue
            if path in command and int(pid) != os.getpid():
                found.append(int(pid))
        return found

    def __exit__(self, *_):
        for path in reversed(self.mounted):
            for _ in range(50):
                if subprocess.run(["umount", path], stderr=subprocess.DEVNULL).returncode == 0:
                    break
                time.sleep(0.1)
            else:
                run("umount", "-l", path)
        shutil.rmtree(self.where)
