#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An empty mount takes less than 10 MiB over all its processes, whatever its size, besides 4 MiB of receive buffers.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

[ "${SCALE:-}" != small ] || skip "a sanitizer has memory of its own"
unset MALLOC_PERTURB_ # which touches what nobody uses
for size in 64m 1g 100g 16t; do
	mount_ksmfs size=$size
	python3 - "$M" $size <<-'PY'
		import sys
		from footprint import Footprint

		now = Footprint(sys.argv[1])
		buffers = now.files.get("ksmfs-session", 0)
		assert now.pss - buffers < 10 << 20, f"size={sys.argv[2]}: {now}"
		assert buffers <= 4 << 20, f"size={sys.argv[2]}: receive buffers of {buffers} bytes"
		assert now.files.get("ksmfs-frames", 0) == 0, f"size={sys.argv[2]}: {now}"
		print(f"size={sys.argv[2]}: {now}")
	PY
	unmount "$M"
done
