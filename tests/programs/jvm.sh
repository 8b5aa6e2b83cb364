#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# JVMs whose heaps are files of the mount: what is alike in them exists once, and each finds its own data right, whatever its
# collector moved.
# shellcheck source-path=SCRIPTDIR source=../mount/lib.sh
. "${TESTS:?}/lib.sh"

needs java
java --list-modules 2>/dev/null | grep -q '^jdk.compiler' || skip "this java cannot compile"
[ "${SCALE:-}" != small ] || skip "a sanitizer does not change what a JVM does"
shared=32

# What was stored is written back, a part at each sync. G1 has large arrays at the start of regions, so what is alike in
# them is alike page by page; the Parallel collector has them anywhere.
enough() {
	sync -f "$M"
	[ "$(attr pages_sharing)" -ge $((2 * shared * 256 * 9 / 10)) ] || [ $collector = Parallel ]
}

mount_ksmfs size=1g
for collector in G1 Parallel; do
	[ $collector = G1 ] && more=-XX:G1HeapRegionSize=1m || more=
	rm -f "$T/stop"
	pids=
	for i in 1 2 3; do
		java -XX:AllocateHeapAt="$M" -Xms96m -Xmx96m -XX:+Use${collector}GC $more -XX:-UsePerfData \
			"${SRC:?}/contrib/demo.d/Fill.java" $i $shared 4 "$T/ready$collector$i" "$T/stop" >"$T/out$i" 2>&1 &
		pids="$pids $!"
		ends_with_test
	done
	for i in 1 2 3; do
		within 60 test -e "$T/ready$collector$i" || die "$collector, JVM $i: $(cat "$T/out$i")"
	done
	settle
	within 40 enough || true
	saved=$(attr pages_sharing)
	echo "$collector: pages_sharing $saved"
	enough || die "$collector: only $saved pages are shared"
	touch "$T/stop"
	for pid in $pids; do
		wait "$pid" || die "$collector: a JVM's data has changed: $(cat "$T"/out*)"
	done
	expect_empty
done
