# SPDX-License-Identifier: MIT
"""Automatic mutants: a few operators, applied wherever they fit inside a derivative (never in a forward)."""
import re

# The beginning of a region of a derivative. The region ends with the bracket that closes its first '{'.
VJP_REGIONS = (r"\.derivative =\s*\[\]\(VjpArgs& v\) \{", r"\bvoid \w+\(VjpArgs& v\) \{",
               r"\bVariable \w+_second\([^)]*\) \{")
# The functions of the kernels that compute derivatives. plant.py refuses a name that no kernel has.
KERNEL_FUNCTIONS = ("ScoresOfRowBackward", "CrossEntropyBackward", "LayerNormBackward", "SoftmaxBackward",
                    "MaskedSoftmaxBackward", "LogSoftmaxBackward", "additive_score_backward", "products_of_others",
                    "backward_rows", "LoadDh", "RowDerivative", "PrepareRows")
KERNEL_REGIONS = (r"\bstruct Gru\w*Backward(?:After|Before|Reset) \{", r"\bstruct \w*Backward\w*Op \{",
                  rf"\b(?:{'|'.join(KERNEL_FUNCTIONS)})\([^{{;]*\{{")
ONE_LINE_KERNELS = r"if constexpr \(kFn == BinaryFn::\w+_backward\) return [^;]*;"


class Automatic:
    origin = "auto"
    signature = "-"

    def __init__(self, name, kind, file, op, begin, end, original, wrong):
        self.name, self.kind, self.file, self.op = name, kind, file, op
        self.begin, self.end, self.original, self.wrong = begin, end, original, wrong


def masked(text):
    """The text with comments, strings and characters blanked out, of the same length."""
    blank = lambda match: re.sub(r"[^\n]", " ", match.group())
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def closing(text, opening):
    """The position of the bracket that closes the one at `opening`."""
    depth = 0
    for i in range(opening, len(text)):
        depth += text[i] in "([{"
        depth -= text[i] in ")]}"
        if depth == 0:
            return i
    raise ValueError("a bracket is never closed")


def arguments(text, begin, end):
    """The ranges between the commas of text[begin:end] that are outside all brackets."""
    ranges, depth, start = [], 0, begin
    for i in range(begin, end):
        depth += text[i] in "([{"
        depth -= text[i] in ")]}"
        if text[i] == "," and depth == 0:
            ranges.append((start, i))
            start = i + 1
    ranges.append((start, end))
    return [(b + len(text[b:e]) - len(text[b:e].lstrip()), e) for b, e in ranges]


def of_call(name, a):
    """The replacements for name(a...): pairs of the operator's name and the new text."""
    two, three = len(a) == 2, len(a) == 3
    call = lambda new, *args: f"{new}({', '.join(args)})"
    if name == "neg" and len(a) == 1:
        return [("neg left out", a[0])]
    if name == "sub" and two:
        return [("sub the other way", call("sub", a[1], a[0]))]
    if name == "add" and two:
        return [("sub for add", call("sub", *a)), ("term left out", f"affine({a[1]}, 0.0, 0.0) + {a[0]}")]
    if name == "mul" and two:
        return [("factor left out", call("mul", f"affine({a[0]}, 0.0, 1.0)", a[1])),
                ("other factor left out", call("mul", a[0], f"affine({a[1]}, 0.0, 1.0)"))]
    if name == "div" and two:
        return [("mul for div", call("mul", *a))]
    if name == "affine" and three:
        return [("scale off by 1e-5", call("affine", a[0], f"({a[1]}) * (1.0 + 1e-5)", a[2])),
                ("shift off by 1e-5", call("affine", a[0], a[1], f"({a[2]}) + 1e-5"))]
    if name == "transpose" and three or name == "square" and len(a) == 1:
        return [(name + " left out", a[0])]
    if name == "where" and three:
        return [("where the other way", call("where", a[0], a[2], a[1]))]
    if name == "v.set" and two:
        return [("set left out", "static_cast<void>(0)")]
    if name == "hn::Sub" and two:
        return [("Sub the other way", call(name, a[1], a[0]))]
    if name == "hn::Add" and two:
        return [("Sub for Add", call("hn::Sub", *a))]
    if name == "hn::Mul" and two:
        return [("Add for Mul", call("hn::Add", *a))]
    if name in ("hn::MulAdd", "hn::NegMulAdd") and three:
        return [("sign of the product", call("hn::NegMulAdd" if name == "hn::MulAdd" else "hn::MulAdd", *a))]
    return []


def regions(file, text):
    code = masked(text)
    if file.startswith("autograd/ops/"):
        patterns = VJP_REGIONS
    else:
        patterns = KERNEL_REGIONS
        for match in re.finditer(ONE_LINE_KERNELS, code):
            yield match.start() + match.group().index("return "), match.end()
    for pattern in patterns:
        for match in re.finditer(pattern, code):
            yield match.end() - 1, closing(code, match.end() - 1)


def op_of(file, text, begin):
    """The op that is defined around a vjp. For a helper or a kernel, the op that its file is about."""
    found = list(re.finditer(r"const OpDef (\w+)_op = \{", text[:begin]))
    inside = found and closing(masked(text), found[-1].end() - 1) > begin
    return found[-1].group(1) if inside else "-"


# Numbers of inputs, axes and constants.
COUNT = re.compile(r"\d[\w.]*|k[A-Z]\w*|count|axis")


def operand_before(code, begin, end):
    """Where the operand begins that ends at `end`."""
    start = end
    while start > begin:
        if code[start - 1] in ")]":
            depth = 0
            while start > begin:
                start -= 1
                depth += (code[start] in ")]") - (code[start] in "([")
                if depth == 0:
                    break
        elif re.match(r"[\w.:]", code[start - 1]):
            start -= 1
        else:
            break
    return start


def operand_after(code, begin, end):
    """Where the operand ends that begins at `begin`."""
    stop = re.match(r"[\w.:]*", code[begin:end]).end() + begin
    while stop < end and code[stop] in "([":
        stop = closing(code, stop) + 1
        stop += re.match(r"[\w.:]*", code[stop:end]).end()
    return stop


def infix(code, begin, end):
    """(begin, end, left, operator, right) for each `left op right` between begin and end that is an expression of its
    own: an operand of + and - is a whole product, and nothing before the left operand binds it."""
    for match in re.finditer(r" ([*/+-]) (?![=])", code[begin:end]):
        left, right, sign = begin + match.start(), begin + match.end(), match.group(1)
        start, stop = operand_before(code, begin, left), operand_after(code, right, end)
        while sign in "+-" and code[start - 3:start] in (" * ", " / "):
            start = operand_before(code, begin, start - 3)
        while sign in "+-" and code[stop:stop + 3] in (" * ", " / "):
            stop = operand_after(code, stop + 3, end)
        if code[start - 3:start] in ((" + ", " - ") if sign in "+-" else (" / ",)):
            continue
        operands = (code[start:left], code[right:stop])
        if not all(operands) or code[start - 1] == ">" or "?" in "".join(operands):
            continue
        if not all(COUNT.fullmatch(operand) for operand in operands):
            yield start, stop, code[start:left], sign, code[right:stop]


def of_infix(left, operator, right):
    """The replacements for `left operator right` where an operand may be a Variable or a number."""
    if operator == "*":
        return [("factor left out", f"(::gradus::mutants::one_of({left}) * {right})"),
                ("other factor left out", f"({left} * ::gradus::mutants::one_of({right}))")]
    if operator == "/":
        return [("mul for div", f"({left} * {right})")]
    if operator == "-":
        return [("sub the other way", f"({right} - {left})")]
    return [("sub for add", f"({left} - {right})")]


CALLS = r"(?<![\w:.>])(v\.set|neg|sub|add|mul|div|affine|transpose|square|where|hn::(?:Sub|Add|Mul|MulAdd|NegMulAdd))\("


def in_region(code, text, begin, end):
    """(begin, end, operator, new text) for each place between begin and end."""
    for match in re.finditer(CALLS, code[begin:end]):
        start, opening = begin + match.start(), begin + match.end() - 1
        stop = closing(code, opening)
        spans = arguments(code, opening + 1, stop)
        for operator, wrong in of_call(match.group(1), [text[b:e] for b, e in spans]):
            yield start, stop + 1, operator, wrong
        if match.group(1) == "v.set" and len(spans) == 2:
            gradient = text[spans[1][0]:spans[1][1]]
            yield spans[1][0], spans[1][1], "gradient as a constant", f"Variable({gradient}).detach()"
    part = code[begin:end]
    if "VjpArgs" in code:
        for start, stop, left, sign, right in infix(code, begin, end):
            for operator, wrong in of_infix(text[start:start + len(left)], sign, text[stop - len(right):stop]):
                yield start, stop, operator, wrong
    if "v.in(0)" in part and "v.in(1)" in part:
        for match in re.finditer(r"\bv\.in\(([01])\)", part):
            yield begin + match.start(), begin + match.end(), "the other input", f"v.in({1 - int(match.group(1))})"
    for match in re.finditer(r"(?<![\w.>])([\w.>-]+(?:\[[^\]]*\])?) \+= ([^;{},]+)(?=;)", part):
        if match.group(2).count("(") == match.group(2).count(")"):
            yield begin + match.start(), begin + match.end(), "= for +=", f"{match.group(1)} = {match.group(2)}"
    for match in re.finditer(r"\bT\{(-?\d+(?:\.\d+)?)\}", part):
        if float(match.group(1)) != 0.0:
            wrong = f"static_cast<T>({match.group(1)} * (1.0 + 1e-5))"
            yield begin + match.start(), begin + match.end(), "constant off by 1e-5", wrong


def automatic(file, text):
    code = masked(text)
    counts, seen, out = {}, set(), []
    stem = file.rsplit("/", 1)[1].rsplit(".", 1)[0]
    for begin, end in sorted(regions(file, text)):
        for start, stop, operator, wrong in in_region(code, text, begin, end):
            if (start, stop, operator) in seen:
                continue
            seen.add((start, stop, operator))
            counts[operator] = counts.get(operator, 0) + 1
            name = f"{stem}: {operator}" + (f" ({counts[operator]})" if counts[operator] > 1 else "")
            original = text[start:stop]
            out.append(Automatic(name, operator, file, op_of(file, text, start), start, stop, original, wrong))
    return out
