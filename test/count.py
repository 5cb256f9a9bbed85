#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Print "N passed, N failed" for ctest's JUnit file; lit's and Python's tests count one by one.

Exits with 1 if a test failed, was not run, or if there was none.
"""
import re
import sys
import xml.etree.ElementTree


def summary(output, ok):
    """(passed, failed) of a test that ran others."""
    lit = {name: int(number) for name, number in
           re.findall(r"^\s*(Passed|Failed|Unresolved|Timed Out|Unexpectedly Passed|Expectedly Failed)\s*: *(\d+)", output,
                      re.MULTILINE)}
    python = re.search(r"^Ran (\d+) tests? in .*?^(?:OK|FAILED \((.*?)\))", output, re.MULTILINE | re.DOTALL)
    if lit:
        good = lit.get("Passed", 0) + lit.get("Expectedly Failed", 0)
        bad = sum(lit.values()) - good
    elif python:
        bad = sum(map(int, re.findall(r"(?:failures|errors)=(\d+)", python.group(2) or "")))
        good = int(python.group(1)) - bad
    else:
        good, bad = int(ok), int(not ok)
    return (good, bad) if ok else (good, max(bad, 1))


def main(path):
    passed, failed = 0, 0
    try:
        cases = list(xml.etree.ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        print(f"no test results: {error}")
        cases = []
    for case in cases:
        good, bad = summary(case.findtext("system-out") or "", case.get("status") == "run")
        passed, failed = passed + good, failed + bad
        if bad:
            print(f"failed: {case.get('name')}")
    failed += not cases
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
