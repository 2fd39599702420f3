#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""report.py LIST RESULTS [DOCUMENT MINUTES]: prints the result of each mutant, and writes it to DOCUMENT if given.

Exits with 1 when a mutant that changes a derivative was not caught.
"""
import collections
import pathlib
import sys
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
Mutant = collections.namedtuple("Mutant", "number origin name kind place op signature original wrong")
WANTED = 0.9


class Fate:
    """The content of one result file."""

    def __init__(self, mutant, path):
        self.mutant = mutant
        self.orders, self.missed, self.refused, self.forward, self.diagnoses = collections.Counter(), [], 0, 0, []
        self.layers = {}  # caught or not, for those that show in the layer
        self.ended = False
        for line in path.read_text().splitlines() if path.is_file() else []:
            fields = line.split("\t")
            if fields[0] == "case" and fields[4] == "refused" or fields[0] in ("crashed", "time limit"):
                self.refused += 1
            elif fields[0] == "case":
                self.orders[int(fields[3])] += 1
                if fields[1] != "op":
                    self.layers[fields[2]] = fields[4] == "caught"
                if fields[4] == "missed":
                    self.missed.append(f"{fields[2]} (order {fields[3]})")
            elif fields[0] == "forward":
                self.forward += 1
            elif fields[0] == "diagnosis":
                self.diagnoses.append(fields)
            elif fields[0] == "end":
                self.ended = True
        self.seen = bool(self.orders) or self.refused > 0
        self.order = min(self.orders) if self.orders else 0
        self.caught = bool(self.orders) and not self.missed


def wrapped(text):
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def fates_of(fates, key):
    groups = collections.OrderedDict()
    for fate in fates:
        groups.setdefault(key(fate), []).append(fate)
    return groups


def counts(fates):
    seen = [f for f in fates if f.seen]
    caught = [f for f in seen if f.caught]
    return [len(fates), len(seen), sum(f.order == 1 for f in caught), sum(f.order == 2 for f in caught),
            sum(not f.orders for f in seen), sum(bool(f.missed) for f in seen)]


COUNTED = ("planted", "change a derivative", "caught at order 1", "at order 2", "refused", "missed")


def kill_table(title, fates, key):
    rows = [[name] + counts(group) for name, group in fates_of(fates, key).items()]
    return table((title,) + COUNTED, rows + [["all"] + counts(fates)])


def percent(part, whole):
    return f"{part} of {whole}" + (f" ({100.0 * part / whole:.0f} %)" if whole else "")


def stated(fate):
    """The signatures in the catalogue, in the words of a report."""
    names = fate.mutant.signature.replace("block_only", "one_block").replace("_", " ")
    return [] if names == "-" else names.split("|")


def claims(fate, d):
    """Whether the exact gradients of this diagnosis show the signature in the catalogue."""
    return d[7] == "1" and d[6] in fate.mutant.op.split("|") and d[5] in stated(fate)


def named(fates, sets):
    """Cells for the cases in these sets, and the shares of the last two (None when there are no cases)."""
    rows = [(fate, d) for fate in fates for d in fate.diagnoses if d[1] in sets]
    # In the examples of other ops, the planted op works inside their second derivatives, so nothing is claimed there.
    every = [(fate, d) for fate, d in rows if d[7] == "1" and d[6] in fate.mutant.op.split("|") and stated(fate)]
    shown = [d for fate, d in every if claims(fate, d)]
    right_of_every = sum(d[4] in stated(fate) for fate, d in every)
    right_of_shown = sum(d[4] == d[5] for d in shown)
    cells = [percent(sum(d[3] == d[6] for _, d in rows), len(rows)), percent(right_of_every, len(every)),
             percent(right_of_shown, len(shown))]
    return cells, [right / len(of) if of else None for right, of in ((right_of_every, every), (right_of_shown, shown))]


def layer_table(fates):
    """The library's layers, then the held-out ones."""
    names = list(dict.fromkeys(name for fate in fates for name in fate.layers))
    rows = []
    for name in sorted(names, key=lambda n: (", seed " in n, n)):
        here = [f for f in fates if name in f.layers]
        kinds = {f.mutant.kind for f in here if f.mutant.origin == "hand"}
        rows.append([name, len(kinds), len(here), sum(f.layers[name] for f in here)])
    return table(("layer", "kinds by hand that show", "mutants that show", "caught"), rows)


TUNING, HELD_OUT = ("op", "layer"), ("held-out",)


def naming_table(fates, sets):
    rows, good = [], [0, 0]
    kinds = fates_of(fates, lambda f: f.mutant.kind)
    for kind, group in list(kinds.items()) + [("all", fates)]:
        cells, shares = named(group, sets)
        rows.append([kind] + cells)
        for i, share in enumerate(shares):
            good[i] += kind != "all" and share is not None and share >= WANTED
    return table(("kind", "op", "signature, of all cases", "signature, where the gradients show it"), rows) + (
        f"\n\nKinds with at least 90 % of the signatures named: {good[0]} of all cases, {good[1]} where the gradients "
        "show them.")


BETWEEN_STEPS = ("between steps", "step left out")


def any_pattern(fates, sets):
    rows = [d for fate in fates for d in fate.diagnoses if d[1] in sets and d[7] == "1"]
    known = [d for d in rows if d[5]]
    # An error between steps shows in the cotangents, not in a single gradient.
    silent = [d for d in rows if not d[5] and d[4] not in BETWEEN_STEPS]
    return wrapped(
        f"Whatever the catalogue states: where the exact gradients show one known pattern the signature says the "
        f"same in {percent(sum(d[4] == d[5] for d in known), len(known))} cases; where they show none, or two, it "
        f"names none in {percent(sum(d[4] == 'none' for d in silent), len(silent))}.")


def wrong_names(fates, sets):
    found = collections.Counter()
    for fate in fates:
        for d in fate.diagnoses:
            if d[1] not in sets:
                continue
            if d[3] != d[6]:
                found[f"`{fate.mutant.name}`: op {d[3] or 'none'} named for {d[6] or 'none'}"] += 1
            elif claims(fate, d) and d[4] != d[5]:
                found[f"`{fate.mutant.name}`: signature {d[4]} named for {d[5]}"] += 1
    return [f"* {text}, {count} case{'s' if count > 1 else ''}" for text, count in sorted(found.items())]


def bullets(fates, text):
    return "\n".join(f"* `{f.mutant.name}` ({f.mutant.place}){text(f)}" for f in fates) or "None."


def sections(fates):
    hand = [f for f in fates if f.mutant.origin == "hand"]
    auto = [f for f in fates if f.mutant.origin == "auto"]
    seen = [f for f in fates if f.seen]
    killed = [f for f in seen if not f.missed]
    silent = [f for f in fates if not f.seen]
    kinds = len(fates_of(hand, lambda f: f.mutant.kind))
    yield "", wrapped(
        f"{len(fates)} mutants, {len(hand)} written by hand ({kinds} kinds) and {len(auto)} automatic; "
        f"{len(seen)} change a derivative, {len(killed)} of these are caught or refused "
        f"({100.0 * len(killed) / max(1, len(seen)):.1f} %).")
    if hand:
        yield "Written by hand", kill_table("kind", hand, lambda f: f.mutant.kind)
        for title, sets in (("the held-out set", HELD_OUT), ("the tuning set", TUNING)):
            wrong = "\n".join(wrong_names(hand, sets)) or "Nothing."
            yield f"Named by a full check, on {title}", (
                f"{naming_table(hand, sets)}\n\n{any_pattern(hand, sets)}\n\nNamed wrongly:\n\n{wrong}")
    if auto:
        yield "Automatic", kill_table("operator", auto, lambda f: f.mutant.kind)
        yield "Automatic, by file", kill_table("file", auto, lambda f: f.mutant.place.rsplit(":", 1)[0])
    yield "By layer", layer_table(fates)
    yield "Missed", bullets([f for f in seen if f.missed], lambda f: ": " + ", ".join(f.missed[:4]))
    refused = [f for f in seen if not f.orders]
    yield "Refused: an error wherever it shows", wrapped(", ".join(f"`{f.mutant.name}`" for f in refused) or "None.")
    yield "Came to no end", bullets([f for f in fates if not f.ended], lambda f: "")
    yield "Equivalent: no derivative changes by more than 1e-6", bullets(
        silent, lambda f: f": `{f.mutant.original}` became `{f.mutant.wrong}`")


def main():
    mutants = [Mutant(*line.split("\t")) for line in pathlib.Path(sys.argv[1]).read_text().splitlines()]
    results = pathlib.Path(sys.argv[2])
    fates = [Fate(m, results / m.number) for m in mutants if (results / m.number).is_file()]
    parts = [("## " + title + "\n\n" if title else "") + text for title, text in sections(fates)]
    body = "\n\n".join(parts) + "\n"
    print(body)
    if len(sys.argv) > 3:
        head = (HERE / "head.md").read_text().replace("@MINUTES@", sys.argv[4])
        pathlib.Path(sys.argv[3]).write_text(head.rstrip("\n") + "\n\n" + body)
    sys.exit(1 if any(f.missed for f in fates) else 0)


if __name__ == "__main__":
    main()
