#include "core/constraints.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include <fmt/core.h>

namespace orchion::core {

namespace {

using Subject = Constraint::Subject;

constexpr std::string_view kLabelPrefix = "node.labels.";

std::string_view trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string architecture_name(std::string_view text) {
  std::string name = lower(text);
  if (name == "x86_64") return "amd64";
  if (name == "aarch64") return "arm64";
  return name;
}

std::optional<Subject> subject_of(std::string_view key) {
  if (key == "node.name") return Subject::kName;
  if (key == "node.id") return Subject::kId;
  if (key == "node.hostname") return Subject::kHostname;
  if (key == "node.role") return Subject::kRole;
  if (key == "node.platform.os") return Subject::kOperatingSystem;
  if (key == "node.platform.arch") return Subject::kArchitecture;
  if (key.starts_with(kLabelPrefix) && key.size() > kLabelPrefix.size()) return Subject::kLabel;
  return std::nullopt;
}

std::string label_or(const v1::Node& node, const std::string& key, const std::string& otherwise) {
  if (const auto it = node.spec().labels().find(key); it != node.spec().labels().end()) return it->second;
  if (const auto it = node.meta().labels().find(key); it != node.meta().labels().end()) return it->second;
  return otherwise;
}

bool has_label(const v1::Node& node, const std::string& key) {
  return node.spec().labels().contains(key) || node.meta().labels().contains(key);
}

bool same(const Constraint& constraint, const v1::Node& node) {
  switch (constraint.subject) {
    case Subject::kName: return node.meta().name() == constraint.value;
    case Subject::kId: return node.meta().uid() == constraint.value;
    case Subject::kHostname: return lower(node.status().capabilities().hostname()) == lower(constraint.value);
    case Subject::kRole: return lower(label_or(node, "orchion.role", "worker")) == lower(constraint.value);
    case Subject::kOperatingSystem: return lower(constraint.value) == "linux";
    case Subject::kArchitecture:
      return architecture_name(node.status().capabilities().architecture()) == architecture_name(constraint.value);
    case Subject::kLabel:
      return has_label(node, constraint.label) && label_or(node, constraint.label, "") == constraint.value;
  }
  return false;
}

}  // namespace

base::Result<Constraint> parse_constraint(std::string_view text) {
  const auto fail = [&](std::string_view why) {
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("the constraint \"{}\" {}: write KEY==VALUE or KEY!=VALUE with node.name, node.id, "
                                  "node.hostname, node.role, node.labels.NAME, node.platform.os or node.platform.arch",
                                  text, why));
  };
  const auto equal = text.find("==");
  const auto differ = text.find("!=");
  const auto at = std::min(equal, differ);
  if (at == std::string_view::npos) return fail("compares nothing");
  const std::string_view key = trim(text.substr(0, at));
  const auto subject = subject_of(key);
  if (!subject) return fail(fmt::format("asks for \"{}\", which is not known", key));
  Constraint constraint{*subject, "", at == equal, std::string(trim(text.substr(at + 2)))};
  if (constraint.value.empty()) return fail("has no value");
  if (*subject == Subject::kLabel) constraint.label = key.substr(kLabelPrefix.size());
  return constraint;
}

bool matches(const Constraint& constraint, const v1::Node& node) {
  return same(constraint, node) == constraint.equal;
}

std::map<std::string, std::string> node_labels(const v1::Node& node) {
  std::map<std::string, std::string> labels(node.spec().labels().begin(), node.spec().labels().end());
  labels.insert(node.meta().labels().begin(), node.meta().labels().end());
  return labels;
}

}  // namespace orchion::core
