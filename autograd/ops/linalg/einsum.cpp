// SPDX-License-Identifier: MIT
// einsum is composed of other ops: each axis gets a label, repeated labels become diagonals, and operands are
// contracted pair by pair, from left to right. The labels of a pair are of three kinds: in both operands and still
// needed (batch), in both and not needed (summed), or in one only (left, right). The pair is then
//   a [batch.., left, summed] b [batch.., summed, right]
// or, when nothing is summed, an elementwise product.
#include <algorithm>
#include <string>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>

namespace gradus {
namespace {

// 0..51: the letters in the order of their codes; 52 + k: axis k, counted from the right, of the axes that `...` stands
// for.
using Labels = std::vector<int>;
using LabelSet = uint64_t;
constexpr int kLetters = 52;

struct Term {
  Variable value;
  Labels labels;  // one for each axis
};

LabelSet bit(int label) { return LabelSet{1} << label; }

LabelSet set_of(const Labels& labels) {
  LabelSet set = 0;
  for (int label : labels) set |= bit(label);
  return set;
}

Labels chosen(const Labels& labels, LabelSet set) {
  Labels out;
  for (int label : labels) {
    if ((bit(label) & set) != 0) out.push_back(label);
  }
  return out;
}

Labels joined(Labels a, const Labels& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::string name_of(int label) {
  if (label >= kLetters) return "...";
  return std::string(1, static_cast<char>(label < 26 ? 'A' + label : 'a' + (label - 26)));
}

struct Equation {
  std::vector<std::string> inputs;
  std::string output;
  bool has_output = false;
};

Equation split(std::string_view equation) {
  std::string text;
  for (char c : equation) {
    if (c != ' ') text += c;
  }
  Equation out;
  const size_t arrow = text.find("->");
  out.has_output = arrow != std::string::npos;
  if (out.has_output) out.output = text.substr(arrow + 2);
  const std::string left = text.substr(0, arrow);
  for (size_t begin = 0;;) {
    const size_t comma = left.find(',', begin);
    out.inputs.push_back(left.substr(begin, comma - begin));
    if (comma == std::string::npos) return out;
    begin = comma + 1;
  }
}

// The labels of one term, for a given number of axes of `...`.
Labels parse_term(const std::string& term, int ellipsis_rank, std::string_view equation) {
  Labels labels;
  bool seen = false;
  for (size_t i = 0; i < term.size(); ++i) {
    const char c = term[i];
    if (c >= 'A' && c <= 'Z') {
      labels.push_back(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      labels.push_back(26 + c - 'a');
    } else {
      GRADUS_CHECK(term.compare(i, 3, "...") == 0 && !seen, "[einsum] cannot read \"", equation,
                   "\": expected letters and at most one `...` in each term, got \"", term, "\"");
      for (int k = ellipsis_rank - 1; k >= 0; --k) labels.push_back(kLetters + k);
      seen = true;
      i += 2;
    }
  }
  return labels;
}

// The number of axes that `...` stands for in an operand of this rank.
int ellipsis_rank(const std::string& term, const Variable& operand, size_t number, std::string_view equation) {
  const bool has = term.find("...") != std::string::npos;
  const int letters = static_cast<int>(parse_term(term, 0, equation).size());
  GRADUS_CHECK(has ? operand.rank() >= letters : operand.rank() == letters, "[einsum] \"", equation, "\" names ",
               letters, has ? " or more" : "", " axes of operand ", number, ", got ", describe(operand));
  return operand.rank() - letters;
}

void check_sizes(const std::vector<Term>& terms) {
  const Term* first[kLetters] = {};
  for (const Term& term : terms) {
    for (size_t i = 0; i < term.labels.size(); ++i) {
      const int label = term.labels[i];
      if (label >= kLetters) continue;
      const auto axis = static_cast<int>(i);
      if (first[label] == nullptr) first[label] = &term;
      const Labels& names = first[label]->labels;
      const auto where = static_cast<int>(std::find(names.begin(), names.end(), label) - names.begin());
      GRADUS_CHECK(first[label]->value.shape()[where] == term.value.shape()[axis], "[einsum] sizes of axis ",
                   name_of(label), " differ: ", describe(first[label]->value), " and ", describe(term.value));
    }
  }
}

Labels output_labels(const Equation& parts, const std::vector<Term>& terms, int ellipsis, std::string_view equation) {
  int uses[kLetters] = {};
  for (const Term& term : terms) {
    for (int label : term.labels) {
      if (label < kLetters) ++uses[label];
    }
  }
  if (!parts.has_output) {
    Labels out = parse_term("...", ellipsis, equation);
    for (int label = 0; label < kLetters; ++label) {
      if (uses[label] == 1) out.push_back(label);
    }
    return out;
  }
  const bool has = parts.output.find("...") != std::string::npos;
  GRADUS_CHECK(has || ellipsis == 0, "[einsum] \"", equation, "\": expected `...` in the output, as in the operands");
  Labels out = parse_term(parts.output, ellipsis, equation);
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i] >= kLetters) continue;
    GRADUS_CHECK(uses[out[i]] > 0, "[einsum] \"", equation, "\": output axis ", name_of(out[i]), " is in no operand");
    GRADUS_CHECK(std::count(out.begin(), out.end(), out[i]) == 1, "[einsum] \"", equation, "\": output axis ",
                 name_of(out[i]), " is named twice");
  }
  return out;
}

// Makes axis order[i] of x axis i, by swaps of two axes, which are views.
Variable permuted(Variable x, std::vector<int> order) {
  for (size_t i = 0; i < order.size(); ++i) {
    const int here = static_cast<int>(i);
    if (order[i] == here) continue;
    x = transpose(x, here, order[i]);
    std::replace(order.begin() + here + 1, order.end(), here, order[i]);
  }
  return x;
}

Term arranged(const Term& term, const Labels& labels) {
  std::vector<int> order;
  for (int label : labels) {
    const auto at = std::find(term.labels.begin(), term.labels.end(), label);
    order.push_back(static_cast<int>(at - term.labels.begin()));
  }
  return {permuted(term.value, order), labels};
}

Shape shape_of(const std::vector<int64_t>& sizes) {
  GRADUS_CHECK(sizes.size() <= kMaxRank, "[einsum] an intermediate product has ", sizes.size(), " axes, at most ",
               kMaxRank, " are possible");
  return Shape(std::span<const int64_t>(sizes));
}

bool find_repeat(const Labels& labels, int& first, int& second) {
  for (auto at = labels.begin(); at != labels.end(); ++at) {
    const auto again = std::find(at + 1, labels.end(), *at);
    first = static_cast<int>(at - labels.begin());
    second = static_cast<int>(again - labels.begin());
    if (again != labels.end()) return true;
  }
  return false;
}

// Moves both axes of a repeated label to the end. There the diagonal of n x n is every (n + 1)th element.
Term without_repeats(Term term) {
  int a = 0;
  int b = 0;
  while (find_repeat(term.labels, a, b)) {
    std::vector<int> order;
    Labels labels;
    for (int axis = 0; axis < term.value.rank(); ++axis) {
      if (axis == a || axis == b) continue;
      order.push_back(axis);
      labels.push_back(term.labels[static_cast<size_t>(axis)]);
    }
    order.insert(order.end(), {a, b});
    labels.push_back(term.labels[static_cast<size_t>(a)]);
    const int64_t n = term.value.shape()[a];
    const Variable last = permuted(term.value, order);
    const Variable flat = reshape(last, last.shape().without(last.rank() - 1).with(last.rank() - 2, n * n));
    term = {slice(flat, -1, 0, n * n, n + 1), labels};
  }
  return term;
}

// Sums over the labels that are not in `needed`.
Term summed(const Term& term, LabelSet needed) {
  const Labels kept = chosen(term.labels, needed);
  if (kept.size() == term.labels.size()) return term;
  const Labels dropped = chosen(term.labels, ~needed);
  const Term front = arranged(term, joined(dropped, kept));
  Shape shape = front.value.shape();
  for (size_t i = 0; i < dropped.size(); ++i) shape = shape.without(0);
  return {sum_to(front.value, shape), kept};
}

// The axes of `term` as [batch.., first.., second..], where each of the last two groups is one axis.
Variable as_matrices(const Term& term, const Labels& batch, const Labels& first, const Labels& second) {
  const Term ordered = arranged(term, joined(joined(batch, first), second));
  std::vector<int64_t> sizes(ordered.value.shape().begin(), ordered.value.shape().end());
  const auto cut = sizes.begin() + static_cast<int>(batch.size());
  const auto middle = cut + static_cast<int>(first.size());
  int64_t rows = 1;
  int64_t columns = 1;
  std::for_each(cut, middle, [&](int64_t size) { rows *= size; });
  std::for_each(middle, sizes.end(), [&](int64_t size) { columns *= size; });
  sizes.resize(batch.size());
  sizes.push_back(rows);
  sizes.push_back(columns);
  return reshape(ordered.value, shape_of(sizes));
}

Term contracted(const Term& left_operand, const Term& right_operand, LabelSet needed) {
  const Term a = summed(left_operand, needed | set_of(right_operand.labels));
  const Term b = summed(right_operand, needed | set_of(a.labels));
  const LabelSet both = set_of(a.labels) & set_of(b.labels);
  const Labels batch = chosen(a.labels, both & needed);
  const Labels inner = chosen(a.labels, both & ~needed);
  const Labels left = chosen(a.labels, ~both);
  const Labels right = chosen(b.labels, ~both);
  const Labels result = joined(joined(batch, left), right);
  if (inner.empty()) {
    const Term rows = arranged(a, joined(batch, left));
    const Term columns = arranged(b, joined(batch, right));
    std::vector<int64_t> row_sizes(rows.value.shape().begin(), rows.value.shape().end());
    std::vector<int64_t> column_sizes(columns.value.shape().begin(), columns.value.shape().end());
    row_sizes.insert(row_sizes.end(), right.size(), 1);
    column_sizes.insert(column_sizes.begin() + static_cast<int>(batch.size()), left.size(), 1);
    return {mul(reshape(rows.value, shape_of(row_sizes)), reshape(columns.value, shape_of(column_sizes))), result};
  }
  const Variable product = matmul(as_matrices(a, batch, left, inner), as_matrices(b, batch, inner, right));
  std::vector<int64_t> sizes(product.shape().begin(), product.shape().end() - 2);
  const auto take = [&sizes](const Term& term, const Labels& labels) {
    for (size_t i = 0; i < term.labels.size(); ++i) {
      const int axis = static_cast<int>(i);
      if ((bit(term.labels[i]) & set_of(labels)) != 0) sizes.push_back(term.value.shape()[axis]);
    }
  };
  take(a, left);
  take(b, right);
  return {reshape(product, shape_of(sizes)), result};
}

}  // namespace

Variable einsum(std::string_view equation, const std::vector<Variable>& operands) {
  const detail::CalledAs called("einsum");
  const Equation parts = split(equation);
  GRADUS_CHECK(parts.inputs.size() == operands.size(), "[einsum] \"", equation, "\" has ", parts.inputs.size(),
               " terms for ", operands.size(), " operands");
  std::vector<Term> terms;
  int most_axes = 0;
  for (size_t i = 0; i < operands.size(); ++i) {
    GRADUS_CHECK(operands[i].dtype() == operands[0].dtype(), "[einsum] dtypes differ: ", describe(operands[0]), " and ",
                 describe(operands[i]));
    const int axes = ellipsis_rank(parts.inputs[i], operands[i], i, equation);
    most_axes = std::max(most_axes, axes);
    terms.push_back({operands[i], parse_term(parts.inputs[i], axes, equation)});
  }
  const Labels output = output_labels(parts, terms, most_axes, equation);
  check_sizes(terms);
  for (Term& term : terms) term = without_repeats(std::move(term));
  Term result = terms[0];
  for (size_t i = 1; i < terms.size(); ++i) {
    LabelSet needed = set_of(output);
    for (size_t later = i + 1; later < terms.size(); ++later) needed |= set_of(terms[later].labels);
    result = contracted(result, terms[i], needed);
  }
  return arranged(summed(result, set_of(output)), output).value;
}

}  // namespace gradus
