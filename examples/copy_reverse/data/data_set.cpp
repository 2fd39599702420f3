// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/data/data_set.hpp>

#include <algorithm>
#include <bit>
#include <unordered_set>

#include <gradus/examples/common/bad_input.hpp>

namespace gradus::examples {
namespace {

[[noreturn]] void refuse_split(const std::string& what, const char* fate) {
  throw BadInput(what + ": " + fate + ", one in ten by its own hash; expected more items");
}

constexpr const char* kNoneHeldOut = "no item is held out to be scored";
constexpr const char* kAllHeldOut = "every item is held out, so there is nothing to train on";

/// Keeps the first of equal items. (Uses an open hash table, because std::unordered_set, which allocates for each item,
/// took as long as reading the file.)
void drop_repeated(std::vector<Line>& lines) {
  const size_t slots = std::bit_ceil(2 * lines.size() + 1);
  std::vector<size_t> table(slots);  // 1 + the index of a kept line; 0: free
  size_t kept = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    size_t slot = item_hash(lines[i].item) % slots;
    while (table[slot] != 0 && lines[table[slot] - 1].item != lines[i].item) slot = (slot + 1) % slots;
    if (table[slot] != 0) continue;
    if (kept != i) lines[kept] = std::move(lines[i]);
    table[slot] = ++kept;
  }
  lines.resize(kept);
}

Vocabulary vocabulary_of(const std::vector<Line>& lines) {
  std::vector<bool> used;
  for (const Line& line : lines) {
    for (const char32_t symbol : line.item) {
      if (symbol >= used.size()) used.resize(symbol + 1);
      used[symbol] = true;
    }
  }
  std::u32string symbols;
  for (size_t symbol = 0; symbol < used.size(); ++symbol) {
    if (used[symbol]) symbols += static_cast<char32_t>(symbol);
  }
  return Vocabulary(std::move(symbols));
}

/// The number of possible sequences, or `limit` when there are more.
int64_t count_sequences(const RandomItems& random, int64_t limit) {
  int64_t total = 0;
  int64_t of_length = 1;
  for (int64_t length = 1; length <= random.max_length; ++length) {
    of_length = std::min(limit, of_length * random.letters.symbol_count());
    if (length >= random.min_length) total = std::min(limit, total + of_length);
    if (total == limit) break;
  }
  return total;
}

/// Moves `item` to the next sequence of its length in the order of `letters`. Returns false after the last one.
bool advance(const std::u32string& letters, Item& item) {
  for (size_t i = item.size(); i-- > 0;) {
    if (item[i] != letters.back()) {
      item[i] = *std::upper_bound(letters.begin(), letters.end(), item[i]);
      return true;
    }
    item[i] = letters.front();
  }
  return false;
}

/// For few sequences: visits every one. Returns the held-out ones, shuffled. Throws when none or all are held out.
std::vector<Item> enumerate_held_out(const RandomItems& random, RandomNumbers& numbers) {
  std::vector<Item> out;
  bool any_to_train = false;
  for (int64_t length = random.min_length; length <= random.max_length; ++length) {
    Item item(static_cast<size_t>(length), random.letters.symbols().front());
    do {
      if (is_held_out(item)) {
        out.push_back(item);
      } else {
        any_to_train = true;
      }
    } while (advance(random.letters.symbols(), item));
  }
  constexpr const char* kWhat = "random sequences";
  if (out.empty()) refuse_split(kWhat, kNoneHeldOut);
  if (!any_to_train) refuse_split(kWhat, kAllHeldOut);
  numbers.shuffle(out);
  return out;
}

/// For many sequences: draws until it has `count` different held-out ones.
std::vector<Item> draw_held_out(const RandomItems& random, int64_t count, RandomNumbers& numbers) {
  std::vector<Item> out;
  out.reserve(static_cast<size_t>(count));  // `seen` refers to the items, which must not move
  std::unordered_set<std::u32string_view> seen(2 * static_cast<size_t>(count));
  Item item;
  while (static_cast<int64_t>(out.size()) < count) {
    random.draw(numbers, item);
    if (!is_held_out(item) || seen.count(item) > 0) continue;
    out.push_back(item);
    seen.insert(out.back());
  }
  return out;
}

}  // namespace

void RandomItems::draw(RandomNumbers& numbers, Item& item) const {
  item.resize(static_cast<size_t>(min_length + numbers.below(max_length - min_length + 1)));
  for (char32_t& symbol : item) {
    symbol = letters.symbols()[static_cast<size_t>(numbers.below(letters.symbol_count()))];
  }
}

DataSet data_set_from_lines(const std::string& path, std::vector<Line> lines, const Vocabulary* known) {
  DataSet out;
  drop_repeated(lines);
  if (known != nullptr) {
    for (const Line& line : lines) {
      const auto unknown = known->first_unknown(line.item);
      if (!unknown.has_value()) continue;
      throw BadInput(path + ", line " + std::to_string(line.number) + ": the loaded model does not know the symbol '" +
                     shown_symbol(*unknown) + "'");
    }
    out.vocabulary = *known;
  } else {
    out.vocabulary = vocabulary_of(lines);
    if (out.vocabulary.symbol_count() > Vocabulary::kMostLetters) {
      throw BadInput(path + ": it has " + grouped(out.vocabulary.symbol_count()) +
                     " different symbols; expected at most " + grouped(Vocabulary::kMostLetters));
    }
  }
  out.training.reserve(lines.size());
  for (Line& line : lines) (is_held_out(line.item) ? out.held_out : out.training).push_back(std::move(line.item));
  if (out.held_out.empty()) refuse_split(path, kNoneHeldOut);
  if (out.training.empty()) refuse_split(path, kAllHeldOut);
  return out;
}

DataSet random_data_set(RandomItems random, int64_t held_out, Generator generator) {
  RandomNumbers numbers(std::move(generator));
  // Drawing `held_out` different items is fast only when there are many more of them.
  const int64_t few = std::max<int64_t>(200'000, 40 * held_out);
  DataSet out;
  if (count_sequences(random, few) < few) {
    out.held_out = enumerate_held_out(random, numbers);
    if (static_cast<int64_t>(out.held_out.size()) > held_out) out.held_out.resize(static_cast<size_t>(held_out));
  } else {
    out.held_out = draw_held_out(random, held_out, numbers);
  }
  out.vocabulary = random.letters;
  out.random = std::move(random);
  return out;
}

TrainingItems::TrainingItems(const DataSet& data, Generator generator)
    : data_(data), numbers_(std::move(generator)), used_(data.training.size()) {
  order_.reserve(data.training.size());
  for (const Item& item : data.training) order_.push_back(&item);
}

Item TrainingItems::next() {
  if (order_.empty()) {
    Item item;
    do {
      data_.random.draw(numbers_, item);
    } while (is_held_out(item));
    return item;
  }
  if (used_ == order_.size()) {
    numbers_.shuffle(order_);
    used_ = 0;
  }
  return *order_[used_++];
}

}  // namespace gradus::examples
