#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Two QEMU guests with their memory on the mount: what is alike in both exists once, what one of them changes is split, and
# each finds its memory as it left it.
# shellcheck source-path=SCRIPTDIR source=../mount/lib.sh
. "${TESTS:?}/lib.sh"

needs qemu-system-x86_64 as ld
case $(uname -m) in
x86_64) ;;
*) skip "the guest is for x86" ;;
esac
[ "${SCALE:-}" != small ] || skip "a sanitizer does not change what a guest does"
alike=7936 # pages that guest.S fills: 1 MiB to 32 MiB, below what the firmware uses
as --32 "${SRC:?}/tests/programs/guest.S" -o "$T/guest.o"
ld -m elf_i386 -Ttext 0x7c00 --oformat binary "$T/guest.o" -o "$T/guest"
mount_ksmfs size=256m

for n in 1 2; do
	mkfifo "$T/$n.in" "$T/$n.out"
	qemu-system-x86_64 -nodefaults -no-user-config -display none -accel tcg -m 64M -machine pc,memory-backend=memory \
		-object memory-backend-file,id=memory,size=64M,mem-path="$M/vm$n",share=on \
		-drive file="$T/guest",format=raw,if=floppy,read-only=on -serial pipe:"$T/$n" 2>"$T/err$n" &
	ends_with_test
done
exec 3>"$T/1.in" 4>"$T/2.in" 5<"$T/1.out" 6<"$T/2.out"

# hears FD CHARACTER: the next one that guest says, after whatever its firmware says.
hears() {
	timeout 30 python3 -c 'import os, sys
while (got := os.read(int(sys.argv[1]), 1)) not in (b"+", b"=", b"!", b"w", b""): pass
sys.exit(got != sys.argv[2].encode() and f"guest {int(sys.argv[1]) - 4} says {got}, not {sys.argv[2]}")' "$1" "$2" || die "$(cat "$T/err$(($1 - 4))")"
}
# Dirty pages are written back, a part at each sync.
saved() {
	sync -f "$M"
	[ "$(attr pages_sharing)" -ge "$1" ] && [ "$(attr pages_sharing)" -le "$2" ]
}
hears 5 +
hears 6 +
for fd in 3 4; do
	printf c >&$fd
done
hears 5 =
hears 6 =
settle
within 60 saved $alike 16384 || die "alike, and only $(attr pages_sharing) pages are shared"
echo "alike: pages_sharing $(attr pages_sharing)"

printf w >&3 # the first changes half of its pages
hears 5 w
within 60 saved $((alike / 2)) $((16384 - alike / 2)) || die "half of them changed, and $(attr pages_sharing) are shared"
echo "half of them changed: pages_sharing $(attr pages_sharing)"
for fd in 3 4; do
	printf c >&$fd
done
hears 5 =
hears 6 = # and the second has not seen it
printf w >&4
hears 6 w
within 60 saved $alike 16384 || die "changed alike, and only $(attr pages_sharing) pages are shared"
set_attr run 2
for fd in 3 4; do
	printf c >&$fd
done
hears 5 =
hears 6 =
