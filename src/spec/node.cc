#include "spec/node.h"

#include <algorithm>

#include <fmt/core.h>

namespace orchion::spec {

namespace {

constexpr std::size_t kShownCharactersMax = 60;

}  // namespace

std::string Position::text() const {
  const std::string_view name = file ? std::string_view(*file) : std::string_view("?");
  return line > 0 ? fmt::format("{}:{}:{}", name, line, column) : std::string(name);
}

const Node* Node::find(std::string_view key) const {
  const auto it = std::ranges::find(entries, key, &Entry::key);
  return it == entries.end() ? nullptr : &it->value;
}

Node* Node::find(std::string_view key) {
  const auto it = std::ranges::find(entries, key, &Entry::key);
  return it == entries.end() ? nullptr : &it->value;
}

std::string Node::describe() const {
  switch (kind) {
    case Kind::kNull: return "nothing";
    case Kind::kList: return "a list";
    case Kind::kMap: return "a map";
    case Kind::kScalar: break;
  }
  if (text.size() <= kShownCharactersMax) return fmt::format("`{}`", text);
  return fmt::format("`{}…`", text.substr(0, kShownCharactersMax));
}

}  // namespace orchion::spec
