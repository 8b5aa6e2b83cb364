# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages with known content for the mount tests."""
import hashlib
import mmap
import os
import random

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
