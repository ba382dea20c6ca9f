#include "spec/node.h"

#include <algorithm>
#include <map>

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

void Node::erase(std::string_view key) {
  std::erase_if(entries, [&](const Entry& entry) { return entry.key == key; });
}

std::size_t Node::size() const {
  std::size_t count = 1;
  for (const auto& item : items) count += item.size();
  for (const auto& entry : entries) count += entry.value.size();
  return count;
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

bool same_content(const Node& a, const Node& b) {
  if (a.kind != b.kind || a.tag != b.tag || a.text != b.text) return false;
  if (!std::ranges::equal(a.items, b.items, same_content) || a.entries.size() != b.entries.size()) return false;
  std::map<std::string_view, const Node*> others;
  for (const auto& entry : b.entries) others.emplace(entry.key, &entry.value);
  return std::ranges::all_of(a.entries, [&](const Node::Entry& entry) {
    const auto other = others.find(entry.key);
    return other != others.end() && same_content(entry.value, *other->second);
  });
}

}  // namespace orchion::spec
