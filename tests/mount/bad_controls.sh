#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Garbage to a control file is EINVAL, and nothing changes.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs
python3 - "$M/.ksmfs" <<'PY'
import errno, os, sys
from pages import *

os.chdir(sys.argv[1])

def write(name, data):
    fd = os.open(name, os.O_WRONLY)
    try:
        return os.write(fd, data)
    finally:
        os.close(fd)

def value(name):
    return open(name, "rb").read()

garbage = (b"3", b"-1", b"", b"\n", b"x", b"1x", b"1 1", b"1\n1", b" 1", b"+1", b"0x1", b"1.0", b"\0", b"1\0",
           b"\xff", b"9" * 30, b"1" * 5000, b"run")
for name in ("run", "merge_on_write", "pages_to_scan", "sleep_millisecs"):
    before = value(name)
    for data in garbage:
        if data == b"3" and name not in ("run", "merge_on_write"):
            continue
        if data == b"":
            continue
        try:
            write(name, data)
        except OSError as e:
            assert e.errno in (errno.EINVAL, errno.ERANGE), (name, data, e)
        else:
            raise AssertionError(f"{name} took {data!r}")
        same(value(name), before, f"{name} after {data[:30]!r}")
for value_ in (b"4294967296", b"18446744073709551616"):
    for name in ("pages_to_scan", "sleep_millisecs"):
        try:
            write(name, value_)
            raise AssertionError(f"{name} took {value_!r}")
        except OSError as e:
            assert e.errno in (errno.EINVAL, errno.ERANGE), e
same(write("pages_to_scan", b"200\n"), 4, "a good value")
same(value("pages_to_scan"), b"200\n", "is kept")
same(write("pages_to_scan", b"100"), 3, "a good value without newline")

# What is only read cannot be written, and nothing can be made or taken away here.
for name in ("pages_sharing", "stats", "store/frames"):
    fails_any = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EINVAL)
    try:
        write(name, b"1")
        raise AssertionError(f"{name} was written")
    except OSError as e:
        assert e.errno in fails_any, e
for call in (lambda: os.open("new", os.O_CREAT | os.O_WRONLY), lambda: os.unlink("run"), lambda: os.mkdir("d"),
             lambda: os.rename("run", "../run"), lambda: os.link("run", "../run"), lambda: os.rmdir("."),
             lambda: os.rmdir("../.ksmfs"), lambda: os.rename("../.ksmfs", "../x"), lambda: os.mkdir("../.ksmfs"),
             lambda: os.symlink("x", "../.ksmfs"), lambda: os.open("absent", os.O_RDONLY)):
    try:
        call()
    except OSError:
        continue
    raise AssertionError("the control directory was changed")
os.listdir(".")
PY
