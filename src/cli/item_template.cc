#include "cli/item_template.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/core.h>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace orchion::cli {

namespace {

using boost::json::value;

std::optional<std::size_t> index_of(const std::string& step) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
  if (error != std::errc() || end != step.data() + step.size()) return std::nullopt;
  return index;
}

std::string text_of(const value& item) {
  if (item.is_null()) return "";
  if (const auto* text = item.if_string()) return std::string(text->data(), text->size());
  const auto* list = item.if_array();
  if (list == nullptr) return boost::json::serialize(item);
  std::string out;
  for (const auto& element : *list) out += (out.empty() ? "" : ",") + text_of(element);
  return out;
}

std::string look_up(const value& item, const std::string* step, const std::string* end) {
  if (step == end) return text_of(item);
  if (const auto* object = item.if_object()) {
    const auto* found = object->if_contains(*step);
    return found == nullptr ? "" : look_up(*found, step + 1, end);
  }
  const auto* list = item.if_array();
  if (list == nullptr) return "";
  if (const auto index = index_of(*step)) return *index < list->size() ? look_up((*list)[*index], step + 1, end) : "";
  std::string out;
  for (const auto& element : *list) out += (out.empty() ? "" : ",") + look_up(element, step, end);
  return out;
}

base::Result<std::vector<std::string>> parse_path(std::string_view text) {
  std::vector<std::string> path(1);
  for (const char c : text) {
    if (c == '.') {
      path.emplace_back();
    } else {
      path.back() += c;
    }
  }
  if (std::ranges::find(path, "") != path.end() || text.find_first_of(" {") != std::string_view::npos)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("`{{{}}}` names no field: write it like {{meta.name}}", text));
  return path;
}

// The character that stands for `two`, which are a doubled brace or an escape.
std::optional<char> pair_of(std::string_view two) {
  if (two == "{{") return '{';
  if (two == "}}") return '}';
  if (two == "\\n") return '\n';
  if (two == "\\t") return '\t';
  return std::nullopt;
}

void collect_paths(const value& item, const std::string& path, std::vector<std::string>& out) {
  if (const auto* object = item.if_object()) {
    for (const auto& [key, member] : *object)
      collect_paths(member, fmt::format("{}{}{}", path, path.empty() ? "" : ".", std::string(key)), out);
    return;
  }
  const auto* list = item.if_array();
  if (list != nullptr && !list->empty()) {
    for (const auto& element : *list) collect_paths(element, path, out);
  } else if (std::ranges::find(out, path) == out.end()) {
    out.push_back(path);
  }
}

}  // namespace

base::Result<ItemTemplate> ItemTemplate::parse(std::string_view text) {
  ItemTemplate out;
  std::string plain;
  const auto end_plain = [&] {
    if (!plain.empty()) out.parts_.emplace_back(std::exchange(plain, ""));
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (const auto character = pair_of(text.substr(at, 2))) {
      plain += *character;
      ++at;
    } else if (text[at] == '{') {
      const auto close = text.find('}', at);
      if (close == std::string_view::npos)
        return base::fail(base::Code::kInvalidArgument,
                          fmt::format("`{}` has no closing brace: write }}, or {{{{ for a brace", text.substr(at)));
      end_plain();
      ASSIGN_OR_RETURN(auto path, parse_path(text.substr(at + 1, close - at - 1)));
      out.parts_.emplace_back(Field{std::move(path)});
      at = close;
    } else if (text[at] == '}') {
      return base::fail(
          base::Code::kInvalidArgument,
          fmt::format("character {} is a closing brace that nothing opens: write }}}} for a brace", at + 1));
    } else {
      plain += text[at];
    }
  }
  end_plain();
  return out;
}

std::string ItemTemplate::render(const value& item) const {
  std::string out;
  for (const auto& part : parts_) {
    if (const auto* plain = std::get_if<std::string>(&part)) {
      out += *plain;
    } else {
      const auto& path = std::get<Field>(part).path;
      out += look_up(item, path.data(), path.data() + path.size());
    }
  }
  return out;
}

std::vector<std::string> field_paths(const value& item) {
  std::vector<std::string> out;
  collect_paths(item, "", out);
  return out;
}

}  // namespace orchion::cli
