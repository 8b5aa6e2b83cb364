#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Add up the results of several runs of `meson test` in one closing line.

Usage: tally.py DIR, with DIR holding a NAME.json of each run (meson-logs/testlog.json), and the files
`failed` and `skipped`: one line for each thing that never came to run.
"""
import json
import pathlib
import sys

PASSED = {"OK", "EXPECTEDFAIL"}


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def main():
    where = pathlib.Path(sys.argv[1])
    passed = 0
    failed = lines(where / "failed")
    skipped = lines(where / "skipped")
    for log in sorted(where.glob("*.json")):
        for line in lines(log):
            test = json.loads(line)
            name = f"{log.stem}: {test['name'].removeprefix('ksmfs:')}"
            if test["result"] in PASSED:
                passed += 1
            elif test["result"] == "SKIP":
                why = [s for s in (test.get("stdout") or "").splitlines() if s.startswith("skipped: ")]
                skipped.append(f"{name}{' (' + why[-1][9:] + ')' if why else ''}")
            else:
                failed.append(f"{name}: {test['result']}")
    for what, names in (("skipped", skipped), ("FAILED", failed)):
        for name in names:
            print(f"{what} {name}")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
