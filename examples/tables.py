# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tables that `towerc data import` reads."""
import os


def write(path, header, rows):
    """All or nothing: under a temporary name first."""
    with open(path + ".tmp", "w", encoding="utf-8", newline="\n") as file:
        file.write("\t".join(header) + "\n")
        file.writelines("\t".join(each) + "\n" for each in rows)
    os.replace(path + ".tmp", path)
