#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace orchion::spec {

// Writes block-style YAML, value by value. Calls must nest properly: in a map a key before each value.
class YamlWriter {
 public:
  void begin_map() { begin(Kind::kMap); }
  void end_map() { end(" {}\n"); }
  void begin_list() { begin(Kind::kList); }
  void end_list() { end(" []\n"); }
  void key(std::string_view key);

  void text(std::string_view value);   // quoted where it would be read as something else
  void plain(std::string_view value);  // a number, true, false, null: as it is

  std::string take() { return std::move(out_); }

 private:
  enum class Kind { kMap, kList };
  struct Level {
    Kind kind;
    std::size_t indent;
    bool empty = true;
  };

  void begin(Kind kind);
  void end(std::string_view when_empty);
  void open_level();
  void lead_in();

  std::string out_;
  std::vector<Level> levels_;
  bool on_dash_ = false;  // the next key continues the line of its `-`
};

// A scalar as YAML 1.1 and 1.2 both read it back as this very text.
std::string quote_yaml(std::string_view text);

}  // namespace orchion::spec
