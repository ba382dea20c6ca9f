// Which nodes are good for a service's tasks, as far as `x-orchion` says it.

#include <fmt/core.h>

#include "spec/choices.h"
#include "spec/keys.h"
#include "spec/service_loader.h"

namespace orchion::spec {

namespace {

void load_tolerations(const Node& node, v1::PlacementRules& rules, Problems& problems) {
  if (!expect_list(node, "tolerations", problems)) return;
  for (const auto& item : node.items) {
    const auto text = read_text(item, "tolerations", problems);
    if (!text) continue;
    const auto equals = text->find('=');
    if (text->empty() || equals == 0 || text->find(':') != std::string::npos) {
      problems.add(item.at,
                   fmt::format("`{}` tolerates nothing: write the taint's key, as gpu or gpu=only; * is any", *text));
      continue;
    }
    auto& toleration = *rules.add_tolerations();
    if (*text != "*") toleration.set_key(text->substr(0, equals));
    if (equals != std::string::npos) toleration.set_value(text->substr(equals + 1));
  }
}

// A service's name, or a map about it.
void load_neighbour(const Node& item, std::string_view key, v1::PlacementRules& rules, Problems& problems) {
  const auto* service = item.is_map() ? find_value(item, "service") : &item;
  const auto name = service ? read_text(*service, key, problems) : std::nullopt;
  if (!service || (name && name->empty()))
    return problems.add(item.at, fmt::format("`{}` names no service: write its name, or `service: NAME`", key));
  if (!name) return;
  auto& affinity = *rules.add_affinities();
  affinity.set_service(*name);
  affinity.set_away(key == "away_from");
  if (!item.is_map()) return;
  check_keys(item, kNeighbourKeys, problems);
  if (const auto* over = find_value(item, "over")) {
    const auto label = read_text(*over, "over", problems).value_or("");
    if (!label.starts_with("node.labels."))
      problems.add(over->at, fmt::format("`{}` is no label of nodes: write node.labels.NAME", label));
    affinity.set_domain(label);
  }
  if (const auto* preferred = find_value(item, "preferred"))
    affinity.set_preferred(read_bool(*preferred, "preferred", problems).value_or(false));
}

}  // namespace

void load_placement_rules(const Node& orchion, v1::ServiceSpec& spec, LoadContext& context) {
  auto& problems = context.problems;
  v1::PlacementRules rules = spec.placement();
  if (const auto* node = find_value(orchion, "tolerations")) load_tolerations(*node, rules, problems);
  if (const auto strategy = choose(orchion, "placement", "a service", kPlacementChoices, problems))
    rules.set_strategy(*strategy);
  for (const char* key : {"near", "away_from"})
    if (const auto* node = find_value(orchion, key); node && expect_list(*node, key, problems))
      for (const auto& item : node->items) load_neighbour(item, key, rules, problems);
  if (const auto* together = find_value(orchion, "together"))
    rules.set_together(read_bool(*together, "together", problems).value_or(false));
  if (rules.ByteSizeLong() > 0) *spec.mutable_placement() = std::move(rules);
}

}  // namespace orchion::spec
