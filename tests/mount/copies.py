# SPDX-License-Identifier: GPL-2.0-or-later
"""The same copies, stores and holes in a directory of each kind; then the files of both must be the same."""
import errno
import mmap
import os
import random
import signal
import stat
import sys

from pages import PAGE, PAGES, page, same

N = 24  # pages of a file
STEPS = 300 if PAGES < 1024 else 1500


MAPPED = 2  # files that are open and mapped to be stored into, and as many that are not


class Side:
    """Files in one directory, all mapped."""

    def __init__(self, directory):
        self.paths = [os.path.join(directory, f"file{i}") for i in range(2 * MAPPED)]
        self.fds = [os.open(p, os.O_RDWR | os.O_CREAT, 0o600) for p in self.paths[:MAPPED]]
        self.out = self.fds + [os.open(p, os.O_WRONLY | os.O_CREAT, 0o600) for p in self.paths[MAPPED:]]
        self.fds += [os.open(p, os.O_RDONLY) for p in self.paths[MAPPED:]]
        for fd in self.out:
            os.ftruncate(fd, N * PAGE)
        self.maps = [mmap.mmap(fd, N * PAGE) for fd in self.fds[:MAPPED]]
        self.maps += [mmap.mmap(fd, N * PAGE, prot=mmap.PROT_READ) for fd in self.fds[MAPPED:]]

    def copy(self, a, b, at, to, length):
        """What copy_file_range(2) says, asked again until all is done."""
        done = 0
        while done < length:
            try:
                n = os.copy_file_range(self.fds[a], self.out[b], length - done, at + done, to + done)
            except OSError as e:
                return done, errno.errorcode[e.errno]
            if n == 0:
                break
            done += n
        return done, ""

    def store(self, a, at, data):
        """Into the mapping, and nobody tells the file system."""
        self.maps[a][at:at + len(data)] = data

    def write(self, a, at, data):
        return os.pwrite(self.out[a], data, at)

    def cut(self, a, size):
        """What lies behind is a hole."""
        os.ftruncate(self.out[a], size)
        os.ftruncate(self.out[a], N * PAGE)

    def seen(self):
        """By the mappings and by read."""
        return [(m[:], os.pread(fd, N * PAGE, 0), os.fstat(fd).st_size) for m, fd in zip(self.maps, self.fds)]


def draw(rng):
    """One operation: its name and what it is given."""
    what = rng.random()
    a = rng.randrange(2 * MAPPED)
    at = rng.randrange(N * PAGE)
    if rng.random() < 0.5:
        at -= at % PAGE
    length = min(rng.choice((1, 100, PAGE, 3 * PAGE, 5000, 8 * PAGE)), N * PAGE - at)
    if what < 0.4:
        to = rng.randrange(N * PAGE)
        if rng.random() < 0.7:
            to = min(to - to % PAGE + at % PAGE, N * PAGE - 1)
        return "copy", (a, rng.randrange(2 * MAPPED), at, to, min(length, N * PAGE - to))
    if what < 0.45:
        return "cut", (a, at)
    data = rng.randbytes(length) if rng.random() < 0.5 else page("few", rng.randrange(3))[:1] * length
    return ("store" if what < 0.8 and a < MAPPED else "write"), (a, at, data)


def store_beside(side, stores):
    """Another process stores into the end of pages of which copies change the rest: nothing of it may go."""
    os.pwrite(side.fds[0], b"c" * N * PAGE, 0)
    child = os.fork()
    if child == 0:
        m = side.maps[1]
        for count in range(stores):
            for k in (count, count - N // 2):
                at = k % N * PAGE + PAGE - 8
                if k == count:
                    m[at:at + 8] = k.to_bytes(8, "little")
                elif k >= 0 and int.from_bytes(m[at:at + 8], "little") != k:
                    os._exit(1)
        os._exit(0)
    ended = (0, 0)
    while ended == (0, 0):
        for i in range(N):
            side.copy(0, 1, i * PAGE, i * PAGE + i % 2 * 100, PAGE - 200)
        ended = os.waitpid(child, os.WNOHANG)
    same(ended, (child, 0), "what was stored beside copies")


def store_meanwhile(side, rounds):
    """Another process stores into pages and has them written back while they are copied: all but that is the copy."""
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        m = side.maps[1]
        os.write(tell, b"x")
        while os.getppid() != 1:
            for i in range(N):
                m[i * PAGE:i * PAGE + 8] = b"somebody"
            m.flush()
    os.read(ready, 1)
    wrong = []
    for n in range(rounds):
        what = bytes([ord("a") + n % 26])
        os.pwrite(side.fds[0], what * N * PAGE, 0)
        side.copy(0, 1, 0, 0, N * PAGE)
        data = os.pread(side.fds[1], N * PAGE, 0)
        wrong += [(n, i) for i in range(N) if data[i * PAGE + 8:(i + 1) * PAGE] != what * (PAGE - 8)]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    same(wrong, [], "pages that are not what was copied last")


def main():
    sides = [Side(d) for d in sys.argv[1:3]]
    rng = random.Random(1)
    for step in range(STEPS):
        name, given = draw(rng)
        results = [getattr(s, name)(*given) for s in sides]
        same(results[0], results[1], f"step {step}: {name}")
        if step % 10 == 0:
            ours, theirs = (s.seen() for s in sides)
            for i in range(2 * MAPPED):
                for k, what in enumerate(("mapping", "read", "size")):
                    same(ours[i][k], theirs[i][k], f"step {step}: {name}: {what} of file {i}")

    for side in sides:
        store_beside(side, 20 * STEPS)

        store_meanwhile(side, STEPS // 10)

    # Somebody else's copy takes suid and sgid away, root's does not.
    for side in sides:
        path = side.paths[1]
        for uid, mode in ((1000, 0), (0, 0o6000)):
            os.chmod(path, 0o6777)
            child = os.fork()
            if child == 0:
                os.setuid(uid)
                side.copy(0, 1, 0, 0, PAGE)
                os._exit(0)
            same(os.waitpid(child, 0)[1], 0, "the copier")
            same(stat.S_IMODE(os.stat(path).st_mode) & 0o6000, mode, f"suid and sgid after a copy by {uid}")


main()
