#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An equal secret in two domains is never shared: not when it is copied, moved, linked or given away, and not after a takeover.
# Within one it is, so that the test could tell.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

cat >"$T/domains.py" <<'PY'
import errno, os, subprocess, sys
from pages import *

os.chdir(sys.argv[1])
by, step = sys.argv[2:4]
ALICE, BOB, SECRET = 65001, 65002, content("secret", 64)


class User:
    """What is made meanwhile is made by that user; root otherwise."""

    def __init__(self, uid):
        self.uid = uid

    def __enter__(self):
        os.seteuid(self.uid)

    def __exit__(self, *exc):
        os.seteuid(0)


def command(user, *words):
    return subprocess.run(words, user=user, group=user, extra_groups=[], stderr=subprocess.DEVNULL).returncode


def merged(path):
    lines = dict(line.split() for line in os.getxattr(path, "user.ksmfs.stat").decode().splitlines())
    return int(lines["merged"])


def put(user, path):
    with User(user), open(path, "wb") as f:
        f.write(SECRET)
    os.chmod(path, 0o644)


if step == "begin":
    for name, user in (("a", ALICE), ("b", BOB)):
        os.mkdir(name, 0o777)
        os.chmod(name, 0o777)
    put(ALICE, "a/secret")
    put(BOB, "b/own")
elif step == "cp":
    same(command(BOB, "cp", "a/secret", "b/copied"), 0, "cp")
elif step == "reflink":
    same(command(BOB, "cp", "--reflink=auto", "a/secret", "b/reflinked"), 0, "cp --reflink=auto")
elif step == "mv":
    put(ALICE, "a/moved")
    same(command(0, "mv", "a/moved", "b/moved"), 0, "mv")
    if by == "uid": # it is the same file, and still hers
        os.rename("b/moved", "a/moved")
elif step == "ln":
    if by == "dir":
        fails(errno.EXDEV, os.link, "a/secret", "b/linked")
        fails(errno.EXDEV, os.rename, "a/secret", "b/linked")
        same(command(0, "ln", "a/secret", "b/linked"), 1, "ln")
    else:
        os.link("a/secret", "b/linked")
        os.unlink("b/linked")
elif step == "chown":
    os.chown("b/own", ALICE, ALICE)
    os.chown("a/secret", BOB, BOB)
elif step == "copy_file_range":
    with User(BOB):
        to = os.open("b/ranges", os.O_RDWR | os.O_CREAT, 0o644)
    source = os.open("a/secret", os.O_RDONLY)
    for at in range(0, len(SECRET), 16 * PAGE):
        same(os.copy_file_range(source, to, 16 * PAGE, at, at), 16 * PAGE, "copy_file_range")
    os.close(to)
elif step == "store":
    with User(BOB), open("b/mapped", "w+b") as f:
        f.truncate(len(SECRET))
    store("b/mapped", SECRET)
elif step == "look":
    # one of hers, the others his; of his there are several, which are one
    same(merged("a/secret"), 0, "the secret is shared: pages")
    same(figures(".")["domain"], by, "whose files may share")
    his = [f"b/{name}" for name in os.listdir("b")]
    for path in his:
        same(digest(path), digest("a/secret"), path)
        same(merged(path), 64 if len(his) > 1 else 0, f"{path} within its domain: pages")
    same(figures(".")["pages_shared"], 64 if len(his) > 1 else 0, "pages_shared")
    for name in os.listdir("a"):
        same(name, "secret", "a file that should have gone")
PY

[ "${SCALE:-}" = small ] && kinds=dir
for by in ${kinds:-uid dir}; do
	mount_ksmfs "size=64m,domain=$by" "$T/$by"
	settle "$T/$by"
	for step in begin cp reflink mv ln chown copy_file_range store; do
		python3 "$T/domains.py" "$T/$by" $by $step || die "domain=$by: $step"
		[ "$by.$step" != uid.mv ] || rm "$T/uid/a/moved"
		within 20 scanner_rests "$T/$by" || die "the scanner does not rest"
		python3 "$T/domains.py" "$T/$by" $by look || die "domain=$by: shared after $step"
	done
	M=$T/$by kill_worker
	settle "$T/$by"
	python3 "$T/domains.py" "$T/$by" $by look || die "domain=$by: shared after a takeover"
	"$KSMFS" --upgrade "$T/$by" >/dev/null || die "not upgraded"
	M=$T/$by kill_worker
	python3 "$T/domains.py" "$T/$by" $by cp || die "domain=$by: cp after an upgrade"
	settle "$T/$by"
	python3 "$T/domains.py" "$T/$by" $by look || die "domain=$by: shared after an upgrade"
	"$KSMFS" -o "remount,domain=$by" none "$T/$by" || die "a remount with the same domain"
	if "$KSMFS" -o remount,domain=mount none "$T/$by" 2>/dev/null; then
		die "a remount has changed the domain"
	fi
done
