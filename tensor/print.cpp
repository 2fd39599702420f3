// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include <gradus/tensor/tensor.hpp>

namespace gradus {
namespace {

constexpr int64_t kShownInFull = 1000;  // a tensor with more elements is shortened to at most so many
constexpr size_t kLineWidth = 100;
constexpr const char* kGap = "...";

// The shown indices of one axis: all of them, or `edge` at each end.
struct ShownAxis {
  int64_t size = 0;
  int64_t edge = 0;

  bool is_abridged() const { return size > 2 * edge; }
  int64_t count() const { return is_abridged() ? 2 * edge : size; }
  int64_t index(int64_t k) const { return is_abridged() && k >= edge ? size - 2 * edge + k : k; }
};

// Shows three items at each end of a long axis, or fewer when many axes would still show too many.
std::vector<ShownAxis> shown_axes(const Shape& shape) {
  for (int64_t edge = shape.numel() > kShownInFull ? 3 : kShownInFull;; --edge) {
    std::vector<ShownAxis> axes;
    int64_t shown = 1;
    for (const int64_t size : shape) {
      axes.push_back({.size = size, .edge = edge});
      shown *= axes.back().count();
    }
    if (shown <= kShownInFull || edge == 1) return axes;
  }
}

std::string formatted(const char* format, int digits, double value) {
  char text[400];  // the longest fixed double has 309 digits before the point
  std::snprintf(text, sizeof text, format, digits, value);
  return text;
}

// One format for all shown numbers, so that the columns align. Uses as few decimals as the numbers need, at most four.
// Uses scientific notation when the numbers would be long or show only zeros.
class FloatFormat {
 public:
  explicit FloatFormat(const std::vector<double>& values) {
    double largest = 0;
    double smallest = INFINITY;
    for (const double value : values) {
      if (!std::isfinite(value) || value == 0) continue;
      largest = std::max(largest, std::fabs(value));
      smallest = std::min(smallest, std::fabs(value));
    }
    const bool integers = std::all_of(values.begin(), values.end(),
                                      [](double value) { return !std::isfinite(value) || value == std::floor(value); });
    scientific_ = largest > 0 && (largest >= 1e8 || smallest < 1e-4 || (!integers && largest / smallest > 1e5));
    for (const double value : values) {
      if (std::isfinite(value)) decimals_ = std::max(decimals_, decimals_of(value));
    }
  }

  std::string operator()(double value) const {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    if (scientific_) return formatted("%.*e", decimals_, value);
    return formatted("%.*f", decimals_, value) + (decimals_ == 0 ? "." : "");
  }

 private:
  int decimals_of(double value) const {
    std::string text = formatted(scientific_ ? "%.*e" : "%.*f", 4, value);
    text.resize(std::min(text.size(), text.find('e')));
    const size_t last = text.find_last_not_of('0');
    return static_cast<int>(last - text.find('.'));
  }

  bool scientific_ = false;
  int decimals_ = 0;
};

class Printer {
 public:
  explicit Printer(const Tensor& tensor) : tensor_(tensor), axes_(shown_axes(tensor.shape())) {
    visit(0, tensor.layout().offset(), [&](int64_t at) { offsets_.push_back(at); });
    format_elements();
  }

  std::string text() {
    write(0);
    return out_;
  }

 private:
  template <class Visit>
  void visit(int axis, int64_t offset, const Visit& element) {
    if (axis == tensor_.rank()) return element(offset);
    const ShownAxis& shown = axes_[static_cast<size_t>(axis)];
    for (int64_t k = 0; k < shown.count(); ++k) {
      visit(axis + 1, offset + shown.index(k) * tensor_.layout().stride(axis), element);
    }
  }

  template <class T>
  T element(int64_t offset) const {
    return static_cast<const T*>(tensor_.storage().data())[offset];
  }

  void format_elements() {
    switch (tensor_.dtype()) {
      case DType::f32:
        format_floats<float>();
        break;
      case DType::f64:
        format_floats<double>();
        break;
      case DType::i64:
        for (const int64_t at : offsets_) texts_.push_back(std::to_string(element<int64_t>(at)));
        break;
      case DType::boolean:
        for (const int64_t at : offsets_) texts_.emplace_back(element<bool>(at) ? "true" : "false");
        break;
    }
    for (const std::string& text : texts_) width_ = std::max(width_, text.size());
    // All numbers have equally many decimals, so the points align. nan and inf are aligned to the right.
    for (std::string& text : texts_) text.insert(0, width_ - text.size(), ' ');
  }

  template <class T>
  void format_floats() {
    std::vector<double> values;
    for (const int64_t at : offsets_) values.push_back(static_cast<double>(element<T>(at)));
    const FloatFormat format(values);
    for (const double value : values) texts_.push_back(format(value));
  }

  void write(int axis) {
    if (axis == tensor_.rank()) {
      add(texts_[next_++]);
      return;
    }
    const ShownAxis& shown = axes_[static_cast<size_t>(axis)];
    const bool is_row = axis == tensor_.rank() - 1;
    add("[");
    for (int64_t k = 0; k < shown.count(); ++k) {
      if (k > 0) separate(axis, is_row);
      if (k == shown.edge && shown.is_abridged()) {
        add(kGap);
        separate(axis, is_row);
      }
      write(axis + 1);
    }
    add("]");
  }

  // Writes a comma between two items, and a new line when the items are not single elements or the line is full.
  void separate(int axis, bool is_row) {
    add(",");
    if (is_row && column_ + 1 + width_ < kLineWidth) return add(" ");
    const int breaks = is_row ? 1 : tensor_.rank() - 1 - axis;
    out_.append(static_cast<size_t>(breaks), '\n');
    out_.append(static_cast<size_t>(axis) + 1, ' ');
    column_ = static_cast<size_t>(axis) + 1;
  }

  void add(const std::string& text) {
    out_ += text;
    column_ += text.size();
  }

  const Tensor& tensor_;
  std::vector<ShownAxis> axes_;
  std::vector<int64_t> offsets_;
  std::vector<std::string> texts_;
  size_t width_ = 0;
  size_t next_ = 0;
  size_t column_ = 0;
  std::string out_;
};

}  // namespace

std::string to_string(const Tensor& tensor) {
  if (!tensor.defined()) return describe(tensor);
  const std::string elements = tensor.numel() == 0 ? "[]" : Printer(tensor).text();
  return elements + " " + describe(tensor);
}

}  // namespace gradus
