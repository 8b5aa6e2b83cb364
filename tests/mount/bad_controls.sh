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

def refused(name, data, errno_):
    before = value(name)
    fails(errno_, write, name, data)
    same(value(name), before, f"{name} after {data[:30]!r}")

# What no control takes.
garbage = (b"-1", b"-0", b"\n", b"\n1", b"x", b" 1", b" on", b"++1", b"+", b"-", b"+-1", b".5", b"\0", b"\0" + b"1", b"1\0",
           b"1\n\0", b"\xff", b"\xd9\xa1", b"run", b"'1'", b"$1", b"[none] scan-time", b"scan-time\n\n", b"scan time",
           b" none", b"\0none", b"none\0", b"5" * 5000, b"0" * 4095 + b"11", b" " * 100000)
numbers = ("run", "pages_to_scan", "sleep_millisecs", "max_page_sharing", "max_kernel_pages", "advisor_target_scan_time",
           "advisor_max_cpu", "advisor_min_pages_to_scan", "advisor_max_pages_to_scan")
bools = ("merge_on_write", "smart_scan", "use_zero_pages")
for name in numbers + bools + ("advisor_mode",):
    for data in garbage:
        large = name == "max_page_sharing" and data == b"5" * 5000
        refused(name, data, errno.ERANGE if large else errno.EINVAL)
    same(write(name, b""), 0, f"{name}: nothing")
for name in numbers:
    for data in (b"1 1", b"1x", b"1\n1", b"1\n\n", b"0x1", b"1.0", b"1e1", b"1,000", b"y", b"on", b"none", b"scan-time"):
        refused(name, data, errno.EINVAL)
    if name != "max_page_sharing":
        for data in (b"18446744073709551616", b"9" * 30, b"9" * 30 + b"x", b"-18446744073709551615"):
            refused(name, data, errno.EINVAL)
for data in (b"none|scan-time", b"none ", b"nonE", b"none,", b"none\n\n", b"scan-tim", b"scan-time1", b"0", b"1", b"on"):
    refused("advisor_mode", data, errno.EINVAL)
for name in bools:
    for data in (b"2", b"3", b"+1", b"o", b"ok", b"O\n", b"9"):
        refused(name, data, errno.EINVAL)
for name, data, errno_ in (
        ("run", b"3", errno.EINVAL), ("run", b"4294967296", errno.EINVAL), ("run", b"4294967297", errno.EINVAL),
        ("pages_to_scan", b"4294967296", errno.EINVAL), ("sleep_millisecs", b"4294967296", errno.EINVAL),
        ("max_page_sharing", b"1", errno.EINVAL), ("max_page_sharing", b"-2", errno.EINVAL),
        ("max_page_sharing", b"2147483648", errno.ERANGE), ("max_page_sharing", b"-2147483649", errno.ERANGE),
        ("max_page_sharing", b"2147483648x", errno.EINVAL), ("max_page_sharing", b"9" * 30 + b"x", errno.ERANGE),
        ("advisor_target_scan_time", b"0", errno.EINVAL), ("advisor_max_cpu", b"0", errno.EINVAL),
        ("advisor_max_cpu", b"101", errno.EINVAL), ("advisor_mode", b"1", errno.EINVAL)):
    refused(name, data, errno_)

# What is understood is kept, in the one way it is written.
for name, data, reads in (("pages_to_scan", b"+200\n", b"200"), ("sleep_millisecs", b"4294967295", b"4294967295"),
                          ("max_kernel_pages", b"18446744073709551615", b"18446744073709551615"),
                          ("max_kernel_pages", b"00", b"0"), ("max_page_sharing", b"2147483647", b"2147483647"),
                          ("smart_scan", b"off", b"0"), ("smart_scan", b"Yes please", b"1"),
                          ("merge_on_write", b"N\n", b"0"), ("use_zero_pages", b"t", b"1"),
                          ("advisor_max_cpu", b"1", b"1")):
    same(write(name, data), len(data), f"{name} = {data!r}")
    same(value(name), reads + b"\n", f"{name} after {data!r}")
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
