// `deploy` and `restart`: how many, how large, where, and what happens at the end of a task.

#include <fmt/core.h>

#include "core/timestamps.h"
#include "spec/keys.h"
#include "spec/service_loader.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

constexpr std::int64_t kAttemptsMax = 1'000'000;
constexpr std::int64_t kPidsMax = std::int64_t{1} << 22;

void load_amounts(const Node& node, v1::Resources& out, Problems& problems) {
  if (const auto* cpus = find_value(node, "cpus"))
    out.set_nano_cpus(read_nano_cpus(*cpus, "cpus", problems).value_or(0));
  if (const auto* memory = find_value(node, "memory"))
    out.set_memory_bytes(read_bytes(*memory, "memory", problems).value_or(0));
  if (const auto* pids = find_value(node, "pids"))
    out.set_pids(std::max<std::int64_t>(read_integer(*pids, "pids", -1, kPidsMax, problems).value_or(0), 0));
}

void load_deploy_resources(const Node& node, v1::ContainerSpec& container, Problems& problems) {
  if (!expect_map(node, "resources", problems)) return;
  check_keys(node, kResourcesKeys, problems);
  if (const auto* limits = find_value(node, "limits"); limits && expect_map(*limits, "limits", problems)) {
    check_keys(*limits, kLimitsKeys, problems);
    load_amounts(*limits, *container.mutable_limits(), problems);
  }
  if (const auto* reserved = find_value(node, "reservations");
      reserved && expect_map(*reserved, "reservations", problems)) {
    check_keys(*reserved, kReservationsKeys, problems);
    load_amounts(*reserved, *container.mutable_reservations(), problems);
    if (container.reservations().ByteSizeLong() == 0) container.clear_reservations();
  }
}

void load_restart_policy(const Node& node, v1::RestartPolicy& policy, Problems& problems) {
  if (!expect_map(node, "restart_policy", problems)) return;
  check_keys(node, kRestartPolicyKeys, problems);
  policy.Clear();
  policy.set_condition(v1::RestartPolicy::ALWAYS);
  if (const auto* condition = find_value(node, "condition")) {
    const auto text = read_text(*condition, "condition", problems).value_or("any");
    if (text == "none") {
      policy.set_condition(v1::RestartPolicy::NO);
    } else if (text == "on-failure") {
      policy.set_condition(v1::RestartPolicy::ON_FAILURE);
    } else if (text != "any") {
      problems.add(condition->at, fmt::format("`{}` isn't a condition: use none, on-failure or any", text));
    }
  }
  if (const auto* delay = find_value(node, "delay"))
    if (const auto duration = read_duration(*delay, "delay", problems))
      *policy.mutable_delay() = core::to_duration(*duration);
  if (const auto* attempts = find_value(node, "max_attempts")) {
    const auto count = read_integer(*attempts, "max_attempts", 0, kAttemptsMax, problems).value_or(0);
    policy.set_max_attempts(static_cast<std::uint32_t>(count));
  }
}

// Compose writes `node.role == manager`; the spaces carry no meaning.
std::string compact_constraint(const std::string& text) {
  const auto trim = [](std::string_view part) {
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    return part;
  };
  auto at = text.find("==");
  if (at == std::string::npos) at = text.find("!=");
  if (at == std::string::npos) return text;
  const std::string_view whole = text;
  return fmt::format("{}{}{}", trim(whole.substr(0, at)), whole.substr(at, 2), trim(whole.substr(at + 2)));
}

void load_preferences(const Node& node, v1::PlacementRules& rules, Problems& problems) {
  if (!expect_list(node, "preferences", problems)) return;
  for (const auto& item : node.items) {
    const auto* spread = item.is_map() ? find_value(item, "spread") : nullptr;
    const auto text = spread ? read_text(*spread, "spread", problems) : std::nullopt;
    if (text && item.entries.size() == 1 && text->starts_with("node.labels."))
      rules.add_spread_over(*text);
    else
      problems.add(item.at, "a preference is written as `spread: node.labels.NAME`");
  }
}

void load_placement(const Node& node, v1::ServiceSpec& spec, Problems& problems) {
  if (!expect_map(node, "placement", problems)) return;
  check_keys(node, kPlacementKeys, problems);
  if (const auto* preferences = find_value(node, "preferences"))
    load_preferences(*preferences, *spec.mutable_placement(), problems);
  if (const auto* most = find_value(node, "max_replicas_per_node"))
    spec.mutable_placement()->set_tasks_per_node_max(
        static_cast<std::uint32_t>(read_integer(*most, "max_replicas_per_node", 0, 1'000'000, problems).value_or(0)));
  if (spec.placement().ByteSizeLong() == 0) spec.clear_placement();
  const auto* constraints = find_value(node, "constraints");
  if (!constraints || !expect_list(*constraints, "constraints", problems)) return;
  for (const auto& item : constraints->items) {
    const auto text = read_text(item, "constraints", problems);
    if (!text) continue;
    const auto constraint = compact_constraint(*text);
    if (constraint.find("==") == std::string::npos && constraint.find("!=") == std::string::npos)
      problems.add(item.at, fmt::format("`{}` isn't a constraint: write it as node.hostname==NAME", *text));
    spec.add_constraints(constraint);
  }
}

void load_endpoint_mode(const Node& node, v1::ServiceSpec& spec, Problems& problems) {
  const auto text = read_text(node, "endpoint_mode", problems);
  if (!text) return;
  if (*text == "dnsrr")
    spec.set_endpoint_mode(v1::TASK_ADDRESSES);
  else if (*text != "vip")
    problems.add(node.at,
                 fmt::format("the endpoint mode `{}` isn't supported: use vip, one address for the service, or "
                             "dnsrr, those of its tasks",
                             *text));
}

}  // namespace

void load_deploy(const Node& deploy, v1::ServiceSpec& spec, LoadContext& context) {
  Problems& problems = context.problems;
  if (!expect_map(deploy, "deploy", problems)) return;
  check_keys(deploy, kDeployKeys, problems);
  if (const auto* mode = find_value(deploy, "mode"))
    if (const auto text = read_text(*mode, "mode", problems); text && *text != "replicated")
      problems.add(mode->at, fmt::format("the mode `{}` isn't supported: remove it, or write replicated", *text));
  if (const auto* mode = find_value(deploy, "endpoint_mode")) load_endpoint_mode(*mode, spec, problems);
  if (const auto* labels = find_value(deploy, "labels"))
    for (const auto& pair : read_pairs(*labels, "labels", problems))
      (*spec.mutable_labels())[pair.key] = pair.value.value_or("");
  if (const auto* node = find_value(deploy, "resources"))
    load_deploy_resources(*node, *spec.mutable_container(), problems);
  if (const auto* node = find_value(deploy, "restart_policy"))
    load_restart_policy(*node, *spec.mutable_restart(), problems);
  if (const auto* node = find_value(deploy, "placement")) load_placement(*node, spec, problems);
}

void load_restart(const Node& node, v1::RestartPolicy& policy, LoadContext& context) {
  const auto text = read_text(node, "restart", context.problems);
  if (!text) return;
  const auto colon = text->find(':');
  const auto condition = text->substr(0, colon);
  if (colon != std::string::npos) {
    const auto attempts = parse_integer(std::string_view(*text).substr(colon + 1));
    if (condition != "on-failure" || !attempts || *attempts < 0 || *attempts > kAttemptsMax)
      return context.problems.add(node.at,
                                  fmt::format("`{}` isn't a restart policy: a count follows on-failure only, as "
                                              "in on-failure:3",
                                              *text));
    policy.set_max_attempts(static_cast<std::uint32_t>(*attempts));
  }
  if (condition == "no" || condition == "false") {
    policy.set_condition(v1::RestartPolicy::NO);
  } else if (condition == "always") {
    policy.set_condition(v1::RestartPolicy::ALWAYS);
  } else if (condition == "unless-stopped") {
    policy.set_condition(v1::RestartPolicy::UNLESS_STOPPED);
  } else if (condition == "on-failure") {
    policy.set_condition(v1::RestartPolicy::ON_FAILURE);
  } else {
    context.problems.add(node.at,
                         fmt::format("`{}` isn't a restart policy: use no, always, unless-stopped, on-failure or "
                                     "on-failure:N",
                                     *text));
  }
}

}  // namespace orchion::spec
