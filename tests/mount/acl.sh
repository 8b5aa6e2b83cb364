#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Access control lists: who may do what, and what modes, umasks and directories make of them, is as on a tmpfs.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs getfacl setfacl setpriv

at_end() {
	umount "$T/tmpfs"
}
chmod 755 "$T"
mkdir "$T/tmpfs"
mount -t tmpfs -o size=512m,mode=0755 tmpfs "$T/tmpfs" || skip "no tmpfs can be mounted"
setfacl -m u:1000:r "$T/tmpfs" 2>/dev/null || skip "this kernel's tmpfs keeps no access control lists"
setfacl -b "$T/tmpfs"
mount_ksmfs size=512m,mode=0755

# Run the same on both, each in its root; what is printed must be the same, and more than $1 lines.
both() {
	at_least=$1
	shift
	for at in "$T/tmpfs" "$M"; do
		(cd "$at" && "$@") >"$T/out.${at##*/}" 2>&1 || die "$* in $at: $(cat "$T/out.${at##*/}")"
	done
	diff "$T/out.tmpfs" "$T/out.mnt" || die "different on tmpfs (<) and ksmfs (>): $*"
	[ "$(wc -l <"$T/out.mnt")" -ge "$at_least" ] || die "$* says too little: $(cat "$T/out.mnt")"
}

as() {
	uid=$1
	groups=$2
	shift 2
	setpriv --reuid "$uid" --regid "$uid" --groups "$groups" "$@" 2>&1 || echo "-> $?"
}

show() {
	for name; do
		stat -c '%A %u %g %F' "$name"
		getfacl -cpn "$name"
	done
}

# The mode, the mask and chmod; what is no more than a mode.
lists() {
	touch f
	chmod 640 f
	setfacl -m u:1000:rw,g:1001:r f
	show f
	chmod 600 f
	show f
	chmod 4775 f
	show f
	setfacl -m m::r f
	show f
	setfacl -x u:1000 f
	show f
	setfacl -b f
	show f
	getfattr -m - f
	setfacl -m u::rwx,g::x,o::w f
	getfattr -m - f
	show f
	setfacl -d -m u:1:r f || echo "-> $?"
	mkdir d
	setfacl -d -m u:1000:rwx,g:1001:rx d
	getfattr -m - d
	show d
	setfacl -m u:1000:rx d
	getfattr -m - d
	show d
	setfacl -k d
	show d
	setfacl -b d
	show d
	rm -r f d
}
both 80 lists

# Who may: owner, named user, mask, groups, others.
access() {
	mkdir d
	echo text >d/f
	chmod 700 d
	chmod 600 d/f
	as 1000 1000 cat d/f
	setfacl -m u:1000:x d
	setfacl -m u:1000:r d/f
	as 1000 1000 cat d/f
	as 1001 1001 cat d/f
	as 1000 1000 sh -c 'echo more >>d/f'
	setfacl -m u:1000:rw d/f
	as 1000 1000 sh -c 'echo more >>d/f'
	setfacl -m m::r d/f
	as 1000 1000 sh -c 'echo more >>d/f'
	as 1000 1000 cat d/f
	chmod g-r d/f
	as 1000 1000 cat d/f
	setfacl -m g:1005:x d
	setfacl -m g:1005:rw d/f
	as 1001 1001,1005 cat d/f
	as 1001 1001 cat d/f
	setfacl -m u:1000:- d/f
	chmod o+rwx d d/f
	as 1000 1000 cat d/f
	as 1002 1002 cat d/f
	as 1000 1000 setfacl -m u:1000:rw d/f
	chown 1000 d/f
	as 1000 1000 setfacl -m u:1001:rw d/f
	as 1001 1001 sh -c 'echo other >>d/f; cat d/f'
	as 1001 1001 chmod 777 d/f
	show d d/f
	rm -r d
}
both 30 access

# What is made in a directory with a default list, and in one without.
inherit() {
	for mask in 000 022 027 077 777; do
		mkdir "m$mask"
		cd "m$mask"
		for list in none u:1000:rwx,g::rx,m::rwx,o::- u::rx,g::-,o::- u:1000:rw,g:1001:x,m::r,o::rx; do
			mkdir d
			[ $list = none ] || setfacl -d -m $list d
			(
				umask $mask
				cd d
				echo >redirected
				mkdir dir dir/dir
				mkfifo fifo
				mknod null c 1 3
				ln -s redirected link
				mkdir -m 700 private
				python3 -c 'import os, socket
for mode in (0o666, 0o600, 0o777, 0o4755, 0):
    os.close(os.open(f"open{mode:o}", os.O_CREAT | os.O_WRONLY, mode))
    os.mknod(f"node{mode:o}", mode)
    os.mkdir(f"dir{mode:o}", mode)
    fd = os.open(".", os.O_TMPFILE | os.O_WRONLY, mode)
    print("unnamed", oct(os.fstat(fd).st_mode), os.listxattr(fd))
    os.link(f"/proc/self/fd/{fd}", f"unnamed{mode:o}", follow_symlinks=True)
socket.socket(socket.AF_UNIX).bind("socket")'
				cp redirected copied
				cp -p redirected kept
				install -m 751 redirected installed
				tar -cf t.tar redirected dir
				mkdir out
				tar -C out -xf t.tar
				find . | sort | while read -r name; do
					[ -h "$name" ] || show "$name"
				done
				stat -c %A link
			)
			rm -r d
		done
		cd ..
		rm -r "m$mask"
	done
}
both 1000 inherit

# Bits that a list, or its inheritance, must not leave standing.
sgid() {
	mkdir d
	chown 1000:1005 d
	chmod 2775 d
	for who in '1000 1000' '1000 1000,1005' '0 0'; do
		# shellcheck disable=SC2086
		set -- $who
		touch f
		chown 1000:1005 f
		chmod 6775 f
		as "$1" "$2" setfacl -m u:1001:rwx f
		show f
		chmod 6775 f
		as "$1" "$2" setfacl -b f
		show f
		as "$1" "$2" setfacl -m u:1001:rwx d
		show d
		chmod 2775 d
		as "$1" "$2" setfacl -d -m u:1001:rwx d
		show d
		as "$1" "$2" sh -c 'touch d/new; mkdir d/sub'
		show d/*
		as "$1" "$2" setfacl -m u:1001:r d/new
		as "$1" "$2" chmod 2755 d/new
		show d/new
		rm -r d/* f
		setfacl -b -k d
		chmod 2775 d
	done
	rm -r d
}
both 60 sgid

# What must be kept apart from a change of ours: an open file, a copy, another link, a rename, times.
life() {
	touch f
	setfacl -m u:1000:rw f
	ln f g
	mv f h
	show g h
	cp -a g copy
	show copy
	rm g
	show h
	exec 3<>h
	rm h
	getfacl -cpn /proc/self/fd/3
	setfacl -m u:1001:r /proc/self/fd/3
	getfacl -cpn /proc/self/fd/3
	exec 3<&-
	before=$(stat -c %z copy)
	sleep 0.02
	setfacl -m u:1002:r copy
	[ "$before" != "$(stat -c %z copy)" ] && echo "changed"
	before=$(stat -c %z copy)
	sleep 0.02
	chmod 640 copy
	[ "$before" != "$(stat -c %z copy)" ] && echo "changed"
	show copy
	chown 1000:1000 copy
	echo >>copy
	truncate -s 10 copy
	show copy
	rm copy
}
both 30 life

# Bytes that are no list.
cat >"$T/bytes.py" <<'PY'
import errno, os, random, struct
def outcome(call, *args):
    try:
        return call(*args)
    except OSError as e:
        return errno.errorcode[e.errno]
def acl(*entries, version=2):
    return struct.pack("<I", version) + b"".join(struct.pack("<HHI", *e) for e in entries)
NONE = 0xffffffff
good = acl((1, 7, NONE), (2, 6, 1000), (4, 5, NONE), (8, 3, 1001), (16, 7, NONE), (32, 1, NONE))
plain = acl((1, 6, NONE), (4, 4, NONE), (32, 0, NONE))
values = [good, plain, b"", good[:4], b"junk", acl((1, 7, NONE)), acl(version=1), acl(version=3), good + b"\0"]
values += [good[:n] for n in range(len(good))]
values += [acl(*[(1, 7, NONE)] * 2, (4, 7, NONE), (32, 7, NONE)), acl((1, 8, NONE), (4, 7, NONE), (32, 7, NONE)),
           acl((1, 7, NONE), (2, 7, NONE), (4, 7, NONE), (16, 7, NONE), (32, 7, NONE)),
           acl((1, 7, NONE), (2, 7, 5), (4, 7, NONE), (32, 7, NONE)),
           acl((1, 7, NONE), (2, 7, 5), (2, 6, 5), (4, 7, NONE), (16, 5, NONE), (32, 7, NONE)),
           acl((1, 7, NONE), (4, 3, NONE), (16, 5, NONE), (32, 7, NONE)),
           acl((1, 7, 5), (4, 3, 6), (32, 7, 7))]
rng = random.Random(5)
for _ in range(300):
    damaged = bytearray(good)
    damaged[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
    values.append(bytes(damaged))
open("f", "w").close()
os.mkdir("d")
os.symlink("f", "l")
for n, value in enumerate(values):
    for name in "f", "d", "l":
        for kind in "access", "default":
            attr = "system.posix_acl_" + kind
            follow = name != "l"
            set_ = lambda: os.setxattr(name, attr, value, follow_symlinks=follow)
            get = lambda: os.getxattr(name, attr, follow_symlinks=follow)
            print(n, name, kind, outcome(set_), outcome(get), oct(os.lstat(name).st_mode))
for entries in (100, 507):
    long = acl((1, 7, NONE), *[(2, 6, n) for n in range(entries)], (4, 5, NONE), (16, 7, NONE), (32, 1, NONE))
    print(entries, outcome(os.setxattr, "f", "system.posix_acl_access", long),
          outcome(os.getxattr, "f", "system.posix_acl_access") == long)
os.unlink("f"), os.rmdir("d"), os.unlink("l")
PY
both 2000 python3 "$T/bytes.py"

# In .ksmfs/ there are none, and everybody gets as far as modes let him.
as 1000 1000 cat "$M/.ksmfs/run" >"$T/run"
[ "$(cat "$T/run")" = 1 ] || die "a user cannot read .ksmfs/run: $(cat "$T/run")"
getfacl -cp "$M/.ksmfs/run" >/dev/null || die "getfacl of a control file"
! setfacl -m u:1000:rw "$M/.ksmfs/run" 2>/dev/null || die "a control file has a list"
