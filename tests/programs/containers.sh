#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Two containers with user namespaces of their own, each with a tenant as its /dev/shm: limits hold in one while the other goes
# on, nothing of the mount is in sight, and owners are right; one of them through an idmapped mount. bubblewrap, and crun where it is.
# shellcheck source-path=SCRIPTDIR source=../mount/lib.sh
. "${TESTS:?}/lib.sh"

needs bwrap setpriv
python=/usr/bin/python3
[ -x $python ] || skip "there is no $python"
setpriv --reuid=40001 --regid=40001 --clear-groups bwrap --unshare-all --ro-bind / / true 2>/dev/null ||
	skip "no containers without privileges here"
chmod 755 "$T"
cp "$TESTS/pages.py" "$TESTS/advice.py" "$T"

cat >"$T/inside.py" <<'PY'
import ctypes, errno, mmap, multiprocessing, os, signal, sys
from multiprocessing import shared_memory
import advice
from pages import *

SIZE, INODES = int(sys.argv[1]), int(sys.argv[2])
owner_by_number = sys.argv[3] == "own" # not through an idmapped mount
libc = ctypes.CDLL(None, use_errno=True)
SHM = "/dev/shm"


def say(word):
    print(word, flush=True)


def go(word):
    same(sys.stdin.readline(), word + "\n", "what comes next")


def free():
    s = os.statvfs(SHM)
    return s.f_bavail * s.f_frsize


def system(call, *args):
    r = libc.syscall(call, *args)
    return r if r >= 0 else -ctypes.get_errno()


# --- what is in sight: a directory, its limits, and nothing of what is around it
same(os.getuid(), 0, "root of its own")
same(os.listdir(SHM), [], "what is there")
for path in SHM + "/.ksmfs", SHM + "/.ksmfs/stats", SHM + "/../.ksmfs", SHM + "/../one", SHM + "/../two", "/.ksmfs":
    fails(errno.ENOENT, os.stat, path)
here = os.open(SHM, os.O_RDONLY | os.O_DIRECTORY)
for path in ".ksmfs", "../.ksmfs", "../../.ksmfs", "../one", "../two":
    fails(errno.ENOENT, os.stat, path, dir_fd=here)
s = os.statvfs(SHM)
same((s.f_blocks * s.f_frsize, s.f_files), (SIZE, INODES), "df")
same((os.stat(SHM).st_uid, os.stat(SHM).st_gid), (0, 0), "the owner")


class Handle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("words", ctypes.c_uint * 6)]


# Numbers of the root, and of the controls, do not help either: a handle made of them opens nothing.
own, mount_id = Handle(bytes=24), ctypes.c_int()
if system(303, here, b"", ctypes.byref(own), ctypes.byref(mount_id), 0x1000) == 0: # name_to_handle_at, AT_EMPTY_PATH
    for ino in (1, 0xffffffff << 32, (0xffffffff << 32) + 1, 0xffff0000 << 32):
        words = list(own.words)
        words[0], words[1], words[2] = ino >> 32, ino & 0xffffffff, 0
        other = Handle(bytes=12, type=0x81, words=(ctypes.c_uint * 6)(*words))
        r = system(304, here, ctypes.byref(other), os.O_RDONLY) # open_by_handle_at
        assert r in (-errno.EPERM, -errno.ESTALE), f"a handle of {ino:#x} gives {r}"

# Limits are not the container's to change, nor to see.
for name in "trusted.ksmfs.size", "trusted.ksmfs.inodes":
    fails(errno.EPERM, os.setxattr, SHM, name, b"1g")
    fails(errno.EPERM, os.removexattr, SHM, name)
    fails(errno.ENODATA, os.getxattr, SHM, name)
same([name for name in os.listxattr(SHM) if name.startswith("trusted")], [], "what is listed")
os.mkdir(SHM + "/below")
fails(errno.EPERM, os.setxattr, SHM + "/below", "trusted.ksmfs.size", b"1g")
os.rmdir(SHM + "/below")
if owner_by_number:
    same(advice.stat(SHM)["slots"], 0, "its own sums")
else:
    fails(errno.EPERM, advice.stat, SHM)

# --- what programs do there
block = shared_memory.SharedMemory("block", create=True, size=64 * PAGE)
block.buf[:] = content("alike", 64)
other = shared_memory.SharedMemory("block")
same(bytes(other.buf), content("alike", 64), "shared memory")
context = multiprocessing.get_context("fork")
lock, done = context.Lock(), context.Semaphore(0) # sem_open(3)


def child():
    with lock:
        again = shared_memory.SharedMemory("block")
        again.buf[0:5] = b"child"
        again.close()
        done.release()


p = context.Process(target=child)
p.start()
assert done.acquire(timeout=20), "no semaphore"
p.join()
same(bytes(block.buf[0:5]), b"child", "what a child stored")
st = os.stat(SHM + "/block")
same((st.st_uid, st.st_gid), (0, 0), "the owner of what was made")
other.close()
block.close()
block.unlink()
with open(SHM + "/mine", "wb") as f:
    f.write(content(sys.argv[4], 64))
os.chown(SHM + "/mine", 0, 0)
fails(errno.EINVAL, os.chown, SHM + "/mine", 1, 1) # nobody there
say("sees")

# --- full: by every way, with the errors of tmpfs
go("fill")
room = free()
same(room, SIZE - (64 + 2) * PAGE, "what is free, with two semaphores that are open")
fd = os.open(SHM + "/fill", os.O_CREAT | os.O_RDWR)
chunk, total = os.urandom(PAGE) * 256, 0
try:
    while total <= SIZE:
        total += os.write(fd, chunk) # the last one is short
except OSError as e:
    same(e.errno, errno.ENOSPC, "a write")
same((total, free()), (room, 0), "what fits")
fails(errno.ENOSPC, os.posix_fallocate, fd, total, PAGE)
sparse = os.open(SHM + "/sparse", os.O_CREAT | os.O_RDWR)
os.ftruncate(sparse, 8 * PAGE)
pid = os.fork()
if pid == 0:
    m = mmap.mmap(sparse, 8 * PAGE)
    m[3 * PAGE] = 1
    os._exit(0)
same(os.WTERMSIG(os.waitpid(pid, 0)[1]), signal.SIGBUS, "a store into a hole")
same(os.pwrite(fd, b"again", 0), 5, "what is there can be written")
say("full")
go("names")
os.close(fd)
os.unlink(SHM + "/fill")
made = 0
try:
    for made in range(INODES + 1):
        os.close(os.open(f"{SHM}/n{made}", os.O_CREAT | os.O_WRONLY))
except OSError as e:
    same(e.errno, errno.ENOSPC, "a name")
assert INODES - 8 < made < INODES, f"{made} files of {INODES}"
same(os.statvfs(SHM).f_ffree, 0, "df -i")
say("names")
go("end")
for name in os.listdir(SHM):
    if name != "mine":
        os.unlink(f"{SHM}/{name}")
with open(SHM + "/mine", "rb") as f:
    same(f.read(), content(sys.argv[4], 64), "what was written first")
same(free(), room, "what is free at last")
say("ended")
PY

# The other one: it writes, and nothing ever fails.
cat >"$T/neighbour.py" <<'PY'
import os, sys, mmap
from pages import *

same(os.getuid(), 0, "root of its own")
fd = os.open("/dev/shm/work", os.O_CREAT | os.O_RDWR)
os.ftruncate(fd, 64 * PAGE)
m = mmap.mmap(fd, 64 * PAGE)
os.set_blocking(0, False)
print("ready", flush=True)
rounds = 0
while not os.path.exists("/tmp/stop/stop"):
    data = content(f"round {rounds}", 16)
    same(os.pwrite(fd, data, 0), len(data), "a write")
    m[16 * PAGE:32 * PAGE] = data
    if rounds >= 7:
        os.unlink(f"/dev/shm/new{rounds % 7}")
    with open(f"/dev/shm/new{rounds % 7}", "xb") as f: # an inode, and there is always one
        f.write(data)
    os.posix_fallocate(fd, 48 * PAGE, 8 * PAGE)
    same((os.pread(fd, len(data), 0), m[16 * PAGE:32 * PAGE]), (data, data), "what was written")
    rounds += 1
same(sorted(os.listdir("/dev/shm")), [f"new{n}" for n in range(min(rounds, 7))] + ["work"], "names")
print("rounds", rounds, flush=True)
PY

before_end() {
	[ ! -d "$T/crun/test-$$" ] || crun --root "$T/crun" delete --force "test-$$"
	! is_mounted "$T/mapped" || umount -l "$T/mapped"
}

# No more than the two of them may have, and the root: neither can take what is the other's.
SIZE=$((16 << 20)) INODES=64
mount_ksmfs size=$((2 * SIZE)),nr_inodes=$((2 * INODES + 1))
mkdir "$T/stop"
for name in one two; do
	mkdir -m 700 "$M/$name"
	setfattr -n trusted.ksmfs.size -v $SIZE "$M/$name"
	setfattr -n trusted.ksmfs.inodes -v $INODES "$M/$name"
done

# bwrap_container UID DIRECTORY PROGRAM ARGUMENTS...
bwrap_container() {
	uid=$1 dir=$2
	shift 2
	exec setpriv --reuid="$uid" --regid="$uid" --clear-groups bwrap --unshare-all --uid 0 --gid 0 --die-with-parent \
		--cap-add CAP_SYS_ADMIN --cap-add CAP_DAC_READ_SEARCH --ro-bind / / --proc /proc --dev /dev --bind "$dir" /dev/shm \
		--tmpfs /tmp --ro-bind "$T/stop" /tmp/stop --ro-bind "$T/inside.py" /tmp/inside.py \
		--ro-bind "$T/neighbour.py" /tmp/neighbour.py --ro-bind "$T/pages.py" /tmp/pages.py \
		--ro-bind "$T/advice.py" /tmp/advice.py --setenv PYTHONPATH /tmp $python "$@"
}

# The same by crun, which root starts.
crun_container() {
	uid=$1 dir=$2
	shift 2
	mkdir -p "$T/bundle/root"
	chmod 755 "$T/bundle" "$T/bundle/root"
	chown "$uid:$uid" "$T/bundle/root"
	$python - "$T" "$uid" "$dir" $python "$@" <<'PY'
import json, os, sys
t, uid, shm, *command = sys.argv[1:]
bind = lambda source, at, *more: dict(destination=at, source=source, type="bind", options=["rbind", *more])
mounts = [bind(at, at, "ro") for at in ("/usr", "/bin", "/lib", "/lib64", "/etc") if os.path.exists(at)]
mounts += [dict(destination="/proc", source="proc", type="proc"), dict(destination="/dev", source="tmpfs", type="tmpfs"),
           dict(destination="/tmp", source="tmpfs", type="tmpfs"), bind(shm, "/dev/shm", "rw"), bind(t + "/stop", "/tmp/stop", "ro")]
mounts += [bind(f"{t}/{name}", f"/tmp/{name}", "ro") for name in ("inside.py", "neighbour.py", "pages.py", "advice.py")]
caps = ["CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_FOWNER"]
ids = [dict(containerID=0, hostID=int(uid), size=1)]
config = dict(ociVersion="1.0.2", root=dict(path="root"), mounts=mounts, process=dict(
    args=command, cwd="/", env=["PYTHONPATH=/tmp", "PATH=/usr/bin:/bin", f"PAGES={os.environ['PAGES']}"], user=dict(uid=0, gid=0),
    capabilities=dict.fromkeys(("bounding", "effective", "permitted"), caps)),
    linux=dict(namespaces=[dict(type=n) for n in ("user", "mount", "pid", "ipc", "uts", "network")],
               uidMappings=ids, gidMappings=ids))
with open(t + "/bundle/config.json", "w") as f:
    json.dump(config, f)
PY
	# It is to leave control groups alone, and looks all the same what kind there are.
	# shellcheck disable=SC2016
	exec unshare -m --propagation private sh -c 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"' sh \
		crun --root "$T/crun" --cgroup-manager=disabled run --bundle "$T/bundle" "test-$$"
}

# phases RUNTIME UID DIRECTORY HOW: all of inside.py in the tenant one, while two goes on.
phases() {
	runtime=$1 uid=$2 dir=$3 how=$4
	rm -f "$T/in" "$T/stop/stop"
	mkfifo "$T/in"
	bwrap_container 40002 "$M/two" /tmp/neighbour.py </dev/null >"$T/two.out" 2>&1 &
	ends_with_test
	two=$!
	within 20 grep -q ready "$T/two.out" || die "$runtime, the neighbour: $(cat "$T/two.out")"
	$runtime "$uid" "$dir" /tmp/inside.py "$SIZE" "$INODES" "$how" "$runtime" <"$T/in" >"$T/one.out" 2>&1 &
	ends_with_test
	one=$!
	exec 3>"$T/in"
	for phase in sees full names ended; do
		case $phase in
		full) echo fill >&3 ;;
		names) echo names >&3 ;;
		ended) echo end >&3 ;;
		esac
		within 30 grep -qE "^$phase|rror:|denied" "$T/one.out" || die "$runtime, $phase: $(cat "$T/one.out")"
		grep -q "^$phase" "$T/one.out" || die "$runtime, $phase: $(cat "$T/one.out")"
		[ "$phase" != full ] || [ "$(attr tenants/one/logical_bytes)" = $SIZE ] || die "$runtime: it is not full: $(attr tenants/one/stats)"
		: >"$M/outside" || die "$runtime, $phase: what is outside of both"
		rm "$M/outside"
		sleep 0.1
	done
	exec 3>&-
	wait $one || die "$runtime: $(cat "$T/one.out")"
	touch "$T/stop/stop"
	wait $two || die "$runtime, the neighbour: $(cat "$T/two.out")"
	[ "$(sed -n 's/^rounds //p' "$T/two.out")" -gt 2 ] || die "$runtime: the neighbour stood still: $(cat "$T/two.out")"
	rm "$M/two"/*
}

chown 40001:40001 "$M/one"
chown 40002:40002 "$M/two"
phases bwrap_container 40001 "$M/one" own
[ "$(stat -c %u:%g "$M/one/mine")" = 40001:40001 ] || die "what a container made belongs to $(stat -c %u:%g "$M/one/mine")"
rm "$M/one/mine"

# Through an idmapped mount: on disk root's, in the container its root's, who is 40001 to the system.
chown 0:0 "$M/one"
mkdir "$T/mapped"
if $python "$TESTS/idmap.py" "$M/one" "$T/mapped" 40001 2>"$T/err"; then
	[ "$(stat -c %u "$T/mapped")" = 40001 ] || die "the mapped directory belongs to $(stat -c %u "$T/mapped")"
	phases bwrap_container 40001 "$T/mapped" mapped
	[ "$(stat -c %u:%g "$M/one/mine")" = 0:0 ] || die "what was made through a mapping belongs to $(stat -c %u:%g "$M/one/mine")"
	[ "$(stat -c %u:%g "$T/mapped/mine")" = 40001:40001 ] || die "mapped, it belongs to $(stat -c %u:%g "$T/mapped/mine")"
	rm "$M/one/mine"
	umount "$T/mapped"
else
	echo "no idmapped mounts here: $(cat "$T/err")"
fi

if command -v crun >/dev/null; then
	chown 40003:40003 "$M/one"
	phases crun_container 40003 "$M/one" own
	rm "$M/one/mine"
else
	echo "crun is not installed"
fi
rmdir "$M/one" "$M/two"
expect_empty
