#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What a file of /sys/kernel/mm/ksm refuses, the file of that name in .ksmfs/ refuses with the same errno.
#
# Every text is written to both.  Where the kernel takes one, its old value is put back at once; texts that would make
# KSM's own scanner run are never written to it.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

KSM=/sys/kernel/mm/ksm
[ -d $KSM ] || skip "this kernel has no KSM"
for file in "$KSM"/*; do
	name=${file##*/}
	[ "$(stat -c %a "$file")" = 644 ] || continue
	value=$(cat "$file")
	[ "$name" = advisor_mode ] && value=$(echo "$value" | sed 's/.*\[\(.*\)\].*/\1/')
	printf '%s %s\n' "$name" "$value" >>"$T/ksm"
done
grep -qx 'advisor_mode scan-time' "$T/ksm" && skip "KSM's advisor is at work"
awk '$1 == "sleep_millisecs" { print $2 }' "$T/ksm" 2>"$T/err" >$KSM/sleep_millisecs || skip "$KSM cannot be written"

# Whatever happens: the kernel's settings are as they were.  A change of the advisor sets pages_to_scan, so that comes last.
at_end() {
	wrong=0
	for pass in first last; do
		while read -r name value; do
			[ "$name" = run ] && continue
			[ "$pass" = last ] || [ "$name" != pages_to_scan ] || continue
			[ "$name" = advisor_mode ] && [ "$(sed 's/.*\[\(.*\)\].*/\1/' "$KSM/$name")" = "$value" ] && continue
			[ "$(cat "$KSM/$name")" = "$value" ] || echo "$value" >"$KSM/$name" || wrong=1
		done <"$T/ksm"
	done
	return $wrong
}

mount_ksmfs size=64m
python3 - "$M" "$KSM" <<'PY'
import errno, os, random, sys
from pages import *

mount, ksm = sys.argv[1], sys.argv[2]
ours = os.path.join(mount, ".ksmfs")

def write(directory, name, data):
    """0, or the errno."""
    fd = os.open(os.path.join(directory, name), os.O_WRONLY)
    try:
        os.write(fd, data)
        return 0
    except OSError as e:
        return e.errno
    finally:
        os.close(fd)

def read(directory, name):
    with open(os.path.join(directory, name), "rb") as f:
        return f.read()

def plain(text):
    """What can be written back: of a choice the present word."""
    return text.split(b"[")[1].split(b"]")[0] if b"[" in text else text

numbers = [0, 1, 2, 3, 7, 9, 10, 99, 100, 101, 256, 500, 30000]
for bits in (7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 127, 128):
    numbers += [2**bits - 1, 2**bits, 2**bits + 1]
numbers += [10**n for n in range(9, 45)]
texts = {b"\n", b"\n\n", b" ", b"  ", b"\t", b"\0", b"\0\0", b"\n0", b"\r\n", b"+", b"-", b"+\n", b"-\n", b"+-1", b"-+1", b"--1",
         b"++1", b"1 2", b"1\n2", b"1\n2\n", b"1\0", b"1\0002", b"2\0junk", b"1,5", b"1.5", b"1e3", b"1_000", b"10k", b"1M", b"%d",
         b"0x", b"0x0", b"0x1", b"0X10", b"010", b"0b1", b"08", b"ffff", b"deadbeef", b"a", b"A", b"1a", b"inf", b"nan", b"NULL",
         b"null", b"one", b"true", b"TRUE", b"false", b"yes", b"no", b"on", b"ON", b"of", b"off", b"o", b"O", b"on1", b"oof",
         b"y", b"Y", b"n", b"N", b"t", b"T", b"f", b"F", b"e", b"E", b"d", b"D", b"enable", b"disabled", b"none", b"None",
         b"NONE", b"none ", b" none", b"none\n", b"none\n\n", b"nonenone", b"non", b"none\0x", b"scan-time", b"scan-time\n",
         b"scan_time", b"scan time", b"scan-time\n\n", b"Scan-time", b"scan-tim", b"scan-times", b"[none] scan-time",
         b"none [scan-time]", b"none|scan-time", b"[none]", b"auto", b"default", b"\xff", b"\x80", b"\xc2\xa01", b"\xef\xbb\xbf1",
         "\u0661".encode(), b"1" * 64, b"1" * 129, b"9" * 4000, b"9" * 4096, b"9" * 4097, b"9" * 9000, b"x" * 5000,
         b"0" * 4000 + b"5", b"\0" * 100, b"\n" * 100, b"99999999999\0", b"9" * 4096 + b"x", b"9" * 30 + b"\0x"}
for n in numbers:
    for form in ("%d", "%d\n", "-%d", "+%d", " %d", "%d ", "%d\n\n", "0%d", "%dx", "%d %d" % (n, n) + "%.0s", "%d\0", "-%dx", "0x%x",
                 "%d.0", "\n%d"):
        texts.add((form % n).encode())
rng = random.Random(1)
for _ in range(500):
    texts.add(bytes(rng.choice(b"0123456789+-x \n\0oOnNfFyY\xff") for _ in range(rng.randrange(1, 12))))
texts = sorted(texts)

def starts_ksm(data):
    """Would the kernel take this for `run`? Then it is not for the kernel."""
    text = data[:4096].split(b"\0")[0]
    text = text[1:] if text[:1] == b"+" else text
    text = text[:-1] if text[-1:] == b"\n" else text
    return text.isdigit() and int(text) <= 2

names = [n for n in sorted(os.listdir(ksm)) if os.access(os.path.join(ours, n), os.F_OK) and
         os.stat(os.path.join(ksm, n)).st_mode & 0o222]
assert "run" in names and "pages_to_scan" in names, names

def compare(name, where=""):
    refused = differ = 0
    before, kernels = read(ours, name), read(ksm, name)
    for data in texts:
        if name == "run" and starts_ksm(data):
            continue
        want = write(ksm, name, data)
        if not want:
            write(ksm, name, plain(kernels))
        got = write(ours, name, data)
        after = read(ours, name)
        if name == "max_page_sharing" and not got and int(after) == 0:
            continue # our "no cap", which KSM cannot do
        if want and want != errno.EBUSY: # by what KSM shares just now
            refused += 1
            same(got, want, f"{name}{where} = {data[:40]!r}: errno")
        if got:
            differ += not want
            same(after, before, f"{name}{where} after {data[:40]!r} was refused")
        elif after != before and write(ours, name, plain(before)):
            raise AssertionError(f"{name}{where}: {before!r} cannot be written back after {data[:40]!r}")
    same(read(ksm, name), kernels, f"KSM's {name}")
    print(f"{name}{where}: {refused} of {len(texts)} refused by both, {differ} by ours alone")
    assert refused > 100, "the texts are not what they should be"

for name in names:
    # An advisor that is changed and changed back has set pages_to_scan.
    pages = read(ksm, "pages_to_scan")
    compare(name)
    if read(ksm, "pages_to_scan") != pages:
        write(ksm, "pages_to_scan", pages)

# With an advisor, pages_to_scan is refused whatever is written.
if "advisor_mode" in names:
    before = {n: read(ksm, n) for n in ("advisor_mode", "pages_to_scan")}
    write(ours, "run", b"0")  # or a pass may end, and the advisor think again
    try:
        for directory in (ksm, ours):
            same(write(directory, "advisor_mode", b"scan-time"), 0, directory)
        same(plain(read(ours, "pages_to_scan")), b"500\n", "pages_to_scan of a new advisor")
        for data in (read(ours, "pages_to_scan"), b"100", b"0", b"x"):
            same(write(ksm, "pages_to_scan", data), errno.EINVAL, f"KSM's pages_to_scan = {data!r}")
            same(write(ours, "pages_to_scan", data), errno.EINVAL, f"pages_to_scan = {data!r}")
    finally:
        same(write(ksm, "advisor_mode", plain(before["advisor_mode"])), 0, "KSM's advisor")
        write(ksm, "pages_to_scan", before["pages_to_scan"])
    same(write(ours, "advisor_mode", b"none"), 0, "no advisor")
    same(read(ours, "pages_to_scan"), b"100\n", "pages_to_scan without an advisor")
    write(ours, "run", b"1")
    same({n: read(ksm, n) for n in before}, before, "KSM's settings")

# What is shared keeps its cap, as in KSM: EBUSY, but for the present value.
store(os.path.join(mount, "file"), page("x", 0) * 16)
with open(os.path.join(ours, "max_page_sharing"), "rb") as f:
    present = f.read()
assert figures(mount)["pages_shared"] == 1, figures(mount)
same(write(ours, "max_page_sharing", b"300"), errno.EBUSY, "a cap while something is shared")
same(write(ours, "max_page_sharing", b"1"), errno.EINVAL, "what is wrong is wrong at any time")
same(write(ours, "max_page_sharing", present), 0, "the present value")
os.unlink(os.path.join(mount, "file"))
PY
[ "$(cat $KSM/run)" = "$(awk '$1 == "run" { print $2 }' "$T/ksm")" ] || die "KSM's run has changed"

# Files that the running kernel lacks are refused by what is written here alone.
for name in run:EINVAL:3 sleep_millisecs:EINVAL:x pages_to_scan:EINVAL:-1 max_page_sharing:EINVAL:1 \
	max_page_sharing:ERANGE:2147483648 use_zero_pages:EINVAL:2 smart_scan:EINVAL:2 advisor_mode:EINVAL:scan \
	advisor_max_cpu:EINVAL:x advisor_min_pages_to_scan:EINVAL:-1 advisor_max_pages_to_scan:EINVAL:18446744073709551616 \
	advisor_target_scan_time:EINVAL:0 max_kernel_pages:EINVAL:-1; do
	python3 - "$M/.ksmfs/" "$name" <<'PY'
import errno, os, sys
from pages import *

name, error, text = sys.argv[2].split(":")
fd = os.open(sys.argv[1] + name, os.O_WRONLY)
fails(getattr(errno, error), os.write, fd, text.encode())
PY
done
