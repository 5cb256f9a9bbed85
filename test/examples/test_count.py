# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""test/count.py, which has the last word of ./test/run."""
import os
import subprocess
import sys
import tempfile
import unittest

COUNT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "count.py")


def count(cases):
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(f"<testsuite>{cases}</testsuite>")
        file.flush()
        result = subprocess.run([sys.executable, COUNT, file.name], capture_output=True, text=True, check=False)
    return result.stdout.splitlines()[-1], result.returncode


def case(output, status="run"):
    return f'<testcase name="t" status="{status}"><system-out>{output}</system-out></testcase>'


class Count(unittest.TestCase):
    def test_tests_of_lit_and_python_count_one_by_one(self):
        lit = "\nTotal Discovered Tests: 5\n  Passed           : 4 (80.00%)\n  Expectedly Failed: 1 (20.00%)\n"
        self.assertEqual(count(case("[ OK ]") + case(lit) + case("...\nRan 7 tests in 0.1s\n\nOK\n")),
                         ("13 passed, 0 failed", 0))

    def test_failures_count(self):
        lit = "\nTotal Discovered Tests: 5\n  Passed: 3 (60.00%)\n  Failed: 2 (40.00%)\n"
        python = "Ran 3 tests in 0.1s\n\nFAILED (failures=1, errors=1)\n"
        self.assertEqual(count(case(lit, "fail") + case(python, "fail")), ("4 passed, 4 failed", 1))

    def test_a_test_that_failed_without_a_summary_counts(self):
        self.assertEqual(count(case("", "fail") + case("", "notrun")), ("0 passed, 2 failed", 1))
        self.assertEqual(count(case("Ran 3 tests in 0.1s\n\nOK\n", "fail")), ("3 passed, 1 failed", 1))

    def test_no_tests_are_a_failure(self):
        self.assertEqual(count(""), ("0 passed, 1 failed", 1))


if __name__ == "__main__":
    unittest.main()
