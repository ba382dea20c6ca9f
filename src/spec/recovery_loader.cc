// `x-orchion: {recovery: …}` of a service.

#include <array>
#include <utility>

#include <fmt/core.h>

#include "core/health_check.h"
#include "spec/keys.h"
#include "spec/service_loader.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

constexpr std::array<std::pair<std::string_view, v1::Recovery::Action>, 4> kActions = {
    {{"restart", v1::Recovery::RESTART},
     {"recreate", v1::Recovery::RECREATE},
     {"move", v1::Recovery::MOVE},
     {"nothing", v1::Recovery::NOTHING}}};

void load_action(const Node& node, v1::Recovery& recovery, Problems& problems) {
  const auto text = read_text(node, "recovery", problems);
  if (!text) return;
  for (const auto& [word, action] : kActions)
    if (*text == word) return recovery.set_action(action);
  problems.add(node.at, fmt::format("`{}` recovers nothing: use restart, recreate, move, nothing, or a map with "
                                    "`command`",
                                    *text));
}

void load_command(const Node& node, v1::Recovery& recovery, Problems& problems) {
  recovery.set_action(v1::Recovery::RUN_COMMAND);
  check_keys(node, kRecoveryKeys, problems);
  const auto* command = find_value(node, "command");
  if (command && command->is_scalar() && !command->text.empty()) {
    for (const auto* word : {"/bin/sh", "-c"}) recovery.add_command(word);
    recovery.add_command(command->text);
    return;
  }
  if (command && command->is_list())
    for (auto& word : read_list(*command, "command", Single::kRefused, problems)) recovery.add_command(std::move(word));
  if (recovery.command().empty())
    problems.add(node.at, "`recovery` names no program: write `command: [program, arguments…]`, or a line for a shell");
}

void check_sense(const Node& node, const v1::ServiceSpec& spec, Problems& problems) {
  const auto action = spec.recovery().action();
  if (action != v1::Recovery::NOTHING && spec.restart().condition() == v1::RestartPolicy::NO)
    problems.add(node.at, "`restart: \"no\"` leaves nothing to recover: remove it, or `recovery`");
  const auto& container = spec.container();
  if (action == v1::Recovery::RUN_COMMAND && !core::is_check(container.health_check()) && !container.has_startup())
    problems.add(node.at,
                 "no check of this file says when to run the command of `recovery`: give the service a `healthcheck`, "
                 "or `health` below `x-orchion`");
}

}  // namespace

void load_recovery(const Node& service, v1::ServiceSpec& spec, LoadContext& context) {
  const auto* orchion = find_value(service, "x-orchion");
  const auto* node = orchion && orchion->is_map() ? find_value(*orchion, "recovery") : nullptr;
  if (!node) return;
  if (node->is_map()) {
    load_command(*node, *spec.mutable_recovery(), context.problems);
  } else {
    load_action(*node, *spec.mutable_recovery(), context.problems);
  }
  check_sense(*node, spec, context.problems);
}

}  // namespace orchion::spec
