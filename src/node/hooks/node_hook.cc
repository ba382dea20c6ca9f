#include "node/hooks/node_hook.h"

#include <algorithm>
#include <initializer_list>

#include <fmt/core.h>
#include <re2/re2.h>
#include <boost/json.hpp>

namespace orchion::node::hooks {

namespace json = boost::json;
using base::Result;

namespace {

constexpr std::size_t kBytesMax = 1 << 20;
constexpr std::string_view kStages[] = {"prestart",       "createRuntime", "createContainer",
                                        "startContainer", "poststart",     "poststop"};

base::Result<> wrong(std::string what) {
  return base::fail(base::Code::kInvalidArgument, std::move(what));
}

Result<> check_keys(const json::object& object, std::string_view where, std::initializer_list<std::string_view> known) {
  for (const auto& entry : object) {
    const std::string_view key(entry.key().data(), entry.key().size());
    if (std::ranges::find(known, key) == known.end())
      return wrong(fmt::format("`{}` of {} isn't known to this version", key, where));
  }
  return {};
}

Result<> check_pattern(const std::string& text) {
  const re2::RE2 pattern(text, re2::RE2::Quiet);
  if (!pattern.ok()) return wrong(fmt::format("`{}` is no regular expression: {}", text, pattern.error()));
  return {};
}

bool found_in(const std::string& pattern, const std::string& text) {
  return re2::RE2::PartialMatch(text, re2::RE2(pattern, re2::RE2::Quiet));
}

std::vector<std::string> list_of(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  return value == nullptr ? std::vector<std::string>() : json::value_to<std::vector<std::string>>(*value);
}

Result<> read_program(const json::object& object, runtimes::Hook& hook) {
  RETURN_IF_ERROR(check_keys(object, "hook", {"path", "args", "env", "timeout"}));
  hook.path = json::value_to<std::string>(object.at("path"));
  hook.arguments = list_of(object, "args");
  hook.environment = list_of(object, "env");
  if (const auto* timeout = object.if_contains("timeout")) hook.timeout_s = json::value_to<int>(*timeout);
  if (!hook.path.is_absolute()) return wrong(fmt::format("the path `{}` isn't absolute", hook.path.string()));
  if (hook.timeout_s < 0) return wrong("its timeout is negative");
  return {};
}

Result<> read_conditions(const json::object& object, NodeHook& hook) {
  RETURN_IF_ERROR(check_keys(object, "when", {"always", "annotations", "commands", "hasBindMounts"}));
  if (const auto* always = object.if_contains("always")) (always->as_bool() ? hook.always : hook.never) = true;
  if (const auto* mounts = object.if_contains("hasBindMounts")) {
    hook.has_bind_mounts = mounts->as_bool();
    hook.never = hook.never || !hook.has_bind_mounts;
  }
  hook.commands = list_of(object, "commands");
  if (const auto* annotations = object.if_contains("annotations")) {
    for (const auto& entry : annotations->as_object())
      hook.annotations.emplace_back(entry.key(), json::value_to<std::string>(entry.value()));
  }
  for (const auto& command : hook.commands) RETURN_IF_ERROR(check_pattern(command));
  for (const auto& [name, value] : hook.annotations) {
    RETURN_IF_ERROR(check_pattern(name));
    RETURN_IF_ERROR(check_pattern(value));
  }
  return {};
}

Result<NodeHook> read_hook(const json::object& root) {
  RETURN_IF_ERROR(check_keys(root, "the file", {"version", "hook", "when", "stages"}));
  if (root.at("version").as_string() != "1.0.0") return std::unexpected(wrong("its version isn't 1.0.0").error());
  NodeHook hook;
  RETURN_IF_ERROR(read_program(root.at("hook").as_object(), hook.hook));
  RETURN_IF_ERROR(read_conditions(root.at("when").as_object(), hook));
  hook.stages = list_of(root, "stages");
  if (hook.stages.empty()) return std::unexpected(wrong("it names no stages").error());
  for (const auto& stage : hook.stages) {
    if (std::ranges::find(kStages, stage) == std::end(kStages))
      return std::unexpected(wrong(fmt::format("the stage `{}` isn't known", stage)).error());
  }
  return hook;
}

bool has_annotation(const runtimes::ContainerConfig& config, const std::string& name, const std::string& value) {
  return std::ranges::any_of(config.annotations, [&](const auto& annotation) {
    return found_in(name, annotation.first) && found_in(value, annotation.second);
  });
}

}  // namespace

Result<NodeHook> parse_node_hook(std::string_view text) {
  if (text.size() > kBytesMax) return std::unexpected(wrong("it is larger than 1 MiB").error());
  try {
    return read_hook(json::parse(json::string_view(text.data(), text.size())).as_object());
  } catch (const std::exception& error) {
    return std::unexpected(
        wrong(fmt::format("it isn't a hook as oci-hooks(5) describes them ({})", error.what())).error());
  }
}

bool matches(const NodeHook& hook, const runtimes::ContainerConfig& config) {
  const auto is_bind = [](const runtimes::MountPoint& mount) {
    return mount.type == runtimes::MountPoint::Type::kBind;
  };
  if (hook.never || (hook.has_bind_mounts && std::ranges::none_of(config.mounts, is_bind))) return false;
  for (const auto& [name, value] : hook.annotations) {
    if (!has_annotation(config, name, value)) return false;
  }
  const auto& program = config.arguments.empty() ? std::string() : config.arguments.front();
  const auto finds = [&](const std::string& pattern) { return found_in(pattern, program); };
  if (!hook.commands.empty() && std::ranges::none_of(hook.commands, finds)) return false;
  return hook.always || hook.has_bind_mounts || !hook.annotations.empty() || !hook.commands.empty();
}

}  // namespace orchion::node::hooks
