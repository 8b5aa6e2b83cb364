#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A direct write submitted before a truncation never comes after it: the file is as long as the truncation
# said, and what lies behind reads as zeroes when it is made longer again.
# shellcheck source-path=SCRIPTDIR/../mount
. "${TESTS:?}/lib.sh"

mount_ksmfs
rounds=1000
[ "${SCALE:-}" != small ] || rounds=100
python3 - "$M/file" $rounds <<'PY'
import ctypes, mmap, os, platform, struct, sys

if platform.machine() != "x86_64":
    sys.exit(0)
SETUP, DESTROY, GETEVENTS, SUBMIT, PWRITE = 206, 207, 208, 209, 1
LEN = 1 << 20
libc = ctypes.CDLL(None, use_errno=True)
context = ctypes.c_ulong(0)
assert libc.syscall(SETUP, 8, ctypes.byref(context)) == 0
buf = mmap.mmap(-1, LEN)
buf.write(b"\xaa" * LEN)
address = ctypes.addressof(ctypes.c_char.from_buffer(buf))
fd = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR | os.O_DIRECT)
event = ctypes.create_string_buffer(32)
for n in range(int(sys.argv[2])):
    os.ftruncate(fd, 0)
    os.ftruncate(fd, LEN)  # within the size: only then is a direct write answered later
    iocb = ctypes.create_string_buffer(struct.pack("<QIIHhIQQqQII", 0, 0, 0, PWRITE, 0, fd, address, LEN, 0, 0, 0, 0))
    pointer = ctypes.c_void_p(ctypes.addressof(iocb))
    assert libc.syscall(SUBMIT, context, 1, ctypes.byref(pointer)) == 1
    os.ftruncate(fd, 100)
    assert libc.syscall(GETEVENTS, context, 1, 1, event, None) == 1
    size = os.fstat(fd).st_size
    assert size == 100, size
    os.ftruncate(fd, LEN)
    there = os.open(sys.argv[1], os.O_RDONLY)
    data = os.pread(there, LEN, 0)
    os.close(there)
    assert data[100:] == bytes(LEN - 100), (n, "old bytes beyond the end")
libc.syscall(DESTROY, context)
PY
