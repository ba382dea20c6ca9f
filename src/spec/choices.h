#pragma once

// Words of which a key takes one.

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "spec/values.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

template <class Choice, std::size_t count>
using Choices = std::array<std::pair<std::string_view, Choice>, count>;

inline constexpr Choices<v1::JobSpec::Placement, 5> kPlacementChoices = {
    {{"least-loaded", v1::JobSpec::LEAST_LOADED},
     {"bin-pack", v1::JobSpec::BIN_PACK},
     {"round-robin", v1::JobSpec::ROUND_ROBIN},
     {"spread", v1::JobSpec::SPREAD_OUT},
     {"least-fragmentation", v1::JobSpec::LEAST_FRAGMENTATION}}};

// The word for it; for one that says nothing that of the first.
inline std::string placement_word(v1::JobSpec::Placement placement) {
  for (const auto& [word, choice] : kPlacementChoices)
    if (choice == placement) return std::string(word);
  return std::string(kPlacementChoices.front().first);
}

// What the map says at the key, which is a word of `what`.
template <class Choice, std::size_t count>
std::optional<Choice> choose(const Node& map, std::string_view key, const char* what,
                             const Choices<Choice, count>& choices, Problems& problems) {
  const auto* node = find_value(map, key);
  const auto text = node ? read_text(*node, key, problems) : std::nullopt;
  if (!text) return std::nullopt;
  std::string known;
  for (const auto& [word, choice] : choices) {
    if (word == *text) return choice;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", word);
  }
  problems.add(node->at, fmt::format("`{}` is no {} of {}: use one of {}", *text, key, what, known));
  return std::nullopt;
}

}  // namespace orchion::spec
