#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""plant.py --check [CATALOGUE] | plant.py DESTINATION: plants the wrong derivatives of catalogue/*.txt, and more.

All mutants go into one copy of the source, each behind a number that is chosen at run time:
`(::gradus::mutants::active == 17 ? (wrong) : (right))`, or an if around a statement. DESTINATION/source becomes the
copy, DESTINATION/mutants.tsv the list. --check writes nothing and checks that every entry still matches its source.
"""
import pathlib
import re
import shutil
import sys

from operators import KERNEL_FUNCTIONS, automatic, masked

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FIELDS = ("mutant", "kind", "file", "op", "signature")
COPIED = ("tensor", "autograd", "nn", "optim", "cmake", "tests/mutants")
HEADER = """// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>

namespace gradus::mutants {

/// The number of the mutant that is to run; 0: none.
extern int active;

/// In the place of a factor that is left out: 1, with the type and the shape of x.
template <class T>
T one_of(const T& x) {
  if constexpr (std::is_arithmetic_v<T>) {
    return T{1};
  } else {
    return affine(x, 0.0, 1.0);
  }
}

}  // namespace gradus::mutants
"""
SOURCE = """// SPDX-License-Identifier: MIT
#include <gradus/tensor/mutants.hpp>

namespace gradus::mutants {

int active = 0;

}  // namespace gradus::mutants
"""


class Mutant:
    def __init__(self, fields, original, wrong, after, where):
        self.name, self.kind, self.file, self.op, self.signature = (fields[f] for f in FIELDS)
        self.original, self.wrong, self.after, self.where = original, wrong, after, where
        self.origin = "hand"
        self.number = self.begin = self.end = 0


def parse(path):
    """Blocks of `name: value` lines, `---`, the original text, `+++`, the wrong one, `===`."""
    lines = path.read_text().splitlines()
    fields, text, part, mutants = {}, {"---": [], "+++": []}, None, []
    for number, line in enumerate(lines, 1):
        where = f"{path.name}:{number}"
        if line in ("---", "+++"):
            part = line
        elif line == "===":
            missing = [f for f in FIELDS if f not in fields]
            if missing or not text["---"]:
                sys.exit(f"{where}: the entry lacks {', '.join(missing) or 'its original text'}")
            mutants.append(Mutant(fields, "\n".join(text["---"]), "\n".join(text["+++"]), fields.get("after"), where))
            fields, text, part = {}, {"---": [], "+++": []}, None
        elif part:
            text[part].append(line)
        elif line and not line.startswith("#"):
            key, colon, value = line.partition(": ")
            if not colon or key not in FIELDS + ("after",):
                sys.exit(f"{where}: expected one of {', '.join(FIELDS)}, after; got '{line}'")
            fields[key] = value.strip()
    if fields or part:
        sys.exit(f"{path.name}: the last entry is not closed by ===")
    return mutants


def files_called(name):
    """`autograd/matmul.cpp` means the files of that name at any depth of the room, so that a move changes no entry."""
    room, _, base = name.partition("/")
    return [str(path.relative_to(ROOT)) for path in sorted((ROOT / room).rglob(base))]


def locate(mutant, source):
    """Finds the only place of the original text, ignoring line breaks."""
    start = 0
    if mutant.after is not None:
        if source.count(mutant.after) != 1:
            return f"'{mutant.after}' occurs {source.count(mutant.after)} times in {mutant.file}, once is needed"
        start = source.index(mutant.after)
    pattern = r"\s+".join(re.escape(word) for word in mutant.original.split())
    found = list(re.finditer(pattern, source[start:]))
    if not found or (mutant.after is None and len(found) != 1):
        return f"the original text occurs {len(found)} times in {mutant.file}, once is needed"
    mutant.begin, mutant.end = start + found[0].start(), start + found[0].end()
    return None


def is_statement(text):
    text = text.rstrip()
    return text.endswith(";") or text.endswith("}") and ";" in text


def balanced(text):
    depth = []
    for char in masked(text):
        if char in "([{":
            depth.append(")]}"["([{".index(char)])
        elif char in ")]}" and (not depth or depth.pop() != char):
            return False
    return not depth


def catalogue(folder=HERE / "catalogue"):
    """All hand-written mutants by file, with their places. Stops with one sentence for each mutant without a place."""
    mutants, problems, names, places = [], [], set(), {}
    for path in sorted(folder.glob("*.txt")):
        mutants += parse(path)
    for mutant in mutants:
        files = files_called(mutant.file)
        problem = f"{len(files)} files are called {mutant.file}, once is needed" if len(files) != 1 else None
        if not problem:
            problem = locate(mutant, (ROOT / files[0]).read_text())
            mutant.file = files[0]
        if not problem and not (balanced(mutant.original) and balanced(mutant.wrong)):
            problem = "its brackets do not match"
        if not problem and is_statement(mutant.original) != (is_statement(mutant.wrong) or not mutant.wrong):
            problem = "a statement must become a statement, an expression an expression"
        if not problem and mutant.name in names:
            problem = "the name is taken"
        if problem:
            problems.append(f"{mutant.where}: {mutant.name}: {problem}")
        names.add(mutant.name)
        places.setdefault(mutant.file, []).append(mutant)
    if problems:
        sys.exit("\n".join(problems))
    return mutants, places


def crosses(a, b):
    return a.begin < b.begin < a.end < b.end or b.begin < a.begin < b.end < a.end


def choice(mutants, text):
    """The expression that chooses between `text` and the mutants of exactly this place."""
    for mutant in reversed(mutants):
        wrong = mutant.wrong
        if is_statement(mutant.original):
            text = f"{{ if (::gradus::mutants::active == {mutant.number}) {{ {wrong} }} else {{ {text} }} }}"
        else:
            text = f"(::gradus::mutants::active == {mutant.number} ? ({wrong}) : ({text}))"
    return text


def planted(source, begin, end, mutants):
    """source[begin:end] with all its mutants, which may be nested."""
    out, at = [], begin
    outer = sorted(mutants, key=lambda m: (m.begin, -m.end))
    while outer:
        first = outer[0]
        same = [m for m in outer if (m.begin, m.end) == (first.begin, first.end)]
        inside = [m for m in outer if m.begin >= first.begin and m.end <= first.end and m not in same]
        out.append(source[at:first.begin])
        statements = [m for m in same if is_statement(m.original)]
        expressions = [m for m in same if m not in statements]
        out.append(choice(statements + expressions, planted(source, first.begin, first.end, inside)))
        at = first.end
        outer = [m for m in outer if m.begin >= first.end]
    return "".join(out) + source[at:end]


def shortened(text):
    text = " ".join(text.split())
    return text if len(text) <= 90 else text[:87] + "..."


def write_copy(destination, places):
    copy = destination / "source"
    for folder in COPIED:
        shutil.copytree(ROOT / folder, copy / folder, dirs_exist_ok=True, copy_function=copy_if_new,
                        ignore=lambda _, names: [n for n in names if n == "__pycache__"])
    copy_if_new(ROOT / "gradus.hpp", copy / "gradus.hpp")
    write_if_new(copy / "CMakeLists.txt", (ROOT / "CMakeLists.txt").read_text() + "\nadd_subdirectory(tests/mutants)\n")
    write_if_new(copy / "tensor/mutants.hpp", HEADER)
    write_if_new(copy / "tensor/mutants.cpp", SOURCE)
    for name, mutants in places.items():
        source = (ROOT / name).read_text()
        # A wrong derivative may call any op.
        ops = "#include <gradus/autograd/ops.hpp>\n" if name.startswith("autograd/") else ""
        text = "#include <algorithm>\n#include <gradus/tensor/mutants.hpp>\n" + ops
        write_if_new(copy / name, text + planted(source, 0, len(source), mutants))


def write_if_new(path, text):
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


PLANTED_FILES = set()


def copy_if_new(source, target):
    source, target = pathlib.Path(source), pathlib.Path(target)
    if str(source.relative_to(ROOT)) in PLANTED_FILES:
        return
    if not target.is_file() or target.read_bytes() != source.read_bytes():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def main():
    if sys.argv[1] == "--check":
        by_hand, _ = catalogue(*map(pathlib.Path, sys.argv[2:]))
        kernels = "".join(path.read_text() for path in (ROOT / "tensor/kernels").rglob("*.?pp"))
        gone = [name for name in KERNEL_FUNCTIONS if f"{name}(" not in kernels]
        if gone:
            sys.exit(f"operators.py names functions that no kernel has: {', '.join(gone)}")
        print(f"{len(by_hand)} entries of {len({m.kind for m in by_hand})} kinds match their source")
        return
    by_hand, places = catalogue()
    destination = pathlib.Path(sys.argv[1])
    destination.mkdir(parents=True, exist_ok=True)
    all_mutants = list(by_hand)
    for path in sorted((ROOT / "autograd/ops").rglob("*.cpp")) + sorted((ROOT / "tensor/kernels").rglob("*.?pp")):
        name = str(path.relative_to(ROOT))
        for mutant in automatic(name, path.read_text()):
            if not any(crosses(mutant, other) for other in places.get(name, [])):
                places.setdefault(name, []).append(mutant)
                all_mutants.append(mutant)
    rows = []
    for number, mutant in enumerate(all_mutants, 1):
        mutant.number = number
        line = (ROOT / mutant.file).read_text().count("\n", 0, mutant.begin) + 1
        rows.append("\t".join((str(number), mutant.origin, mutant.name, mutant.kind, f"{mutant.file}:{line}", mutant.op,
                               mutant.signature, shortened(mutant.original), shortened(mutant.wrong))))
    PLANTED_FILES.update(places)
    write_copy(destination, places)
    write_if_new(destination / "mutants.tsv", "\n".join(rows) + "\n")
    print(f"planted {len(by_hand)} mutants written by hand and {len(rows) - len(by_hand)} automatic ones")


if __name__ == "__main__":
    main()
