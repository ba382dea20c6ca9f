#pragma once

// What a file says, before anybody asks what it means: a tree that remembers where each part stood, so that
// every message can name file, line and column.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace orchion::spec {

// Line and column count from 1; 0 where a place is not known.
struct Position {
  std::shared_ptr<const std::string> file;  // as the user named it
  int line = 0;
  int column = 0;

  // "compose.yaml:14:5".
  std::string text() const;
};

// A value: copied, compared by hand. Order of maps is the file's.
struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };
  struct Entry;

  Kind kind = Kind::kNull;
  Position at;
  std::string tag;             // "!reset", "!override"; empty for none
  std::string text;            // kScalar: the characters, quotes and escapes resolved
  std::vector<Node> items;     // kList
  std::vector<Entry> entries;  // kMap; keys are unique

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_map() const { return kind == Kind::kMap; }

  // nullptr where there is no such key. Linear.
  const Node* find(std::string_view key) const;
  Node* find(std::string_view key);

  // Takes the key away, where it is there.
  void erase(std::string_view key);

  // Values within this one, itself included.
  std::size_t size() const;

  // "a map", "a list", "`text`", "nothing": for messages.
  std::string describe() const;
};

struct Node::Entry {
  std::string key;
  Position key_at;
  Node value;
};

// Whether both say the same, wherever they stand; the order of a map's keys doesn't count.
bool same_content(const Node& a, const Node& b);

// Keys that Compose leaves to others; they are the only ones passed over without a word.
// Of the extensions this one is ours: it is read, filled in and merged like the rest.
inline constexpr std::string_view kOwnExtension = "x-orchion";

inline bool is_extension(std::string_view key) {
  return key.starts_with("x-");
}

}  // namespace orchion::spec
