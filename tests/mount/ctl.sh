#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# ksmfsctl chooses what is merged, tells what it brings, and where it cannot says why and what to do.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

ctl=${KSMFSCTL:-${BUILD:?}/tools/ksmfsctl}
advice() {
	python3 -c 'import sys; from advice import *; print(advice(sys.argv[1]))' "$1"
}

says() {
	[ "$(advice "$2")" = "$1" ] || die "$2 says $(advice "$2"), not $1"
}

# Fails with status $1, saying on standard error only, and in one line, something that matches $2.
fails() {
	status=$1 pattern=$2
	shift 2
	got=0
	"$ctl" "$@" >"$T/out" 2>"$T/err" || got=$?
	[ $got = "$status" ] || die "ksmfsctl $*: status $got: $(cat "$T/out" "$T/err")"
	[ "$(wc -l <"$T/err")" = 1 ] || die "ksmfsctl $*: not one line: $(cat "$T/err")"
	grep -qE -- "$pattern" "$T/err" || die "ksmfsctl $*: about something else: $(cat "$T/err")"
}

mount_ksmfs size=256m,control=visible
chmod 755 "$T"
mkdir -p "$M/d/e" "$T/elsewhere"
for name in a d/b d/e/c; do
	python3 -c 'import sys; from pages import *; open(sys.argv[1], "wb").write(content("ctl", 256))' "$M/$name"
done
mkfifo "$M/d/fifo"
ln -s ../a "$M/d/link"
ln -s d "$M/todir"
ln "$M/d/b" "$M/d/again"
settle

# One file, several, a directory for what is to come, everything below it.
"$ctl" unmergeable "$M/a"
says 0 "$M/a"
attr_is pages_untracked 256 || die "not at once"
"$ctl" keep "$M/a" "$M/d"
says keep "$M/a"
says keep "$M/d"
says 1 "$M/d/b"
"$ctl" mergeable "$M/a" "$M/d"
says 1 "$M/a"
"$ctl" unmergeable -R "$M/d"
for name in d d/b d/e d/e/c; do
	says 0 "$M/$name"
done
says 1 "$M/a" # the link in it was not followed
"$ctl" -R keep "$M/todir"
says keep "$M/d/e/c"
says 1 "$M"
"$ctl" mergeable --recursive "$M" # with a control directory in it
says 1 "$M/d/e/c"
settle
expect pages_sharing 512

# Other file systems below are left alone, and one error does not end it.
mount_ksmfs size=16m "$M/d/e/other"
touch "$M/d/e/other/file"
"$ctl" unmergeable -R "$M/d"
says 0 "$M/d/e"
says 1 "$M/d/e/other"
says 1 "$M/d/e/other/file"
unmount "$M/d/e/other"
rmdir "$M/d/e/other"
"$ctl" mergeable -R "$M/d"
chown -R 1000 "$M/d/e"
chmod 777 "$M/d" "$M/d/e"
chmod 666 "$M/d/b" "$M/d/e/c"
as_user() {
	setpriv --reuid=1000 --regid=1000 --clear-groups "$@"
}
cp "$ctl" "$T/ksmfsctl"
got=0
as_user "$T/ksmfsctl" unmergeable -R "$M/d" 2>"$T/err" || got=$?
[ $got = 1 ] || die "status $got for what was done in part"
says 1 "$M/d/b"
says 0 "$M/d/e/c"
[ "$(wc -l <"$T/err")" = 3 ] || die "not a line each: $(cat "$T/err")" # d, b and its other name
grep -q "$M/d/b: only its owner" "$T/err" || die "$(cat "$T/err")"
"$ctl" mergeable -R "$M/d"
settle

# Figures.
"$ctl" stat "$M/a" >"$T/out"
grep -qE '^  merged +256 pages +1\.0 MiB' "$T/out" || die "$(cat "$T/out")"
grep -qE '^  mergeable +1 ' "$T/out" || die "$(cat "$T/out")"
"$ctl" stat --raw "$M/a" >"$T/out"
python3 - "$M/a" "$T/out" <<'PY'
import os, sys
from advice import *

text = f"path {sys.argv[1]}\nmergeable 1\n" + os.getxattr(sys.argv[1], STAT).decode()
assert open(sys.argv[2]).read() == text, open(sys.argv[2]).read()
PY
"$ctl" stat -R "$M/d" "$M/a" >"$T/out"
[ "$(grep -cE "KiB  $M/d/(b|again|e/c)\$" "$T/out")" = 3 ] || die "three names of files: $(cat "$T/out")"
grep -qE '^  slots +512 pages +2\.0 MiB' "$T/out" || die "a file with two names counts once: $(cat "$T/out")"
python3 - "$ctl" "$M" <<'PY'
import json, os, subprocess, sys
from pages import *
from advice import *

ctl, mnt = sys.argv[1:]
os.chdir(mnt)
os.mkdir("odd")
names = [b"new\nline", b'quote" and \\', "gr\u00fc\u00df \U0001f600".encode(), b"not utf-8 \xff\xc0\xaf\xed\xa0\x80", b"\x01\x7f tab\t"]
for name in names:
    open(b"odd/" + name, "w").close()

def out(*args):
    return subprocess.run([ctl, "stat", *args], check=True, stdout=subprocess.PIPE).stdout

files = json.loads(out("--json", "-R", "odd").decode())
same({os.fsencode(f["path"]) for f in files}, {b"odd"} | {b"odd/" + n for n in names}, "paths in JSON")
for f in json.loads(out("--json", "a", "d")):
    same({k: v for k, v in f.items() if k not in ("path", "mergeable")}, stat(f["path"]), f["path"])
same(len(json.loads(out("-j", "-R", "d"))), 4, "d, and three files below")
raw = out("--raw", "-R", "odd")
same(raw.count(b"\npath ") + 1, 6, "paths in raw text")
assert b"path odd/new\\nline\n" in raw and b'path odd/quote" and \\\\\n' in raw, raw
for line in out("-R", "odd").splitlines():
    assert not any(c < 32 or c == 127 for c in line), line
PY

# The whole mount.
"$ctl" stop "$M"
attr_is run 0 || die "stop"
expect pages_sharing 512
"$ctl" run "$M"
attr_is run 1 || die "run"
"$ctl" unmerge "$M"
attr_is run 2 && attr_is pages_sharing 0 || die "unmerge: $(attr run), $(attr pages_sharing) sharing"
"$ctl" run "$M/"
settle
expect pages_sharing 512

# What goes wrong.
mount_ksmfs size=16m,control=none "$T/none"
for command in run stop unmerge; do
	fails 1 'control=none' $command "$T/none"
	fails 1 'name the mount point' $command "$M/d"
	fails 1 'no ksmfs is mounted' $command "$T/elsewhere"
	fails 1 'name the mount point' $command "$M/a"
	fails 1 'No such file' $command "$T/absent"
	fails 2 MOUNT $command
	fails 2 MOUNT $command "$M" "$T/none"
	fails 2 -R -R $command "$M"
	fails 2 json --json $command "$M"
done
umount "$T/none"
as_user "$T/ksmfsctl" stop "$M" 2>"$T/err" && die "anybody may stop merging"
grep -q root "$T/err" || die "$(cat "$T/err")"
attr_is run 1 || die "run is $(attr run)"
touch "$T/elsewhere/f"
for command in mergeable unmergeable keep stat; do
	for at in "$T/elsewhere" "$T/elsewhere/f" /proc /dev/null "$M/d/fifo" "$M/.ksmfs/run"; do
		fails 1 'not a file or directory of a ksmfs' $command "$at"
		grep -qF "$at" "$T/err" || die "$at is not in: $(cat "$T/err")"
	done
	fails 1 'No such file' $command "$T/absent"
	fails 2 PATH $command
done
! advice "$T/elsewhere/f" 2>"$T/err" || die "left an attribute elsewhere"
fails 2 'unknown command' frobnicate "$M"
fails 2 'needs a command'
fails 2 'frobnicate' --frobnicate stat "$M"
fails 2 'json' mergeable --json "$M/a"
got=0
"$ctl" stat "$M/a" "$T/absent" "$M/d" >"$T/out" 2>"$T/err" || got=$?
[ $got = 1 ] && grep -q "^$M/d\$" "$T/out" || die "goes on after an error: $(cat "$T/out" "$T/err")"
"$ctl" --help | grep -q unmergeable || die "--help"
"$ctl" --version | grep -q '^ksmfsctl [0-9]' || die "--version"
