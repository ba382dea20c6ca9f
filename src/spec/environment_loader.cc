// `environment` and `env_file`: one list of variables, what stands in the service itself last and strongest.

#include <map>

#include <fmt/core.h>

#include "spec/env_file.h"
#include "spec/keys.h"
#include "spec/service_loader.h"
#include "spec/utf8.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

constexpr std::size_t kEnvFileBytesMax = 1u << 20;

struct EnvFileEntry {
  std::string path;
  Position at;
  bool required = true;
  EnvFormat format = EnvFormat::kCompose;
};

std::optional<EnvFileEntry> read_entry(const Node& node, Problems& problems) {
  if (node.is_scalar()) return EnvFileEntry{node.text, node.at};
  if (!expect_map(node, "env_file", problems)) return std::nullopt;
  check_keys(node, kEnvFileKeys, problems);
  EnvFileEntry entry{"", node.at};
  if (const auto* path = node.find("path")) entry.path = read_text(*path, "path", problems).value_or("");
  if (entry.path.empty()) {
    problems.add(node.at, "an entry of `env_file` has no `path`: name the file");
    return std::nullopt;
  }
  if (const auto* required = node.find("required"))
    entry.required = read_bool(*required, "required", problems).value_or(true);
  if (const auto* format = node.find("format")) {
    const auto text = read_text(*format, "format", problems);
    if (text == "raw") entry.format = EnvFormat::kRaw;
    if (text && *text != "raw")
      problems.add(format->at, fmt::format("the format `{}` isn't known: use raw, or remove it", *text));
  }
  return entry;
}

// Keeps the order of first appearance; later values win.
class VariableSet {
 public:
  void set(const std::string& name, std::string value) {
    const auto [place, added] = places_.try_emplace(name, variables_.size());
    if (added) variables_.push_back({name, {}});
    variables_[place->second].value = std::move(value);
  }
  std::optional<std::string> find(const std::string& name) const {
    const auto place = places_.find(name);
    if (place == places_.end()) return std::nullopt;
    return variables_[place->second].value;
  }
  const std::vector<EnvVariable>& all() const { return variables_; }

 private:
  std::vector<EnvVariable> variables_;
  std::map<std::string, std::size_t> places_;
};

void read_env_file(const EnvFileEntry& entry, VariableSet& variables, LoadContext& context) {
  const auto path = context.readable_path(entry.path, entry.at, "the env file");
  if (!path || (!entry.required && !context.files.exists(*path))) return;
  const auto text = context.files.read(*path, kEnvFileBytesMax);
  if (!text) {
    const bool missing = text.error().code == base::Code::kNotFound;
    return context.problems.add(entry.at, missing ? fmt::format("there is no env file {}: create it, or mark it "
                                                                "`required: false`",
                                                                entry.path)
                                                  : text.error().message);
  }
  const Lookup lookup = [&](const std::string& name) {
    auto value = context.scope_of(entry.at).lookup(name);
    return value ? value : variables.find(name);
  };
  auto parsed = parse_env_file(*text, entry.path, lookup, entry.format);
  if (!parsed) return context.problems.add(entry.at, parsed.error().message);
  for (auto& variable : *parsed) variables.set(variable.name, std::move(variable.value));
}

}  // namespace

void load_environment(const Node& service, v1::ContainerSpec& container, LoadContext& context) {
  VariableSet variables;
  if (const auto* node = service.find("env_file"); node && !node->is_null()) {
    if (node->is_list()) {
      for (const auto& item : node->items)
        if (const auto entry = read_entry(item, context.problems)) read_env_file(*entry, variables, context);
    } else if (const auto entry = read_entry(*node, context.problems)) {
      read_env_file(*entry, variables, context);
    }
  }
  if (const auto* node = service.find("environment"); node && !node->is_null()) {
    for (const auto& pair : read_pairs(*node, "environment", context.problems)) {
      // A name without a value is passed on from the shell, and left out where the shell hasn't got it.
      auto value = pair.value ? pair.value : context.scope_of(pair.at).lookup(pair.key);
      if (value && !is_clean_text(*value))
        context.problems.add(pair.at,
                             fmt::format("the value of {} isn't text in UTF-8: set it to one that is", pair.key));
      else if (value)
        variables.set(pair.key, *std::move(value));
    }
  }
  for (const auto& variable : variables.all()) {
    auto& out = *container.add_environment();
    out.set_name(variable.name);
    out.set_value(variable.value);
  }
}

void load_label_files(const Node& service, v1::ContainerSpec& container, LoadContext& context) {
  const auto* node = find_value(service, "label_file");
  if (!node) return;
  VariableSet labels;
  if (node->is_scalar()) read_env_file(EnvFileEntry{node->text, node->at}, labels, context);
  if (!node->is_scalar() && expect_list(*node, "label_file", context.problems))
    for (const auto& item : node->items)
      if (const auto path = read_text(item, "label_file", context.problems))
        read_env_file(EnvFileEntry{*path, item.at}, labels, context);
  for (const auto& label : labels.all()) (*container.mutable_labels())[label.name] = label.value;
}

}  // namespace orchion::spec
