#pragma once

// The smallest of N keys, where a few change at a time: a tournament. One change costs log N comparisons, asking none.

#include <compare>
#include <cstdint>
#include <vector>

namespace orchion::control::scheduler {

// What is better has the smaller key. Equal keys: the place that comes first in the tree.
struct ScoreKey {
  std::uint64_t first = 0;
  std::uint64_t second = 0;

  static ScoreKey none() { return {UINT64_MAX, UINT64_MAX}; }
  auto operator<=>(const ScoreKey&) const = default;
};

class WinnerTree {
 public:
  // All keys are none().
  explicit WinnerTree(std::size_t size) : keys_(size, ScoreKey::none()), winners_(size) { play_all(); }

  std::size_t size() const { return keys_.size(); }
  const ScoreKey& key(std::size_t place) const { return keys_[place]; }

  // Without playing: play_all() has to follow.
  void put(std::size_t place, const ScoreKey& key) { keys_[place] = key; }
  void play_all() {
    for (std::size_t i = size(); i-- > 1;) winners_[i] = better(contender(2 * i), contender(2 * i + 1));
  }

  void change(std::size_t place, const ScoreKey& key) {
    if (keys_[place] == key) return;
    keys_[place] = key;
    for (std::size_t i = (place + size()) / 2; i > 0; i /= 2)
      winners_[i] = better(contender(2 * i), contender(2 * i + 1));
  }

  std::size_t winner() const { return size() > 1 ? winners_[1] : 0; }

  std::size_t bytes() const {
    return keys_.capacity() * sizeof(ScoreKey) + winners_.capacity() * sizeof(std::uint32_t);
  }

 private:
  // Leaves are numbered from size() on; inner nodes from 1.
  std::uint32_t contender(std::size_t i) const {
    return i >= size() ? static_cast<std::uint32_t>(i - size()) : winners_[i];
  }
  std::uint32_t better(std::uint32_t a, std::uint32_t b) const {
    const auto order = keys_[a] <=> keys_[b];
    return order < 0 || (order == 0 && a < b) ? a : b;
  }

  std::vector<ScoreKey> keys_;
  std::vector<std::uint32_t> winners_;
};

}  // namespace orchion::control::scheduler
