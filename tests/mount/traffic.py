# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that work on a mount until they are told to stop, and know what they must find there."""
import os
import random

from pages import PAGE, Child, Direct, map_file, page, same

FILE_PAGES = 64


def mapped(dir_, seed, go_on):
    """Stores into a shared mapping, and looks at what it holds."""
    rng, held, n = random.Random(seed), {}, 0
    with map_file(f"{dir_}/mapped", FILE_PAGES) as m:
        while go_on():
            at = rng.randrange(FILE_PAGES)
            held[at] = what = page(seed, rng.randrange(40))
            m[at * PAGE:(at + 1) * PAGE] = what
            look = rng.choice(list(held))
            same(m[look * PAGE:(look + 1) * PAGE] == held[look], True, f"mapped page {look}")
            if n % 20 == 19:
                m.flush()
            n += 1
        m.flush()
    direct = Direct(f"{dir_}/mapped")
    for at, what in held.items():
        same(direct.read(at) == what, True, f"page {at} of a mapped file, in the store")
    return n


def written(dir_, seed, go_on):
    """Writes whole pages and parts, past the page cache and through it; truncates; copies by reference."""
    rng, n, path = random.Random(seed), 0, f"{dir_}/written"
    held = bytearray()
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    while go_on():
        at, what = rng.randrange(FILE_PAGES * PAGE), rng.randrange(100)
        if what < 50:
            data = rng.randbytes(rng.randrange(1, 3 * PAGE)) if what < 25 else page(seed, what) * rng.randrange(1, 4)
            at = at if what < 25 else at // PAGE * PAGE
            same(os.pwrite(fd, data, at), len(data), "bytes written")
            held += bytes(max(0, at - len(held)))
            held[at:at + len(data)] = data
        elif what < 55:
            os.ftruncate(fd, at)
            held = held[:at] + bytes(max(0, at - len(held)))
        elif what < 60 and len(held) >= 2 * PAGE:
            pages = len(held) // PAGE // 2
            same(os.copy_file_range(fd, fd, pages * PAGE, 0, pages * PAGE), pages * PAGE, "bytes copied")
            held[pages * PAGE:2 * pages * PAGE] = held[:pages * PAGE]
        elif what < 65:
            os.fsync(fd)
        else:
            length = rng.randrange(1, 5 * PAGE)
            same(os.pread(fd, length, at) == held[at:at + length], True, f"{length} bytes at {at}")
        same(os.fstat(fd).st_size, len(held), "size")
        n += 1
    with open(path, "rb") as f:
        same(f.read() == held, True, "the file, at the end")
    os.close(fd)
    return n


def named(dir_, seed, go_on):
    """Makes, renames, links and removes; each name must lead where it should, and no other be there."""
    rng, n, held = random.Random(seed), 0, {}  # name: what the file says, a list that its links share
    top = f"{dir_}/named"
    os.mkdir(top)
    while go_on():
        new, old = f"n{rng.randrange(60)}", rng.choice(list(held)) if held else None
        what = rng.randrange(7)
        if what < 2 and new not in held:
            fd = os.open(f"{top}/{new}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(fd, str(n).encode())
            os.close(fd)
            held[new] = [str(n)]
        elif what == 2 and old and new != old:
            os.rename(f"{top}/{old}", f"{top}/{new}")
            if held.get(new) is not held[old]:  # two names of one file: nothing happens
                held[new] = held.pop(old)
        elif what == 3 and old and new not in held:
            os.link(f"{top}/{old}", f"{top}/{new}")
            held[new] = held[old]
        elif what == 4 and old:
            os.unlink(f"{top}/{old}")
            del held[old]
        elif what == 5:
            os.mkdir(f"{top}/dir")
            os.symlink("target", f"{top}/dir/link")
            same(os.readlink(f"{top}/dir/link"), "target", "a symbolic link")
            os.unlink(f"{top}/dir/link")
            os.rmdir(f"{top}/dir")
        elif old:
            os.setxattr(f"{top}/{old}", "user.n", str(n).encode())
            same(os.getxattr(f"{top}/{old}", "user.n"), str(n).encode(), "an attribute")
        if old in held:
            with open(f"{top}/{old}") as f:
                same((f.read(), os.fstat(f.fileno()).st_nlink),
                     (held[old][0], sum(text is held[old] for text in held.values())), f"{old}: content and links")
        if n % 20 == 0:
            same(sorted(os.listdir(top)), sorted(held), "the names")
        n += 1
    same(sorted(os.listdir(top)), sorted(held), "the names, at the end")
    return n


class Traffic:
    """Some of each, in processes of their own, below `mount`."""

    def __init__(self, mount, kinds=(mapped, written, named), of_each=2):
        self.ask, self.stop_fd = os.pipe()
        self.children = []
        for kind in kinds:
            for n in range(of_each):
                dir_ = f"{mount}/{kind.__name__}{n}"
                os.makedirs(dir_, exist_ok=True)
                self.children.append(Child(lambda: self.run(kind, dir_, f"{kind.__name__}{n}")))

    def run(self, kind, dir_, seed):
        os.close(self.stop_fd)
        os.set_blocking(self.ask, False)

        def go_on():
            try:
                return bool(os.read(self.ask, 1))
            except BlockingIOError:
                return True
        return kind(dir_, seed, go_on)

    def stop(self):
        """How much each has done; an error of one of them is ours."""
        os.close(self.stop_fd)
        return [child.result()[0] for child in self.children]
