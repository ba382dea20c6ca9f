#include "spec/support.h"

#include <algorithm>

#include <fmt/core.h>
#include <boost/json.hpp>

#include "spec/key_tree.h"
#include "spec/meanings.h"

namespace orchion::spec {

namespace {

namespace json = boost::json;

// "a network of a service" as "network_of_a_service".
std::string definition_name(const KeyTable& table) {
  std::string name(table.where.starts_with("a ") ? table.where.substr(2) : table.where);
  std::ranges::replace_if(name, [](char c) { return c == ' ' || c == '.'; }, '_');
  return name;
}

json::array types_of(Shape shape) {
  switch (shape) {
    case Shape::kText: return {"string", "number", "boolean", "null"};
    case Shape::kNumber: return {"number", "string", "null"};
    case Shape::kFlag: return {"boolean", "string", "null"};
    case Shape::kMap: return {"object", "null"};
    case Shape::kList: return {"array", "null"};
    case Shape::kTextOrList: return {"string", "array", "null"};
    case Shape::kMapOrList: return {"object", "array", "null"};
    case Shape::kAny: break;
  }
  return {"string", "number", "boolean", "object", "array", "null"};
}

std::string description(const Key& key, const KeyTable& table) {
  const auto* meaning = meaning_of(table, key.name);
  std::string text(meaning ? meaning->sentence : "");
  if (!key.note.empty()) text += fmt::format("{}{}", text.empty() ? "" : ": ", key.note);
  return text;
}

json::object property(const Key& key, const KeyTable& table) {
  json::object out{{"type", types_of(key.shape)}};
  out["description"] = description(key, table);
  for (const auto& child : key_children()) {
    if (&child.parent != &table || child.key != key.name) continue;
    const json::object reference{{"$ref", "#/$defs/" + definition_name(child.table)}};
    if (child.below == Below::kItself) out["$ref"] = reference.at("$ref");
    if (child.below == Below::kItems) out["items"] = reference;
    if (child.below == Below::kValues) {
      out["patternProperties"] = json::object{{"^x-", true}};
      out["additionalProperties"] = reference;
    }
  }
  return out;
}

// Keywords about maps say nothing about a value that isn't one, so short forms pass.
json::object definition(const KeyTable& table) {
  json::object properties;
  for (const auto& key : table.keys) {
    if (key.supported) properties[key.name] = property(key, table);
    // Others' extensions are passed over, this one isn't.
    if (!key.supported && is_extension(key.name)) properties[key.name] = false;
  }
  if (table.also != nullptr)
    for (const auto& key : table.also->keys)
      if (key.supported && find_key_of(table, key.name) == &key) properties[key.name] = property(key, *table.also);
  return {{"properties", std::move(properties)},
          {"patternProperties", json::object{{"^x-", true}}},
          {"additionalProperties", false}};
}

void print(const json::value& value, std::size_t indent, std::string& out) {
  const std::string lead(indent + 2, ' ');
  const auto items = [&](const auto& list, char open, char close, const auto& print_one) {
    out += open;
    bool first = true;
    for (const auto& item : list) {
      out += first ? "\n" : ",\n";
      out += lead;
      print_one(item);
      first = false;
    }
    if (!first) out += "\n" + std::string(indent, ' ');
    out += close;
  };
  if (value.is_object()) {
    items(value.get_object(), '{', '}', [&](const json::key_value_pair& member) {
      out += json::serialize(json::string(member.key())) + ": ";
      print(member.value(), indent + 2, out);
    });
  } else if (value.is_array() && !value.get_array().empty() && !value.get_array()[0].is_string()) {
    items(value.get_array(), '[', ']', [&](const json::value& item) { print(item, indent + 2, out); });
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

std::string json_schema() {
  json::object root{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                    {"$id", "urn:orchion:compose:1"},
                    {"title", "A Compose file as orchion reads it"},
                    {"type", "object"}};
  for (auto& [key, value] : definition(kTopKeys)) root[key] = value;
  json::object definitions;
  for (const auto* table : all_key_tables())
    if (table != &kTopKeys) definitions[definition_name(*table)] = definition(*table);
  root["$defs"] = std::move(definitions);
  std::string out;
  print(root, 0, out);
  return out + "\n";
}

std::string support_tables() {
  std::string out;
  for (const auto* table : all_key_tables()) {
    out += fmt::format("### In {}\n\n| key | supported | what it means | of it, or instead |\n|---|---|---|---|\n",
                       table->where);
    for (const auto& key : table->keys) {
      const auto* meaning = meaning_of(*table, key.name);
      out += fmt::format("| `{}` | {} | {} | {} |\n", key.name, key.supported ? "yes" : "**no**",
                         meaning ? meaning->sentence : "", key.note);
    }
    if (table->also != nullptr) out += fmt::format("\nAnd each key of {} that isn't named here.\n", table->also->where);
    out += "\n";
  }
  return out;
}

}  // namespace orchion::spec
