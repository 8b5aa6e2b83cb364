# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel says of memory and CPU time, and control groups to have it said of some processes alone."""
import os
import subprocess
import time

KSM = "/sys/kernel/mm/ksm"
TICK = os.sysconf("SC_CLK_TCK")


def read(path):
    with open(path) as f:
        return f.read().strip()


def write(path, value):
    with open(path, "w") as f:
        f.write(str(value))


def table(path):
    """Lines of a name and a number; a unit behind it does not matter."""
    lines = (line.split() for line in read(path).splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if words[1].lstrip("-").isdigit()}


def used():
    """Bytes that nobody could have without taking them from somebody."""
    memory = table("/proc/meminfo")
    return (memory["MemTotal"] - memory["MemAvailable"]) * 1024


def cpu(*pids):
    """Seconds of CPU time, in user mode and in the kernel."""
    ticks = 0
    for pid in pids:
        words = read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
        ticks += int(words[11]) + int(words[12])
    return ticks / TICK


def kernel_thread(comm):
    return next(int(pid) for pid in os.listdir("/proc") if pid.isdigit() and read(f"/proc/{pid}/comm") == comm)


def facts():
    model = next((line.split(":")[1].strip() for line in read("/proc/cpuinfo").splitlines() if "model name" in line), "?")
    gib = table("/proc/meminfo")["MemTotal"] / 1048576
    return f"Linux {os.uname().release}, {os.cpu_count()} CPUs ({model}), {gib:.1f} GiB"


class NoGroups(Exception):
    """It cannot be shown here."""


class Wrong(Exception):
    """It was shown, and is not so."""


class Group:
    """A memory cgroup, of either version, with others below it: "daemon" and "users"."""

    def __init__(self, limit=None):
        self.v2 = False
        at = [w.split() for w in read("/proc/mounts").splitlines()]
        root = [w[1] for w in at if w[2] == "cgroup" and "memory" in w[3].split(",")]
        if not root:
            self.v2 = True
            root = [w[1] for w in at if w[2] == "cgroup2" and "memory" in read(f"{w[1]}/cgroup.controllers").split()]
        if not root:
            raise NoGroups("there is no memory cgroup")
        self.path = f"{root[0]}/ksmfs-bench-{os.getpid()}"
        self.made = []
        try:
            self.make(root[0], limit)
        except OSError as e:
            self.close()
            raise NoGroups(f"no memory cgroup can be made: {e}") from e

    def make(self, root, limit):
        if self.v2:
            write(f"{root}/cgroup.subtree_control", "+memory")
        for path in (self.path, f"{self.path}/daemon", f"{self.path}/users"):
            os.mkdir(path)
            self.made.append(path)
            if not self.v2:
                write(f"{path}/memory.swappiness", 0)
            elif path == self.path:
                write(f"{path}/cgroup.subtree_control", "+memory")
        if limit:
            self.bound(*(("memory.max", "memory.swap.max", 0) if self.v2 else
                         ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", limit)), limit)

    def bound(self, memory, swap, swap_limit, limit):
        """What does not fit is not swapped either, where there is swap."""
        write(f"{self.path}/{memory}", limit)
        if os.path.exists(f"{self.path}/{swap}"):
            write(f"{self.path}/{swap}", swap_limit)

    def inside(self, part, *command):
        """The command, as one that starts in a part of the group."""
        return ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', f"{self.path}/{part}", *map(str, command)]

    def processes(self, part):
        return [int(pid) for pid in read(f"{self.path}/{part}/cgroup.procs").split()]

    def held(self, part):
        """Bytes by kind: of processes, of tmpfs and memfds, of the page cache of other files, of the kernel."""
        path = f"{self.path}/{part}"
        s = table(f"{path}/memory.stat")
        if self.v2:
            return {"anon": s["anon"], "shmem": s["shmem"], "cache": s["file"] - s["shmem"], "kernel": s.get("kernel", 0)}
        return {"anon": s["rss"], "shmem": s["shmem"], "cache": s["cache"] - s["shmem"],
                "kernel": int(read(f"{path}/memory.kmem.usage_in_bytes"))}

    def reclaim(self, part):
        """Have the kernel take what it would take if memory were short."""
        try:
            write(f"{self.path}/{part}/{'memory.reclaim' if self.v2 else 'memory.force_empty'}",
                  1 << 40 if self.v2 else 0)
        except OSError:
            pass  # not all of it could be had: as expected

    def close(self):
        for path in reversed(self.made):
            for _ in range(200):
                try:
                    os.rmdir(path)
                    break
                except OSError:
                    time.sleep(0.05)
        self.made = []


class Ksm:
    """The kernel's KSM, with its settings put back in the end."""

    WANTED = {"run": 1, "pages_to_scan": 10000, "sleep_millisecs": 10, "max_page_sharing": 256}

    def __init__(self):
        if not os.path.isdir(KSM):
            raise NoGroups("this kernel has no KSM")
        self.before = {name: read(f"{KSM}/{name}") for name in self.WANTED}
        self.ksmd = kernel_thread("ksmd")
        if self.before["run"] != "0" or int(read(f"{KSM}/pages_shared")):
            raise NoGroups("KSM is in use")

    def __enter__(self):
        for name, value in self.WANTED.items():
            if name != "run":
                write(f"{KSM}/{name}", value)
        write(f"{KSM}/run", 1)
        return self

    def __exit__(self, *_):
        write(f"{KSM}/run", 2)
        for name in sorted(self.before, key=lambda n: n == "run"):
            write(f"{KSM}/{name}", self.before[name])

    def figure(self, name):
        return int(read(f"{KSM}/{name}"))

    def cpu(self):
        return cpu(self.ksmd)


class Mount:
    """A tmpfs or a ksmfs, with its daemon in a group."""

    def __init__(self, kind, at, size, group, ksmfs):
        self.kind, self.at, self.group = kind, str(at), group
        os.makedirs(self.at, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "bench", self.at]
        if kind == "ksmfs":
            command = [str(ksmfs), "-o", f"size={size}", "bench", self.at]
        subprocess.run(group.inside("daemon", *command), check=True)

    def daemons(self):
        return self.group.processes("daemon")

    def figures(self):
        return table(f"{self.at}/.ksmfs/stats")

    def control(self, name, value):
        write(f"{self.at}/.ksmfs/{name}", value)

    def settle(self, seconds=60):
        """Until the store knows all that was written but for a hundredth, and the scanner has gone through it twice.
        Processes that live never stop storing into a few pages."""
        end = time.monotonic() + seconds
        pages, passes = -1, 0
        while time.monotonic() < end:
            subprocess.run(["sync", "-f", self.at], check=True)
            time.sleep(1)
            f = self.figures()
            if abs(f["store/data_pages"] - pages) > pages // 100:
                pages, passes = f["store/data_pages"], f["full_scans"]
            elif f["full_scans"] >= passes + 2 or not f["pages_volatile"]:
                break
        return self.figures()

    def look_at_cache(self):
        """Figures with a count of the page cache that is no older than this call, where there is one."""
        asked = time.monotonic()
        f = self.figures()
        while f["store/cache_age_ms"] >= 0 and f["store/cache_age_ms"] > (time.monotonic() - asked) * 1000:
            if time.monotonic() > asked + 60:
                raise Wrong("nobody looks at the page cache")
            time.sleep(0.1)
            f = self.figures()
        return f

    def abort(self):
        """Nobody waits for the daemon any more."""
        subprocess.run(["umount", "-f", self.at], stderr=subprocess.DEVNULL, check=False)

    def close(self):
        for _ in range(200):
            if subprocess.run(["umount", self.at], stderr=subprocess.DEVNULL, check=False).returncode == 0:
                break
            time.sleep(0.05)
        else:
            subprocess.run(["umount", "-l", self.at], check=True)
        while self.daemons():
            time.sleep(0.05)
        os.rmdir(self.at)
