#include "spec/network_policy_loader.h"

#include <optional>

#include <fmt/core.h>

#include "core/naming.h"
#include "core/network_policy.h"
#include "spec/keys.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

using core::Direction;

constexpr std::int64_t kPortMax = 65535;

// What core::check_network_policy() points at, where it stands in the file.
const Node& place_of(const Node& policy, std::string_view pointer) {
  static const std::map<std::string, std::string, std::less<>> kWords = {{"addressRange", "range"}};
  const Node* at = &policy;
  std::string peers;  // what the direction calls them
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const auto end = pointer.find('/');
    const auto token = pointer.substr(0, end);
    pointer = end == std::string_view::npos ? std::string_view() : pointer.substr(end);
    std::string word(token);
    if (at == &policy && (token == "from" || token == "to")) {
      peers = word;
      word = token == "from" ? "ingress" : "egress";
    } else if (token == "peers") {
      word = peers;
    } else if (const auto known = kWords.find(token); known != kWords.end()) {
      word = known->second;
    }
    const Node* next = nullptr;
    if (const auto index = parse_integer(word);
        index && at->is_list() && static_cast<std::size_t>(*index) < at->items.size())
      next = &at->items[static_cast<std::size_t>(*index)];
    else
      next = at->find(word);
    if (next == nullptr) break;
    at = next;
  }
  return *at;
}

class PolicyLoader {
 public:
  PolicyLoader(const PolicySubjects& subjects, LoadContext& context)
      : subjects_(subjects), problems_(context.problems) {}

  std::vector<v1::NamedNetworkPolicy> run(const Node& orchion) {
    load_default(orchion);
    const auto* map = find_value(orchion, "network_policies");
    if (!map || !expect_map(*map, "network_policies", problems_)) return std::move(policies_);
    for (const auto& entry : map->entries)
      if (!is_extension(entry.key)) load(entry);
    return std::move(policies_);
  }

 private:
  void load_default(const Node& orchion) {
    const auto* node = find_value(orchion, "network_default");
    const auto word = node ? read_text(*node, "network_default", problems_) : std::nullopt;
    if (!word || *word == "allow") return;
    if (*word != "deny")
      return problems_.add(node->at, fmt::format("`{}` is no default of networks: use deny, or allow", *word));
    v1::NamedNetworkPolicy policy;
    policy.set_name(kDefaultDeny);
    policy.mutable_spec()->set_ingress(true);
    policy.mutable_spec()->set_egress(true);
    policies_.push_back(std::move(policy));
  }

  void load(const Node::Entry& entry) {
    check_policy_name(entry);
    if (!expect_map(entry.value, entry.key, problems_)) return;
    const Node& node = entry.value;
    check_keys(node, kNetworkPolicyKeys, problems_);
    v1::NamedNetworkPolicy policy;
    policy.set_name(entry.key);
    auto& spec = *policy.mutable_spec();
    bool about_nobody = false;
    if (const auto* service = find_value(node, "service"))
      about_nobody = !load_service(*service, [&](const std::string& name) { spec.set_service(name); });
    load_labels(node, *spec.mutable_labels());
    spec.set_ingress(load_rules(node, Direction::kIngress, *spec.mutable_from()));
    spec.set_egress(load_rules(node, Direction::kEgress, *spec.mutable_to()));
    check(node, spec);
    if (!about_nobody) policies_.push_back(std::move(policy));
  }

  void check_policy_name(const Node::Entry& entry) {
    if (!core::is_dns_label(entry.key))
      problems_.add(entry.key_at, fmt::format("`{}` can't name a network policy: use a-z, 0-9 and `-`", entry.key));
    if (entry.key == kDefaultDeny && !policies_.empty() && policies_.front().name() == kDefaultDeny)
      problems_.add(entry.key_at, fmt::format("`{}` is what `network_default: deny` is called: rename it", entry.key));
  }

  // Names are checked, and what a place in the file can be given for.
  void check(const Node& node, const v1::NetworkPolicySpec& spec) {
    std::set<std::string> labels;
    for (const auto& [name, label] : subjects_.labels) labels.insert(label);
    core::Violations violations;
    core::check_network_policy(spec, labels, "", violations);
    for (const auto& violation : violations) problems_.add(place_of(node, violation.pointer).at, violation.detail);
  }

  // False where it isn't active.
  template <class Set>
  bool load_service(const Node& node, Set set) {
    const auto name = read_text(node, "service", problems_);
    if (!name) return true;
    if (subjects_.inactive.contains(*name)) return false;
    const auto label = subjects_.labels.find(*name);
    if (label != subjects_.labels.end())
      set(label->second);
    else
      problems_.add(node.at, fmt::format("there is no service or job `{}`: add it, or name one there is", *name));
    return true;
  }

  void load_labels(const Node& node, google::protobuf::Map<std::string, std::string>& out) {
    const auto* labels = find_value(node, "labels");
    if (!labels) return;
    for (const auto& pair : read_pairs(*labels, "labels", problems_)) out[pair.key] = pair.value.value_or("");
  }

  // Whether the policy holds for the direction: it does where the key is there, though nothing stand behind it.
  bool load_rules(const Node& node, Direction direction, google::protobuf::RepeatedPtrField<v1::PolicyRule>& out) {
    const std::string key(core::direction_text(direction));
    const auto* list = node.find(key);
    if (!list) return false;
    if (!expect_list(*list, key, problems_)) return true;
    for (const auto& item : list->items)
      if (auto rule = load_rule(item, direction)) *out.Add() = *std::move(rule);
    return true;
  }

  std::optional<v1::PolicyRule> load_rule(const Node& node, Direction direction) {
    const bool ingress = direction == Direction::kIngress;
    v1::PolicyRule rule;
    if (!expect_map(node, ingress ? "a rule of `ingress`" : "a rule of `egress`", problems_)) return rule;
    check_keys(node, ingress ? kIngressRuleKeys : kEgressRuleKeys, problems_);
    const auto* peers = find_value(node, ingress ? "from" : "to");
    bool somebody = peers == nullptr;  // no peers: anybody
    if (peers && expect_list(*peers, ingress ? "from" : "to", problems_)) {
      somebody = peers->items.empty();
      for (const auto& item : peers->items)
        if (auto peer = load_peer(item)) {
          *rule.add_peers() = *std::move(peer);
          somebody = true;
        }
    }
    load_ports(node, rule);
    if (!somebody) return std::nullopt;
    return rule;
  }

  std::optional<v1::PolicyPeer> load_peer(const Node& node) {
    v1::PolicyPeer peer;
    if (!expect_map(node, "a peer", problems_)) return peer;
    check_keys(node, kPolicyPeerKeys, problems_);
    const auto text = [&](std::string_view key) -> std::string {
      const auto* value = find_value(node, key);
      return value ? read_text(*value, key, problems_).value_or("") : "";
    };
    peer.set_stack(text("stack"));
    peer.set_address_range(text("range"));
    peer.set_name(text("name"));
    load_labels(node, *peer.mutable_labels());
    if (const auto* except = find_value(node, "except"))
      for (auto& range : read_list(*except, "except", Single::kIsAList, problems_)) peer.add_except(std::move(range));
    const auto* service = find_value(node, "service");
    if (!service) return peer;
    // What another stack has nobody here knows.
    if (!peer.stack().empty())
      peer.set_service(text("service"));
    else if (!load_service(*service, [&](const std::string& name) { peer.set_service(name); }))
      return std::nullopt;
    return peer;
  }

  void load_ports(const Node& node, v1::PolicyRule& rule) {
    const auto* ports = find_value(node, "ports");
    if (!ports || !expect_list(*ports, "ports", problems_)) return;
    for (const auto& item : ports->items) {
      const auto text = read_text(item, "a port", problems_);
      if (!text) continue;
      auto port = parse_policy_port(*text);
      if (port)
        *rule.add_ports() = *std::move(port);
      else
        problems_.add(item.at, port.error().message);
    }
  }

  const PolicySubjects& subjects_;
  Problems& problems_;
  std::vector<v1::NamedNetworkPolicy> policies_;
};

}  // namespace

base::Result<v1::PolicyPort> parse_policy_port(std::string_view text) {
  const auto slash = text.find('/');
  const auto numbers = text.substr(0, slash);
  const auto protocol = slash == std::string_view::npos ? std::string_view() : text.substr(slash + 1);
  const auto dash = numbers.find('-');
  const auto first = parse_integer(numbers.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_integer(numbers.substr(dash + 1));
  const bool known = slash == std::string_view::npos || protocol == "tcp" || protocol == "udp";
  if (!first || !last || *first < 1 || *last < *first || *last > kPortMax || !known)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("`{}` is no port of a policy: write it like 80, 443/tcp or 8000-8100/udp", text));
  v1::PolicyPort port;
  port.set_protocol(std::string(protocol));
  port.set_port(static_cast<std::uint32_t>(*first));
  if (*last > *first) port.set_last(static_cast<std::uint32_t>(*last));
  return port;
}

std::vector<v1::NamedNetworkPolicy> load_network_policies(const Node& orchion, const PolicySubjects& subjects,
                                                          LoadContext& context) {
  return PolicyLoader(subjects, context).run(orchion);
}

}  // namespace orchion::spec
