#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The databases' file system is full: names are not added (ENOSPC), nothing is half done, everything can be removed,
# and files that are there work as ever.  With space again all works, and index.db catches up.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mkdir "$T/db"
mount -t tmpfs -o size=4m none "$T/db"
at_end() {
	umount "$T/db"
}
mount_ksmfs "size=64m,index=$T/db"
cat >"$T/full.py" <<'PY'
import errno, mmap, os, random, sys, time
from pages import *

mount, db = sys.argv[1:3]
os.chdir(mount)
rng = random.Random(3)

class Model:
    """What is there: name to kind; a call has done all of it or nothing."""
    def __init__(self):
        self.names = {}
        self.refused = 0

    def call(self, done, what, *args):
        try:
            what(*args)
        except OSError as e:
            same(e.errno, errno.ENOSPC, (what, args))
            self.refused += 1
            return False
        done()
        return True

    def add(self, name):
        kind = rng.choice(("file", "file", "dir", "symlink", "link", "fifo"))
        files = [n for n, k in self.names.items() if k == "file"]
        kind = "file" if kind == "link" and not files else kind
        make = {"file": lambda: os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR)), "dir": lambda: os.mkdir(name),
                "symlink": lambda: os.symlink("t" * rng.randrange(1, 3000), name), "fifo": lambda: os.mkfifo(name),
                "link": lambda: os.link(rng.choice(files), name)}[kind]
        return self.call(lambda: self.names.update({name: "file" if kind == "link" else kind}), make)

    def rename(self, old, new):
        return self.call(lambda: self.names.update({new: self.names.pop(old)}), os.rename, old, new)

    def remove(self, name):
        (os.rmdir if self.names[name] == "dir" else os.unlink)(name)
        del self.names[name]

    def compare(self):
        same(sorted(os.listdir(".")), sorted(self.names), "names")
        for name, kind in self.names.items():
            mode = os.lstat(name).st_mode >> 12
            same({8: "file", 4: "dir", 10: "symlink", 1: "fifo"}[mode], kind, name)

def name():
    return "".join(rng.choices("abcdefghijklmnop", k=rng.randrange(20, 255)))

def fill(at):
    fd = os.open(at, os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(fd, bytes(4096))
    except OSError as e:
        same(e.errno, errno.ENOSPC, "filling")
    os.close(fd)

def files_work():
    fd = os.open("kept", os.O_RDWR)
    what = page("full", rng.random())
    os.pwrite(fd, what * 20, 100 * PAGE)
    with mmap.mmap(fd, 200 * PAGE) as m:
        m[PAGE:2 * PAGE] = what
        m[150 * PAGE:151 * PAGE] = what
        m.flush()
        same(m[100 * PAGE:101 * PAGE], what, "a fault")
    same(os.pread(fd, PAGE, 150 * PAGE), what, "a read")
    os.ftruncate(fd, 120 * PAGE)
    os.ftruncate(fd, 200 * PAGE)
    os.fchmod(fd, 0o600 | rng.randrange(0o100))
    os.close(fd)
    os.statvfs(".")

m = Model()
fd = os.open("kept", os.O_CREAT | os.O_RDWR)
os.ftruncate(fd, 200 * PAGE)
os.close(fd)
m.names["kept"] = "file"
for round_, count in enumerate((0, 20, 400, 1500)):
    for _ in range(count):
        assert m.add(name()), "not full yet"
    fill(db + "/fill")
    refused, m.refused, added = m.refused, 0, 0
    longest = 0
    while m.refused < 30:
        added += m.add(name())
        old = rng.choice([n for n in m.names if n != "kept"] or ["kept"])
        if old != "kept":
            m.rename(old, name())
    start = time.monotonic()
    for _ in range(20):
        files_work()
    m.compare()
    same(open(".ksmfs/check").read(), "ok\n", "while it is full")
    worked = time.monotonic() - start
    # A part goes while somebody goes on adding, and takes what that has made free; then all of it.
    for n in rng.sample([n for n in m.names if n != "kept"], (len(m.names) - 1) // 2):
        m.remove(n)
        if rng.random() < 0.3:
            m.add(name())
    files_work()
    m.compare()
    for n in [n for n in m.names if n != "kept"]:
        m.remove(n)
    m.compare()
    files_work()
    os.unlink(db + "/fill")
    for _ in range(50):
        assert m.add(name()), "there is space"
    m.compare()
    for n in [n for n in m.names if n != "kept"]:
        m.remove(n)
    print(f"{count} names, {added} more fitted, all could be removed; 20 rounds on a file took {worked:.2f} s")
PY
python3 "$T/full.py" "$M" "$T/db"

# Extended attributes of a file that goes make room, however many they are: those of another stand behind them.
cat >"$T/xattrs.py" <<'PY'
import errno, os, sys, time
from pages import *

def no_space(call):
    try:
        call()
        return False
    except OSError as e:
        same(e.errno, errno.ENOSPC, "a full disk")
        return True

def within_10_s(call, what):
    until = time.monotonic() + 10
    while not call():
        assert time.monotonic() < until, what
        time.sleep(0.1)

os.chdir(sys.argv[1])
free = os.statvfs(".").f_ffree
for name in "goes", "stays":
    os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
n = 0
while not no_space(lambda: os.setxattr("goes" if n < 30 else "stays", f"user.{n}", bytes(60000))):
    n += 1
assert n > 31, n
with open(sys.argv[2] + "/fill", "wb", buffering=0) as f:
    while not no_space(lambda: f.write(bytes(4096))):
        pass
for name in "goes", "stays":
    os.unlink(name)
    within_10_s(lambda: not no_space(lambda: os.mkdir("new")), f"room when {name} has gone")
    os.rmdir("new")
within_10_s(lambda: os.statvfs(".").f_ffree == free, "what extended attributes took")
os.unlink(sys.argv[2] + "/fill")
PY
python3 "$T/xattrs.py" "$M" "$T/db"

# What index.db missed while there was no space is in it soon.
command -v sqlite3 >/dev/null || exit 0
python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); from pages import *; [store(f"{sys.argv[2]}/{n}", content("s", 64)) for n in "ab"]' \
	"$TESTS" "$M"
settle
head -c 8m /dev/zero >"$T/db/fill" 2>/dev/null || true
rm "$M/b"
cp "$M/a" "$M/c" 2>/dev/null || true
sleep 2
rm "$T/db/fill"
cp "$M/a" "$M/c"
cp "$M/a" "$M/d"
settle
rows_are_right() {
	[ "$(sqlite3 -readonly -cmd '.timeout 1000' "$T/db/index.db" 'SELECT count(*), sum(refs) FROM page' 2>/dev/null)" = \
		"$(attr pages_shared)|$(($(attr pages_shared) + $(attr pages_sharing)))" ]
}
within 10 rows_are_right || die "index.db: $(sqlite3 "$T/db/index.db" 'SELECT count(*), sum(refs) FROM page')"
