#include "cli/plan_text.h"

#include <map>

#include <fmt/core.h>

namespace orchion::cli {

namespace {

struct Wording {
  char sign;
  const char* verb;
};

Wording wording_of(v1::Change::Action action) {
  switch (action) {
    case v1::Change::CREATE: return {'+', "create"};
    case v1::Change::UPDATE: return {'~', "update"};
    case v1::Change::REPLACE: return {'!', "replace"};
    case v1::Change::REMOVE: return {'-', "remove"};
    default: return {' ', "keep"};
  }
}

std::string kind_text(const std::string& kind) {
  if (kind == "Service") return "service";
  if (kind == "Job") return "job";
  if (kind == "Queue") return "queue";
  if (kind == "Network") return "network";
  if (kind == "NetworkPolicy") return "network policy";
  if (kind == "Volume") return "volume";
  return kind;
}

std::string tasks_text(const v1::Change& change) {
  if (change.kind() != "Service") return "";
  if (change.tasks_before() == change.tasks_after())
    return fmt::format(" ({} task{})", change.tasks_after(), change.tasks_after() == 1 ? "" : "s");
  return fmt::format(" (tasks {} → {})", change.tasks_before(), change.tasks_after());
}

}  // namespace

bool has_changes(const v1::Plan& plan) {
  for (const auto& change : plan.changes()) {
    if (change.action() != v1::Change::NONE) return true;
  }
  return false;
}

bool is_disruptive(const v1::Plan& plan) {
  for (const auto& change : plan.changes()) {
    if (change.action() == v1::Change::REMOVE || change.action() == v1::Change::REPLACE) return true;
  }
  return false;
}

std::string plan_names(const std::string& stack, const v1::Plan& plan) {
  std::string out;
  for (const auto& change : plan.changes())
    if (change.action() != v1::Change::NONE) out += fmt::format("{}/{}\n", stack, change.name());
  return out;
}

std::string plan_text(const std::string& stack, const v1::Plan& plan) {
  std::string out;
  for (const auto& warning : plan.warnings()) out += "warning: " + warning + "\n";
  if (!has_changes(plan)) return out + fmt::format("{}: no changes\n", stack);
  std::map<std::string, int> counts;
  for (const auto& change : plan.changes()) {
    const auto wording = wording_of(change.action());
    ++counts[wording.verb];
    if (change.action() == v1::Change::NONE) continue;
    out += fmt::format("{} {} {}{}\n", wording.sign, kind_text(change.kind()), change.name(), tasks_text(change));
    if (change.action() == v1::Change::CREATE || change.action() == v1::Change::REMOVE) continue;
    for (const auto& field : change.fields())
      out += fmt::format("    {}: {} → {}\n", field.path(), field.before().empty() ? "(nothing)" : field.before(),
                         field.after().empty() ? "(nothing)" : field.after());
  }
  std::string summary;
  for (const char* verb : {"create", "update", "replace", "remove", "keep"}) {
    if (counts[verb] > 0) summary += fmt::format("{}{} to {}", summary.empty() ? "" : ", ", counts[verb], verb);
  }
  return out + fmt::format("{}: {}\n", stack, summary);
}

}  // namespace orchion::cli
