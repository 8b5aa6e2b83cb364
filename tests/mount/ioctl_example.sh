#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The example in ksmfs/ioctl.h compiles as C11 and as C++ without a warning, and does what it says.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

include=${SRC:?}/include
sed -n '/^ \* Example:/,/^ \*\//s/^ \*\t//p' "$include/ksmfs/ioctl.h" >"$T/example.c"
grep -q 'int main' "$T/example.c" || die "there is no example in ksmfs/ioctl.h"
cp "$T/example.c" "$T/example.cc"
warnings='-Wall -Wextra -Wpedantic -Wconversion -Werror'
# shellcheck disable=SC2086
"${CC:-cc}" -std=c11 $warnings -I "$include" "$T/example.c" -o "$T/in_c" || die "as C11"
programs=$T/in_c
for cxx in g++ clang++; do
	command -v $cxx >/dev/null || continue
	# shellcheck disable=SC2086
	$cxx -std=c++11 $warnings -I "$include" "$T/example.cc" -o "$T/in_$cxx" || die "as C++ by $cxx"
	programs="$programs $T/in_$cxx"
done
# Each header alone, in strict C and C++.
for header in control ioctl xattr; do
	printf "#include <ksmfs/%s.h>\nint only;\n" $header >"$T/alone.c"
	"${CC:-cc}" -std=c11 -Wall -Wextra -Wpedantic -Werror -I "$include" -c "$T/alone.c" -o "$T/alone.o" || die "$header.h"
done

mount_ksmfs size=64m
settle
for program in $programs; do
	for name in a b; do
		rm -f "$M/$name"
		python3 -c 'import sys; from pages import *; open(sys.argv[1], "wb").write(content("x", 300) + b"end")' "$M/$name"
	done
	within 10 attr_is pages_sharing 301 || die "pages_sharing: $(attr pages_sharing)"
	said=$("$program" "$M/a") || die "$program fails"
	[ "$said" = "45 of 45 pages are merged" ] || die "$program: $said"
	attr_is pages_sharing 45 || die "$program left $(attr pages_sharing) sharing"
done
if "$T/in_c" "$T/example.c" 2>"$T/err"; then
	die "works outside of a ksmfs"
fi
grep -q KSMFS_IOC_UNMERGEABLE "$T/err" || die "$(cat "$T/err")"
