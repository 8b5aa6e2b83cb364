#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What processes hold of a mount they hold when another worker has taken over: locks and those who wait for them,
# mappings with dirty pages, files without a name, directories half listed, pipes, sockets, watches, programs that run.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs_resends

mount_ksmfs size=512m
python3 - "$M" <<'PY' || die "a takeover has taken something away"
import fcntl, select, socket, subprocess, sys
from calls import *
from pages import *
from worker import kill_worker

mount = sys.argv[1]
os.chdir(mount)


def takeover(times=2):
    for n in range(times):
        kill_worker(mount)


def lock_word(kind, start, length):
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0)


def free(name, how):
    """Could another process have this lock? It asks, and gives it back."""
    def ask():
        fd = os.open(name, os.O_RDWR)
        try:
            if how == "flock":
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                fcntl.fcntl(fd, fcntl.F_SETLK if how == "posix" else fcntl.F_OFD_SETLK, lock_word(fcntl.F_WRLCK, 10, 5))
        except BlockingIOError:
            return False
        return True
    return Child(ask).result()[0]


def locks():
    held = {}
    for how in ("posix", "ofd", "flock"):
        held[how] = fd = os.open(f"lock.{how}", os.O_RDWR | os.O_CREAT)
        if how == "flock":
            fcntl.flock(fd, fcntl.LOCK_EX)
        else:
            fcntl.fcntl(fd, fcntl.F_SETLK if how == "posix" else fcntl.F_OFD_SETLK, lock_word(fcntl.F_WRLCK, 12, 1))

    def wait():
        os.close(held["flock"])  # our copy of it would hold the lock
        fd = os.open("lock.flock", os.O_RDWR)
        fcntl.flock(fd, fcntl.LOCK_EX)
    waiter = Child(wait)
    wait_for("somebody waits for the lock", lambda: " -> FLOCK" in open("/proc/locks").read())
    takeover()
    for how, fd in held.items():
        same(free(f"lock.{how}", how), False, f"{how}: free while it is held")
    same(waiter.runs(), True, "who waits for a lock that is held still does")
    os.close(held["flock"])
    same(waiter.result()[0], None, "who waits gets it")
    takeover(1)
    os.close(held["posix"])
    os.close(held["ofd"])
    for how in held:
        same(free(f"lock.{how}", how), True, f"{how}: free when it was given back")


def mappings():
    data = content("mapped")
    with map_file("mapped") as m:
        m[:] = data
        takeover(1)
        same(m[:] == data, True, "a mapping holds what was stored")
        for n in range(0, PAGES, 7):
            m[n * PAGE:(n + 1) * PAGE] = page("new", n)
            if n % 70 == 0:
                takeover(1)
        expected = m[:]
        m.flush()
        takeover(1)
        for n in range(PAGES):
            same(m[n * PAGE:(n + 1) * PAGE] == page("new" if n % 7 == 0 else "mapped", n), True, f"page {n} is what was stored")
    d = Direct("mapped")
    same(all(d.read(n) == expected[n * PAGE:(n + 1) * PAGE] for n in range(PAGES)), True, "and so in the store")


def without_a_name():
    fds = [os.open(f"gone{n}", os.O_RDWR | os.O_CREAT) for n in range(20)]
    for n, fd in enumerate(fds):
        os.pwrite(fd, content(f"gone{n}", 3), 0)
        os.unlink(f"gone{n}")
    nameless = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(nameless, b"it gets one")
    os.mkdir("removed")
    removed = os.open("removed", os.O_RDONLY)
    os.rmdir("removed")
    os.mkdir("inside")
    inside = os.open("inside", os.O_RDONLY)
    takeover()
    for n, fd in enumerate(fds):
        same((os.fstat(fd).st_nlink, os.pread(fd, 3 * PAGE, 0)), (0, content(f"gone{n}", 3)), f"file {n} without a name")
        os.pwrite(fd, b"more", 1 << 20)
    takeover(1)
    for fd in fds:
        same(os.pread(fd, 9, 1 << 20), b"more", "what was written to it since")
    linkat(nameless, "", "named", AT_EMPTY_PATH)
    with open("named") as f:
        same(f.read(), "it gets one", "a file that got its name from another worker")
    same((os.fstat(removed).st_nlink, os.listdir(removed)), (0, []), "a removed directory")
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=inside))
    same(os.listdir("inside"), ["file"], "a directory by its descriptor")
    before = os.statvfs(".").f_bfree
    for fd in fds:
        os.close(fd)
    wait_for("the pages of files that are gone are free", lambda: os.statvfs(".").f_bfree >= before + 80)
    for fd in (nameless, removed, inside):
        os.close(fd)


def directories():
    os.mkdir("long")
    for n in range(1500):
        os.close(os.open(f"long/{n:04d}" + "x" * (n % 200), os.O_CREAT | os.O_WRONLY))
    seen, removed, every = [], set(), 200
    with os.scandir("long") as entries:
        for n, e in enumerate(entries):
            seen.append(e.name)
            if n % every == every - 1:
                takeover(1)
                victims = [name for name in os.listdir("long") if name.endswith("x")][:3]
                for name in victims:
                    os.unlink(f"long/{name}")
                    removed.add(name)
                os.close(os.open(f"long/late{n}", os.O_CREAT | os.O_WRONLY))
    same(len(seen), len(set(seen)), "no name comes twice")
    there = {name for name in os.listdir("long") if not name.startswith("late")}
    same(there - set(seen), set(), "names that were there all the time and did not come")
    same(set(seen) - there - removed, {name for name in seen if name.startswith("late")}, "and none that was never there")


def pipes():
    os.mkfifo("fifo")
    reader = os.open("fifo", os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open("fifo", os.O_WRONLY)

    def wait():
        p = select.poll()
        p.register(reader, select.POLLIN)
        return p.poll(60000), os.read(reader, 10)
    waiter = Child(wait)
    s = socket.socket(socket.AF_UNIX)
    s.bind("socket")
    s.listen()
    takeover()
    same(waiter.runs(), True, "who waits in poll still does")
    os.write(writer, b"word")
    same(waiter.result()[0], ([(reader, select.POLLIN)], b"word"), "poll and read of a pipe")
    other = os.open("fifo", os.O_WRONLY | os.O_NONBLOCK)
    os.write(other, b"another")
    same(os.read(reader, 10), b"another", "the pipe, opened since")
    c = socket.socket(socket.AF_UNIX)
    c.connect("socket")
    a = s.accept()[0]
    takeover(1)
    c.send(b"through")
    same(a.recv(10), b"through", "a socket")
    for fd in (reader, writer, other):
        os.close(fd)


def watches():
    fd = libc.inotify_init1(os.O_NONBLOCK)
    checked(libc.inotify_add_watch(fd, b".", 0x100))  # IN_CREATE
    takeover(1)
    os.close(os.open("watched", os.O_CREAT | os.O_WRONLY))
    same(b"watched" in os.read(fd, 4096), True, "a watch on a directory")
    os.close(fd)


def programs():
    for name in ("cat", "true"):
        subprocess.run(["cp", "/bin/" + name, name], check=True)
    p = subprocess.Popen([mount + "/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for n in range(3):
        takeover(1)
        p.stdin.write(b"%d\n" % n)
        p.stdin.flush()
        same(p.stdout.readline(), b"%d\n" % n, "a program that runs from the mount")
        subprocess.run([mount + "/true"], check=True)
    fails(errno.ETXTBSY, os.open, "cat", os.O_WRONLY)
    p.stdin.close()
    same(p.wait(), 0, "its end")


def positions():
    r, a = open("positions", "w+b", buffering=0), open("positions", "ab", buffering=0)
    for n in range(30):
        a.write(b"%03d\n" % n)
        if n % 5 == 0:
            takeover(1)
    got = b""
    for n in range(30):
        got += r.read(4)
        if n % 10 == 0:
            takeover(1)
    same(got, b"".join(b"%03d\n" % n for n in range(30)), "lines appended and read, one by one")


for test in (locks, mappings, without_a_name, directories, pipes, watches, programs, positions):
    test()
PY
