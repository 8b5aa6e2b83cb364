#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# ksmfsctl gives directories limits and takes them away, lists who has some, and says why where it cannot.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs getfattr

ctl=${KSMFSCTL:?}
has() {
	[ "$(getfattr --only-values -n "trusted.ksmfs.$2" "$M/$1" 2>/dev/null)" = "$3" ] || die "$1 has another $2 than '$3'"
}

# Fails with status $1, saying on standard error only, and in one line, something that matches $2.
fails() {
	status=$1 pattern=$2
	shift 2
	got=0
	"$ctl" "$@" >"$T/out" 2>"$T/err" || got=$?
	[ $got = "$status" ] && [ ! -s "$T/out" ] || die "ksmfsctl $*: status $got: $(cat "$T/out" "$T/err")"
	[ "$(wc -l <"$T/err")" = 1 ] || die "ksmfsctl $*: not one line: $(cat "$T/err")"
	grep -qE -- "$pattern" "$T/err" || die "ksmfsctl $*: about something else: $(cat "$T/err")"
}

mount_ksmfs size=64m
chmod 755 "$T"
mkdir "$M/a" "$M/b" "$M/c d" "$M/full" "$M/full/below"
[ "$("$ctl" tenants "$M" | wc -l)" = 1 ] || die "tenants where there are none"
[ "$("$ctl" tenants --json "$M" | tr -d ' \n')" = '[]' ] || die "none, as JSON"

"$ctl" limit size=8m,inodes=1k "$M/a" "$M/c d"
"$ctl" limit inodes=20 "$M/b"
has a size 8m
has a inodes 1k
has "c d" size 8m
has b size ''
has b inodes 20
"$ctl" limit size=4m "$M/a"
has a size 4m
has a inodes 1k
python3 -c 'import sys; open(sys.argv[1], "wb").write(b"x" * (2 << 20))' "$M/a/file"

# What there is, for people and for programs.
"$ctl" tenants "$M" >"$T/out"
grep -qE '^ +4\.0 MiB +2\.0 MiB +1024 +[0-9]+ +[0-9.]+ [KM]iB +[0-9.]+ [KM]iB  a$' "$T/out" || die "a: $(cat "$T/out")"
grep -qE '^ +none +0 bytes +20 +[0-9]+ .* b$' "$T/out" || die "b: $(cat "$T/out")"
[ "$(sed 's/.*  //' "$T/out" | tr '\n' ,)" = 'TENANT,a,b,c d,' ] || die "not these, by name: $(cat "$T/out")"
"$ctl" tenants --raw "$M" | grep -A 4 -x 'tenant a' | grep -qx 'logical_bytes 2097152' || die "--raw"
"$ctl" tenants --json "$M" | python3 -c '
import json, sys
t = {each["tenant"]: each for each in json.load(sys.stdin)}
assert sorted(t) == ["a", "b", "c d"] and t["a"]["size"] == 4 << 20 and t["b"]["nr_inodes"] == 20, t'

# What cannot be.
for bad in size size= inodes= size=1m,nr_inodes=5 1m =1; do
	fails 2 'needs size=' limit "$bad" "$M/a"
done
fails 2 'needs a PATH' limit size=1m
fails 2 'needs size=' limit
fails 2 '-R is not for limit' limit -R size=1m "$M/a"
fails 2 'needs a MOUNT' tenants
fails 1 'no such limit .*less than is in use' limit size=1m "$M/a"
fails 1 'no such limit' limit size=1x "$M/a"
fails 1 'not a directory in the root' limit size=1m "$M/full/below"
fails 1 'only an empty directory' limit size=1m "$M/full"
fails 1 'not a file or directory of a ksmfs' limit size=1m "$T"
fails 1 'no ksmfs is mounted' tenants "$T"
fails 1 'not its root' tenants "$M/a"
cp "$ctl" "$T/ctl"
ctl="setpriv --reuid 65534 --clear-groups $T/ctl"
fails_as_anybody() {
	got=0
	$ctl "$@" >"$T/out" 2>"$T/err" || got=$?
	[ $got = 1 ] && grep -qE 'only root' "$T/err" || die "anybody: ksmfsctl $*: status $got: $(cat "$T/out" "$T/err")"
}
fails_as_anybody limit size=5m "$M/a"
fails_as_anybody tenants "$M"
ctl=$KSMFSCTL
has a size 4m

# The end of a limit, and of a tenant.
"$ctl" limit size=none "$M/a"
has a size ''
"$ctl" limit size=none "$M/a"
fails 1 'still exists' limit inodes=none "$M/a"
rm "$M/a/file"
within 10 "$ctl" limit inodes=none "$M/a" 2>"$T/err" || die "$(cat "$T/err")"
"$ctl" limit size=none,inodes=none "$M/b" "$M/c d"
[ "$("$ctl" tenants "$M" | wc -l)" = 1 ] || die "they have ended: $("$ctl" tenants "$M")"
