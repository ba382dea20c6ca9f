#pragma once

// Which sequences of four bytes occur in a text, as a set of bits: asked before the text itself is unpacked. Letters
// of ASCII count as their lower case; sequences don't reach over a line's end.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "node/logs/segment.h"

namespace orchion::node::logs {

constexpr std::size_t kGramBytes = 4;

// Collects the sequences of payloads, each stream for itself.
class GramCollector {
 public:
  GramCollector();

  void add(OutputStream stream, std::string_view payload);

  // A power of two of bits, no more than a third of them set where that can be had in 32 KiB; empty where so many are
  // set that asking is of no use. Begins anew.
  std::string take();

 private:
  struct Window {
    std::uint32_t bytes = 0;
    std::uint32_t count = 0;
  };

  std::vector<std::uint64_t> seen_;
  Window windows_[2];
};

// False: `text` occurs nowhere in what `grams` was collected of. True where it may, where it is shorter than four
// bytes, and where `grams` is empty. Sequences with bytes beyond ASCII are passed over.
bool may_contain(std::string_view grams, std::string_view text);

}  // namespace orchion::node::logs
