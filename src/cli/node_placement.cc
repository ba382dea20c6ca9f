// `orchion node taint`, `label` and `reserve`: what is placed on a node.

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/node.h"
#include "core/quantities.h"
#include "core/taints.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

// "gpu-" takes away.
bool takes_away(const std::string& text) {
  return text.size() > 1 && text.ends_with('-');
}

std::unexpected<base::Error> unreadable(std::string message) {
  return base::fail(base::Code::kInvalidArgument, std::move(message));
}

// "KEY[=VALUE]:EFFECT", "KEY-" or "KEY:EFFECT-".
base::Result<> read_taint(const std::string& text, v1::SetNodePlacementRequest& request) {
  const auto body = takes_away(text) ? text.substr(0, text.size() - 1) : text;
  const auto colon = body.rfind(':');
  std::optional<v1::Taint::Effect> effect;
  if (colon != std::string::npos) {
    ASSIGN_OR_RETURN(effect, core::parse_effect(std::string_view(body).substr(colon + 1)));
  }
  const auto equals = body.find('=');
  if (takes_away(text)) {
    const auto key = body.substr(0, std::min(colon, equals));
    request.add_remove_taints(effect ? fmt::format("{}:{}", key, v1::Taint::Effect_Name(*effect)) : key);
    return {};
  }
  if (!effect)
    return unreadable(
        fmt::format("\"{}\" says no effect: write it as gpu=only:NoSchedule, or gpu- to take it away", text));
  auto& taint = *request.add_taints();
  taint.set_key(body.substr(0, std::min(colon, equals)));
  if (equals < colon) taint.set_value(body.substr(equals + 1, colon - equals - 1));
  taint.set_effect(*effect);
  return {};
}

base::Result<> read_label(const std::string& text, v1::SetNodePlacementRequest& request) {
  const auto equals = text.find('=');
  if (equals != std::string::npos) {
    (*request.mutable_labels())[text.substr(0, equals)] = text.substr(equals + 1);
  } else if (takes_away(text)) {
    request.add_remove_labels(text.substr(0, text.size() - 1));
  } else {
    return unreadable(fmt::format("\"{}\" is no label: write it as disk=ssd, or disk- to take it away", text));
  }
  return {};
}

base::Result<v1::Node> place(Context& context, v1::SetNodePlacementRequest request) {
  ASSIGN_OR_RETURN(const auto api, context.api());
  return context.run(api->call<v1::Node>("orchion.v1.NodeService.SetNodePlacement", std::move(request)));
}

// Taints or labels, as people write them. Says what the node has then.
int place_each(Context& context, const std::string& node, const std::vector<std::string>& texts,
               base::Result<> (*read)(const std::string&, v1::SetNodePlacementRequest&),
               std::string (*what_is)(const v1::Node&)) {
  v1::SetNodePlacementRequest request;
  request.set_name(node);
  for (const auto& text : texts)
    if (auto known = read(text, request); !known) return context.refuse(known.error());
  const auto placed = place(context, std::move(request));
  if (!placed) return context.fail(placed.error());
  context.say(fmt::format("{} has {}", node, what_is(*placed)));
  return kExitOk;
}

std::string all_taints(const v1::Node& node) {
  const auto text = taints_text(node);
  return text.empty() ? "no taints" : "the taints " + text;
}

std::string all_labels(const v1::Node& node) {
  const std::map<std::string, std::string> labels(node.spec().labels().begin(), node.spec().labels().end());
  std::vector<std::string> texts;
  for (const auto& [key, value] : labels) texts.push_back(key + "=" + value);
  return texts.empty() ? "no labels" : fmt::format("the labels {}", fmt::join(texts, ", "));
}

}  // namespace

std::string taints_text(const v1::Node& node) {
  std::vector<std::string> texts;
  for (const auto& taint : node.spec().taints()) texts.push_back(core::taint_text(taint));
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string reserved_text(const v1::Node& node) {
  const auto& reserved = node.spec().reserved();
  std::vector<std::string> parts;
  if (reserved.nano_cpus() != 0) parts.push_back(core::format_cpus(reserved.nano_cpus()) + " CPUs");
  if (reserved.memory_bytes() != 0) parts.push_back(core::format_bytes(reserved.memory_bytes()));
  if (reserved.disk_bytes() != 0) parts.push_back(core::format_bytes(reserved.disk_bytes()) + " of disk");
  return fmt::format("{}", fmt::join(parts, ", "));
}

int run_node_taint(Context& context, const std::string& node, const std::vector<std::string>& taints) {
  return place_each(context, node, taints, read_taint, all_taints);
}

int run_node_label(Context& context, const std::string& node, const std::vector<std::string>& labels) {
  return place_each(context, node, labels, read_label, all_labels);
}

int run_node_reserve(Context& context, const std::string& node, const ReserveOptions& options) {
  if (options.cpus.empty() && options.memory.empty() && options.disk.empty())
    return context.refuse({base::Code::kInvalidArgument,
                           "say what it shall keep for itself: --cpus, --memory or --disk; 0 is nothing",
                           {}});
  v1::SetNodePlacementRequest request;
  request.set_name(node);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  // What isn't named stays.
  v1::GetNodeRequest get;
  get.set_name(node);
  const auto present = context.run((*api)->call<v1::Node>("orchion.v1.NodeService.GetNode", get));
  if (!present) return context.fail(present.error());
  auto& reserved = *request.mutable_reserved();
  reserved = present->spec().reserved();
  if (!options.cpus.empty()) reserved.set_nano_cpus(core::parse_cpus(options.cpus).value_or(0));
  if (!options.memory.empty()) reserved.set_memory_bytes(core::parse_bytes(options.memory).value_or(0));
  if (!options.disk.empty()) reserved.set_disk_bytes(core::parse_bytes(options.disk).value_or(0));
  const auto placed = place(context, std::move(request));
  if (!placed) return context.fail(placed.error());
  const auto text = reserved_text(*placed);
  context.say(fmt::format("{} keeps {} for itself", node, text.empty() ? "nothing" : text));
  return kExitOk;
}

}  // namespace orchion::cli
