# SPDX-License-Identifier: MIT
# Prints each GRADUS_CHECK whose message no test asserts (with -v counted=1, the number of such checks). Arguments: the
# files with assertions, then `sources=1`, then the files with checks. A message counts as asserted when an assertion
# contains the beginning of its text, op included. When the op is inserted at run time, some part of its longest literal
# is enough.
BEGIN { RS = "\001" }

# Joins adjacent string literals.
function joined(text) { gsub(/"[ \n]*\n *"/, "", text); return text }

function asserted(first, longest,   head, i) {
  if (match(first, /^\[[A-Za-z0-9_]+\] /) && length(first) >= RLENGTH + 6)
    return index(assertions, substr(first, 1, RLENGTH + 14))
  sub(/^\] /, "", longest)
  if (longest == "") return 0
  if (length(longest) <= 18) return index(assertions, longest)
  for (i = 1; i + 17 <= length(longest); ++i) if (index(assertions, substr(longest, i, 18))) return 1
  return 0
}

# Examines the check at the beginning of `text`: its literals, up to the closing parenthesis.
function examine(text, line,   depth, i, c, literal, inside, first, longest) {
  first = longest = ""
  for (i = 1; i <= length(text); ++i) {
    c = substr(text, i, 1)
    if (inside) {
      if (c == "\\") { literal = literal substr(text, i, 2); ++i }
      else if (c == "\"") {
        inside = 0
        if (first == "") first = literal
        if (length(literal) > length(longest)) longest = literal
      } else literal = literal c
    } else if (c == "'") i += substr(text, i + 1, 1) == "\\" ? 3 : 2
    else if (c == "\"") { inside = 1; literal = "" }
    else if (c == "(") ++depth
    else if (c == ")" && --depth == 0) break
  }
  ++count
  if (!asserted(first, longest)) print FILENAME ":" line ": no test asserts \"" first "\""
}

# The refused cases in an op's examples are assertions too.
!sources && FILENAME ~ /^autograd\// {
  rest = joined($0)
  while (match(rest, /\.error *=[ \n]*"([^"\\]|\\.)*"/)) {
    assertions = assertions substr(rest, RSTART, RLENGTH)
    rest = substr(rest, RSTART + RLENGTH)
  }
  next
}

!sources { assertions = assertions joined($0) }

sources {
  rest = $0
  line = 1
  while ((at = index(rest, "GRADUS_CHECK(")) > 0) {
    before = substr(rest, 1, at - 1)
    line += gsub(/\n/, "", before)
    rest = substr(rest, at + 12)
    examine(joined(substr(rest, 1, 1200)), line)
  }
}

END { if (counted) print count " messages" }
