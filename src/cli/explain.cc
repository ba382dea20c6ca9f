#include <iostream>

#include <fmt/core.h>
#include <boost/json.hpp>

#include "cli/commands.h"
#include "cli/output.h"
#include "spec/key_tree.h"
#include "spec/meanings.h"

namespace orchion::cli {

namespace {

namespace json = boost::json;

std::string_view type_of(spec::Shape shape) {
  switch (shape) {
    case spec::Shape::kText: return "text";
    case spec::Shape::kNumber: return "number";
    case spec::Shape::kFlag: return "true or false";
    case spec::Shape::kMap: return "map";
    case spec::Shape::kList: return "list";
    case spec::Shape::kTextOrList: return "text or list";
    case spec::Shape::kMapOrList: return "map or list";
    case spec::Shape::kAny: break;
  }
  return "any";
}

// What is said of one key.
struct Facts {
  std::string type, meaning, supported, fallback, example;
};

Facts facts_of(const spec::KeyTable& table, const spec::Key& key) {
  const auto* meaning = spec::meaning_of(table, key.name);
  Facts facts{std::string(type_of(key.shape)), "", key.supported ? "yes" : "no", "", ""};
  if (!key.note.empty()) facts.supported += fmt::format("{} {}", key.supported ? "," : ":", key.note);
  if (!meaning) return facts;
  facts.meaning = meaning->sentence;
  facts.fallback = meaning->fallback;
  if (!meaning->example.empty()) facts.example = fmt::format("{}: {}", key.name, meaning->example);
  return facts;
}

json::object as_json(std::string_view name, const spec::Key& key, const Facts& facts) {
  return {{"name", std::string(name)},     {"type", facts.type},
          {"meaning", facts.meaning},      {"supported", key.supported},
          {"note", std::string(key.note)}, {"default", facts.fallback},
          {"example", facts.example}};
}

json::array keys_as_json(const spec::KeyTable& table) {
  json::array keys;
  for (const auto& key : table.keys) keys.push_back(as_json(key.name, key, facts_of(table, key)));
  return keys;
}

void print_keys(const Context& context, const spec::KeyTable& table) {
  std::vector<Row> rows;
  for (const auto& key : table.keys) {
    const auto facts = facts_of(table, key);
    const std::string name(key.name);
    rows.push_back({name,
                    {name, facts.type, key.supported ? "yes" : "no", facts.meaning},
                    {facts.fallback.empty() ? "-" : facts.fallback, facts.example}});
  }
  print_rows(context, {"KEY", "TYPE", "SUPPORTED", "MEANING"}, {"DEFAULT", "EXAMPLE"}, rows);
}

void print_facts(const spec::FoundKey& found) {
  const auto facts = facts_of(*found.table, *found.key);
  std::vector<std::vector<std::string>> lines = {
      {"key", found.path}, {"meaning", facts.meaning}, {"type", facts.type}, {"supported", facts.supported}};
  if (!facts.fallback.empty()) lines.push_back({"default", facts.fallback});
  if (!facts.example.empty()) lines.push_back({"example", facts.example});
  std::cout << format_table(lines);
}

}  // namespace

int run_explain(Context& context, const std::string& field) {
  const bool as_object = wants_object(context);
  if (field.empty()) {
    if (as_object)
      return print_list(context, json::serialize(json::object{{"keys", keys_as_json(spec::kTopKeys)}}), "keys");
    print_keys(context, spec::kTopKeys);
    return kExitOk;
  }
  const auto found = spec::find_key(field);
  if (!found) return context.fail(found.error());
  if (as_object) {
    auto object = as_json(found->path, *found->key, facts_of(*found->table, *found->key));
    if (found->below) object["keys"] = keys_as_json(*found->below);
    return print_object(context, json::serialize(object));
  }
  if (context.options().output.format == OutputFormat::kName) {
    if (!found->below) std::cout << found->path << "\n";
  } else {
    print_facts(*found);
    if (found->below) std::cout << "\n";
  }
  if (found->below) print_keys(context, *found->below);
  return kExitOk;
}

}  // namespace orchion::cli
