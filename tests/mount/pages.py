# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages with known content for the mount tests."""
import hashlib
import mmap
import os
import pickle
import random
import time
import traceback

PAGE = 4096
PAGES = int(os.environ.get("PAGES", "1024"))


def page(seed, index):
    """4096 bytes that nothing but the same seed and index gives."""
    return random.Random(f"{seed}.{index}").randbytes(PAGE)


def content(seed, pages=PAGES):
    return b"".join(page(seed, i) for i in range(pages))


def map_file(path, pages=PAGES, create=True):
    """A shared mapping of the file, which is made long enough first."""
    fd = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
    try:
        if create:
            os.ftruncate(fd, pages * PAGE)
        return mmap.mmap(fd, pages * PAGE)
    finally:
        os.close(fd)


def store(path, data):
    """Write a file through a mapping, as applications with shared memory do."""
    with map_file(path, len(data) // PAGE) as m:
        m[:] = data
        m.flush()


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def figures(mnt):
    """The snapshot in .ksmfs/stats: numbers, and words as they are."""
    with open(os.path.join(mnt, ".ksmfs/stats")) as f:
        pairs = [line.split() for line in f]
    return {name: value if value.isalpha() or "-" in value[1:] else int(value) for name, value in pairs}


def same(got, want, what):
    assert got == want, f"{what}: {got!r}, not {want!r}"


def fails(errno_, call, *args, **kw):
    """The call must fail, with this errno."""
    try:
        call(*args, **kw)
    except OSError as e:
        same(e.errno, errno_, f"{call.__name__}{args}: errno")
    else:
        raise AssertionError(f"{call.__name__}{args} succeeded")


class Direct:
    """Pages of a file past the page cache: each call is a request to the daemon."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_DIRECT)
        self.buf = mmap.mmap(-1, PAGE)  # as O_DIRECT wants it: on a page

    def read(self, index):
        same(os.preadv(self.fd, [self.buf], index * PAGE), PAGE, f"reading page {index}")
        return self.buf[:]

    def write(self, index, data):
        self.buf[:] = data
        same(os.pwritev(self.fd, [self.buf], index * PAGE), PAGE, f"writing page {index}")


def hook(mnt, name, value):
    """Arm one of .ksmfs/debug/, which only a build for tests has."""
    with open(os.path.join(mnt, ".ksmfs/debug", name), "w") as f:
        f.write(str(value))


def hook_armed(mnt, name):
    with open(os.path.join(mnt, ".ksmfs/debug", name)) as f:
        return int(f.read())


def wait_for(what, condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"in {seconds} s: not {what}"
        time.sleep(0.005)


class Child:
    """A process that runs call(), timed; its result comes through a pipe."""

    def __init__(self, call):
        self.end, end = os.pipe()
        self.start = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.write(end, pickle.dumps((call(), time.monotonic())))
                os._exit(0)
            finally:
                traceback.print_exc()
                os._exit(1)
        os.close(end)

    def runs(self):
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def result(self):
        """What call() returned, and how many seconds it took."""
        with os.fdopen(self.end, "rb") as f:
            data = f.read()
        same(os.waitpid(self.pid, 0)[1], 0, "a child's exit status")
        value, ended = pickle.loads(data)
        return value, ended - self.start
