#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# git on the mount: commit, clone in each way, gc, checkout, worktrees; fsck finds nothing and every tree is what was committed.
# shellcheck source-path=SCRIPTDIR source=../mount/lib.sh
. "${TESTS:?}/lib.sh"

needs git
mount_ksmfs size=512m
export HOME="$T" GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
git config --global core.fsync all
git config --global init.defaultBranch main
git config --global advice.detachedHead false

clean() {
	[ -z "$(git -C "$1" status --porcelain)" ] || die "$1 is not clean: $(git -C "$1" status --short | head)"
	git -C "$1" fsck --full --strict >"$T/fsck" 2>&1 || die "fsck of $1: $(cat "$T/fsck")"
}

mkdir "$T/source"
for folder in core fs tests; do
	cp -r "${SRC:?}/$folder" "$T/source"
done
git init -q "$M/one"
cp -r "$T/source/." "$M/one"
git -C "$M/one" add -A
git -C "$M/one" commit -qm first
for n in 1 2 3 4 5 6 7 8 9 10; do
	for f in "$M"/one/core/*.c; do
		echo "/* $n */" >>"$f"
	done
	git -C "$M/one" mv fs/main.c "fs/main.$n" && git -C "$M/one" commit -qam "change $n"
	git -C "$M/one" mv "fs/main.$n" fs/main.c && git -C "$M/one" commit -qam "and back"
done
clean "$M/one"
git clone -q "$M/one" "$M/linked"                      # hard links
git clone -q --no-local "$M/one" "$M/packed"           # a pack through a pipe
git clone -q --bare --no-hardlinks "$M/one" "$M/bare"  # copies
git clone -q --shared "$M/bare" "$M/shared"
for copy in linked packed shared; do
	clean "$M/$copy"
	diff -r -x .git "$M/one" "$M/$copy" || die "$copy is not what was cloned"
done
git -C "$M/packed" checkout -q HEAD~20
diff -r -x .git "$T/source" "$M/packed" || die "the first commit is not what was committed"
git -C "$M/packed" checkout -q main
git -C "$M/linked" worktree add -q "$M/tree" HEAD~20
diff -r -x .git "$T/source" "$M/tree" || die "a worktree of the first commit"
echo more >>"$M/packed/core/fault.c"
git -C "$M/packed" stash -q
git -C "$M/packed" stash pop -q
git -C "$M/packed" commit -qam more
git -C "$M/packed" push -q "$M/bare" main
git -C "$M/linked" pull -q --ff-only "$M/bare" main
for repository in one linked packed bare; do
	git -C "$M/$repository" gc -q --aggressive --prune=now
	git -C "$M/$repository" fsck --full --strict >"$T/fsck" 2>&1 || die "after gc: $(cat "$T/fsck")"
done
clean "$M/shared"
diff -r -x .git "$M/packed" "$M/linked" || die "pull is not push"
rm -rf "${M:?}"/*
expect_empty
