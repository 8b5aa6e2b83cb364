#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# With the first tenant the figures of all are root's alone, at once, also for who has them open; a tenant's owner sees his own.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

[ -x /usr/bin/python3 ] || skip "there is no /usr/bin/python3" # that others may run, too
chmod 755 "$T"
cp "$TESTS/pages.py" "$TESTS/advice.py" "$T"
cat >"$T/other.py" <<'PY'
import errno, os, subprocess, sys
sys.path.insert(0, os.path.dirname(sys.argv[0]))
import advice
from pages import *

mount, stat_tool, ctl = sys.argv[1:]
OWNER, OTHER = 1234, 4321
os.chdir(mount)


def modes():
    found = {}
    for path, dirs, files in os.walk(".ksmfs"):
        for name in [*dirs, *files]:
            at = os.path.join(path, name)
            if "/tenants/" not in at and "/debug" not in at:
                found[at] = os.stat(at).st_mode & 0o7777
    return found


def as_user(uid, call, *args):
    """What somebody else gets: what `call` returns, or the errno."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        try:
            os.write(into, repr(call(*args)).encode())
        except OSError as e:
            os.write(into, repr(e.errno).encode())
        os._exit(0)
    os.close(into)
    os.waitpid(pid, 0)
    with open(out) as f:
        return eval(f.read())


def read(path):
    with open(path, "rb") as f:
        return f.read()


def run(*command):
    r = subprocess.run(command, capture_output=True, text=True)
    return r.returncode, r.stdout, r.stderr


everybody = modes()
files = [path for path in everybody if os.path.isfile(path)]
assert len(files) > 50 and {everybody[path] for path in files} == {0o444, 0o644, 0o400}, everybody
same({everybody[path] for path in everybody if os.path.isdir(path)}, {0o555, 0o511}, "directories")
same(everybody[".ksmfs/tenants"], 0o511, "the directory of tenants")
same(everybody[".ksmfs/check"], 0o400, "check")
assert as_user(OTHER, read, ".ksmfs/stats")[:4] == b"run ", "everybody reads figures"
same(as_user(OTHER, advice.stat, ".")["slots"], 0, "figures of the root")
held = [os.open(".ksmfs/" + name, os.O_RDONLY) for name in ("stats", "pages_sharing", "metrics", "run")]
half = os.open(".ksmfs/stats", os.O_RDONLY)
for fd in [*held, half]:
    same(len(os.pread(fd, 1, 0)), 1, "what was opened")
writer = os.open(".ksmfs/run", os.O_WRONLY)

for round_ in range(2):
    # The first one changes everything, and nobody need wait.
    os.mkdir("mine")
    os.mkdir("theirs")
    for name in "mine", "theirs":
        os.setxattr(name, "trusted.ksmfs.size", b"67108864")
    for path in ".ksmfs/stats", ".ksmfs/pages_sharing", ".ksmfs/run", ".ksmfs/store/frames", ".ksmfs/index/directory":
        same(as_user(OTHER, read, path), errno.EACCES, path)
    now = modes()
    same({path: mode & 0o700 if path in files else mode for path, mode in everybody.items()}, now, "modes")
    if round_ == 0:
        for fd in held:
            fails(errno.EACCES, os.pread, fd, 9, 0)
        fails(errno.EACCES, os.pread, half, 9, 5)
    same(os.pwrite(writer, b"1", 0), 1, "a setting, by root")
    assert read(".ksmfs/stats")[:4] == b"run ", "root reads figures"

    # Figures of a tenant are its owner's, who need not see that there are others.
    os.chown("mine", OWNER, OWNER)
    for name in "mine", "theirs":
        with open(name + "/file", "wb") as f:
            f.write(content("secret", 16))
        os.chmod(name + "/file", 0o644)
    same(as_user(OWNER, os.listdir, ".ksmfs/tenants"), errno.EACCES, "a list of tenants")
    same(as_user(OWNER, read, ".ksmfs/tenants/mine/logical_bytes"), b"65536\n", "his own")
    same(len(as_user(OWNER, os.listdir, ".ksmfs/tenants/mine")), len(os.listdir(".ksmfs/tenants/mine")), "his files")
    for path in "mine", "theirs":
        same(os.stat(".ksmfs/tenants/" + path).st_mode & 0o7777, 0o500, path)
        same(os.stat(f".ksmfs/tenants/{path}/stats").st_mode & 0o7777, 0o400, path)
        same(as_user(OTHER, read, f".ksmfs/tenants/{path}/stats"), errno.EACCES, path)
        same(as_user(OTHER, os.listdir, f".ksmfs/tenants/{path}"), errno.EACCES, path)
    same(as_user(OWNER, read, ".ksmfs/tenants/theirs/stats"), errno.EACCES, "those of others")
    same(as_user(OWNER, read, ".ksmfs/stats"), errno.EACCES, "figures of all")
    os.chown("theirs", OTHER, OTHER)
    os.chown("mine", 0, 0)
    same(as_user(OWNER, read, ".ksmfs/tenants/mine/stats"), errno.EACCES, "what was his")
    assert as_user(OTHER, read, ".ksmfs/tenants/theirs/stats")[:5] == b"size ", "a new owner"
    os.chown("mine", OWNER, OWNER)

    # Nor do attributes tell more: sums are for who owns the directory, a file's figures for who may read it.
    os.mkdir("theirs/below")
    for path in ".", "theirs", "theirs/below":
        same(as_user(OWNER, advice.stat, path), errno.EPERM, path)
    same(as_user(OWNER, advice.stat, "mine")["slots"], 16, "sums of his own")
    same(as_user(OTHER, advice.stat, "mine/file")["slots"], 16, "a file that all may read")
    os.chmod("mine/file", 0o600)
    same(as_user(OTHER, advice.stat, "mine/file"), errno.EACCES, "a file that he may not")
    same(advice.stat(".")["slots"], 32, "sums of all, for root")

    # The tools say why.
    for form in [], ["--raw"], ["--json"]:
        status, out, err = as_user(OWNER, run, stat_tool, *form, ".")
        assert status == 1 and not out and "root" in err and err.count("\n") == 1, (status, out, err)
    status, out, err = as_user(OWNER, run, stat_tool, "mine")
    assert status == 1 and not out and "ksmfsctl stat" in err and "not its root" in err and err.count("\n") == 1, err
    status, out, err = as_user(OWNER, run, ctl, "stat", "theirs")
    assert status == 1 and not out and "owner" in err and err.count("\n") == 1, (status, out, err)
    status, out, err = as_user(OWNER, run, ctl, "stat", "--raw", "mine")
    assert status == 0 and "\nslots 16\n" in out, (status, out, err)
    status, out, err = as_user(OWNER, run, ctl, "stop", "mine")
    assert status == 1 and "not its root" in err, err
    same(run(stat_tool, ".")[0], 0, "figures, for root")

    # With the last one everything is everybody's again.
    for name in "mine", "theirs":
        subprocess.run(["rm", "-rf", name], check=True)
    same(modes(), everybody, "modes afterwards")
    assert as_user(OTHER, read, ".ksmfs/stats")[:4] == b"run ", "everybody reads figures again"
    if round_ == 0:
        same([len(os.pread(fd, 9, 0)) > 0 for fd in held], [True] * len(held), "what has been open all the time")
PY
mount_ksmfs size=256m
/usr/bin/python3 "$T/other.py" "$M" "${KSMFS_STAT:?}" "${KSMFSCTL:?}"

# So it is from the start where users, or directories, have domains of their own, tenants or none.
for domain in uid dir; do
	mount_ksmfs "size=64m,domain=$domain" "$T/$domain"
	[ "$(stat -c %a "$T/$domain/.ksmfs/run" "$T/$domain/.ksmfs/stats" | tr '\n' ' ')" = '600 400 ' ] || die "domain=$domain: modes"
	attr stats "$T/$domain" >/dev/null || die "domain=$domain: root reads no figures"
	for path in .ksmfs/stats .ksmfs/metrics .ksmfs/pages_sharing; do
		! setpriv --reuid=4321 --regid=4321 --clear-groups cat "$T/$domain/$path" >/dev/null 2>&1 ||
			die "domain=$domain: anybody reads $path"
	done
	! setpriv --reuid=4321 --regid=4321 --clear-groups "${KSMFSCTL:?}" stat "$T/$domain" >/dev/null 2>&1 ||
		die "domain=$domain: anybody sums up everything"
done

# Names and the index are root's in any case.
dir=$(attr index/directory)
[ "$(stat -c %a:%u "$dir")" = 700:0 ] || die "$dir is for others, too: $(stat -c %a:%u "$dir")"
mkdir "$T/index"
mount_ksmfs "size=64m,index=$T/index" "$T/second"
[ "$(find "$T/index" -type f ! -perm 600 | wc -l)" = 0 ] || die "databases for others: $(ls -l "$T/index")"
