# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of upgrade.sh.

work DIRECTORY STOP    use DIRECTORY in every way until the file STOP exists; whatever is not as it must be is an error
order SOCKET WORD [PROGRAM]  ask a supervisor as `ksmfs --upgrade` does, but with any word and any file
"""
import fcntl
import mmap
import os
import socket
import struct
import sys
import threading

PAGES = int(os.environ["PAGES"])


def store(where, stop):
    """Each page of a mapping says which round it is of: one round is stored while the one before is looked at."""
    path = os.path.join(where, f"map{threading.get_ident()}")
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, PAGES * 4096)
    m = mmap.mmap(fd, PAGES * 4096)
    rounds = 0
    while not os.path.exists(stop) or rounds < 2:
        for page in range(PAGES):
            assert m[page * 4096:page * 4096 + 8] == struct.pack("<Q", rounds), "a page of another round"
            m[page * 4096:page * 4096 + 8] = struct.pack("<Q", rounds + 1)
        rounds += 1
        if rounds % 3 == 0:
            m.flush()
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        assert os.pread(fd, 8, 4096 * (rounds % PAGES)) == struct.pack("<Q", rounds)
    os.unlink(path)
    assert os.fstat(fd).st_nlink == 0


def names(where, stop):
    """What is made is there, once, and what is removed is gone."""
    d = os.path.join(where, f"names{threading.get_ident()}")
    os.mkdir(d)
    rounds = 0
    while not os.path.exists(stop) or rounds < 2:
        a, b, c = (os.path.join(d, f"{n}{rounds}") for n in "abc")
        with open(a, "x") as f:
            f.write(str(rounds))
        os.link(a, b)
        os.rename(b, c)
        os.setxattr(a, "user.round", str(rounds).encode())
        os.symlink("a", b)
        os.mkdir(a + ".d")
        assert sorted(os.listdir(d)) == sorted(os.path.basename(p) for p in (a, b, c, a + ".d"))
        assert os.stat(c).st_nlink == 2 and os.getxattr(c, "user.round") == str(rounds).encode()
        os.unlink(a)
        assert open(c).read() == str(rounds)
        os.unlink(b)
        os.unlink(c)
        os.rmdir(a + ".d")
        assert not os.listdir(d)
        rounds += 1
    os.rmdir(d)


def hold(where, stop):
    """Locks stay locked, and what is open without a name stays readable."""
    path = os.path.join(where, f"held{threading.get_ident()}")
    f = open(path, "w+")
    fcntl.lockf(f, fcntl.LOCK_EX)
    gone = open(path + ".gone", "w+")
    gone.write("content")
    gone.flush()
    os.unlink(gone.name)
    while not os.path.exists(stop):
        pid = os.fork()
        if not pid:
            try:
                fcntl.lockf(open(path, "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0, "the lock is gone"
        assert os.pread(gone.fileno(), 7, 0) == b"content"
    os.unlink(path)


def work(where, stop):
    failed = []

    def run(f):
        try:
            f(where, stop)
        except BaseException as e:
            failed.append(f"{f.__name__}: {e!r}")

    threads = [threading.Thread(target=run, args=(f,)) for f in (store, store, names, names, hold)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        sys.exit("; ".join(failed))


def order(path, word, program=None):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(30)
    s.connect(path)
    if program:
        socket.send_fds(s, [word.encode()], [os.open(program, os.O_RDONLY)])
    else:
        s.send(word.encode())
    print(s.recv(1000).decode())


globals()[sys.argv[1]](*sys.argv[2:])
