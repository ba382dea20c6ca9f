#include "control/scheduler/node_filters.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "core/constraints.h"
#include "core/lifecycle.h"
#include "core/taints.h"

namespace orchion::control::scheduler {

namespace {

// Among what a runtime lacks: it can't give containers users of their own.
constexpr std::string_view kLacksUsers = "users";

// What of the node would run it; an agent that names none has the default alone.
Refusal check_executor(const v1::Node& node, const TaskClass& wanted) {
  if (wanted.executor.empty() && wanted.oci_runtime.empty() && !wanted.own_users) return {};
  for (const auto& runtime : node.status().capabilities().runtimes()) {
    const bool meant = wanted.executor.empty() ? runtime.is_default() : runtime.executor() == wanted.executor;
    if (!meant) continue;
    const auto& lacks = runtime.lacks();
    if (wanted.own_users && std::find(lacks.begin(), lacks.end(), kLacksUsers) != lacks.end())
      return {Filter::kExecutor, fmt::format("users of its own in {}", runtime.executor())};
    const auto& names = runtime.oci_runtimes();
    if (wanted.oci_runtime.empty() || std::find(names.begin(), names.end(), wanted.oci_runtime) != names.end())
      return {};
    return {Filter::kExecutor, fmt::format("{} in {}", wanted.oci_runtime, runtime.executor())};
  }
  if (wanted.executor.empty() && wanted.oci_runtime.empty()) return {};
  return {Filter::kExecutor, wanted.executor.empty() ? wanted.oci_runtime : wanted.executor};
}

// Only which models there are; how many are free is the engine's to say.
Refusal check_gpu_models(const v1::Node& node, const TaskClass& wanted) {
  if (wanted.gpus.models().empty() && wanted.gpus.vendor().empty()) return {};
  std::set<std::string> there;
  for (const auto& gpu : node.status().capabilities().gpus()) {
    if (will_do(wanted.gpus, gpu.vendor(), gpu.model())) return {};
    there.insert(gpu.model());
  }
  return {Filter::kGpuModel, there.empty() ? "no GPUs" : fmt::format("other GPUs ({})", fmt::join(there, ", "))};
}

}  // namespace

Refusal check_condition(const v1::Node& node) {
  if (core::is_deleted(node.meta())) return {Filter::kLeaving, {}};
  switch (node.spec().availability()) {
    case v1::NodeSpec::DRAINED: return {Filter::kDrained, {}};
    case v1::NodeSpec::PAUSED: return {Filter::kPaused, {}};
    default: break;
  }
  if (node.status().state() == v1::NodeStatus::LOST) return {Filter::kLost, {}};
  if (node.status().state() != v1::NodeStatus::READY) return {Filter::kNotReady, {}};
  return {};
}

Refusal check_taints(const v1::Node& node, const TaskClass& wanted) {
  for (const auto& taint : node.spec().taints())
    if (taint.effect() != v1::Taint::PREFER_OTHERS && !core::tolerates(wanted.tolerations, taint))
      return {Filter::kTaint, core::taint_text(taint)};
  return {};
}

bool prefers_others(const v1::Node& node, const TaskClass& wanted) {
  const auto& taints = node.spec().taints();
  return std::any_of(taints.begin(), taints.end(), [&](const v1::Taint& taint) {
    return taint.effect() == v1::Taint::PREFER_OTHERS && !core::tolerates(wanted.tolerations, taint);
  });
}

Refusal check_attributes(const v1::Node& node, const TaskClass& wanted) {
  for (const auto& text : wanted.constraints) {
    const auto constraint = core::parse_constraint(text);
    if (!constraint || !core::matches(*constraint, node)) return {Filter::kConstraint, text};
  }
  const auto& architecture = node.status().capabilities().architecture();
  if (!wanted.architecture.empty() && !architecture.empty() && architecture != wanted.architecture &&
      std::find(wanted.image_on.begin(), wanted.image_on.end(), node.meta().name()) == wanted.image_on.end())
    return {Filter::kPlatform, architecture};
  if (Refusal refused = check_executor(node, wanted); refused.filter != Filter::kPassed) return refused;
  return check_gpu_models(node, wanted);
}

bool will_do(const v1::GpuRequest& wanted, const std::string& vendor, const std::string& model) {
  if (!wanted.vendor().empty() && wanted.vendor() != vendor) return false;
  return wanted.models().empty() || std::ranges::find(wanted.models(), model) != wanted.models().end();
}

}  // namespace orchion::control::scheduler
