#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# This project, cloned, built and tested on the mount: compilers, linkers and programs that run from it.
# shellcheck source-path=SCRIPTDIR source=../mount/lib.sh
. "${TESTS:?}/lib.sh"

needs git meson ninja
[ "${SCALE:-}" != small ] || skip "takes too long with a sanitizer"
mount_ksmfs size=1g
export HOME="$T"
git config --global --add safe.directory '*'
mkdir "$M/tmp"
if git -C "${SRC:?}" rev-parse 2>/dev/null; then
	git clone -q "$SRC" "$M/source"
else
	mkdir "$M/source"
	(cd "$SRC" && tar cf - --exclude='./build*' .) | tar xf - -C "$M/source"
fi
export TMPDIR="$M/tmp"
meson setup "$M/build" "$M/source" --buildtype=plain >"$T/log" 2>&1 || die "$(tail -n 20 "$T/log")"
ninja -C "$M/build" >"$T/log" 2>&1 || die "$(tail -n 20 "$T/log")"
"$M/build/fs/ksmfs" --version
meson test -C "$M/build" --no-rebuild --suite unit -t 3 --print-errorlogs >"$T/log" 2>&1 || die "$(tail -n 40 "$T/log")"
sed -n 's/^Ok: */unit tests passed: /p' "$T/log"
ninja -C "$M/build" >"$T/log" 2>&1
grep -q 'no work to do' "$T/log" || die "times are not what they were: $(head "$T/log")"
rm -rf "${M:?}"/*
expect_empty
