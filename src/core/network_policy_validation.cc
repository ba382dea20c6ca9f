#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "core/naming.h"
#include "core/network_policy.h"

namespace orchion::core {

namespace {

constexpr int kRulesMax = 100;
constexpr int kPeersMax = 100;
constexpr int kPortsMax = 100;
constexpr std::uint32_t kPortMax = 65535;

class PolicyCheck {
 public:
  PolicyCheck(const v1::NetworkPolicySpec& spec, const std::set<std::string>& services, Violations& violations)
      : spec_(spec), services_(services), violations_(violations) {}

  void run(const std::string& at) {
    check_service(spec_.service(), at + "/service");
    check_labels(spec_.labels(), at + "/labels");
    if (!spec_.ingress() && !spec_.egress()) add(at, "holds for no direction: give it `ingress`, `egress` or both");
    for (const auto direction : {Direction::kIngress, Direction::kEgress}) check_direction(direction, at);
  }

 private:
  void add(std::string at, std::string detail) { violations_.push_back({std::move(at), std::move(detail)}); }

  void check_service(const std::string& name, const std::string& at) {
    if (!name.empty() && !services_.contains(name)) add(at, fmt::format("the stack has no service \"{}\"", name));
  }

  template <class Labels>
  void check_labels(const Labels& labels, const std::string& at) {
    for (const auto& [name, value] : labels)
      if (name.empty()) add(at, "has a label without a name");
  }

  void check_direction(Direction direction, const std::string& at) {
    const auto& rules = rules_of(spec_, direction);
    const std::string here = at + (direction == Direction::kIngress ? "/from" : "/to");
    if (!rules.empty() && !holds_for(spec_, direction))
      add(here, fmt::format("has rules, and the policy doesn't hold for {}: set it, or remove them",
                            direction_text(direction)));
    if (rules.size() > kRulesMax) return add(here, fmt::format("has more than {} rules", kRulesMax));
    for (int i = 0; i < rules.size(); ++i) check_rule(rules[i], direction, fmt::format("{}/{}", here, i));
  }

  void check_rule(const v1::PolicyRule& rule, Direction direction, const std::string& at) {
    if (rule.peers_size() > kPeersMax) return add(at + "/peers", fmt::format("has more than {} peers", kPeersMax));
    if (rule.ports_size() > kPortsMax) return add(at + "/ports", fmt::format("has more than {} ports", kPortsMax));
    for (int i = 0; i < rule.peers_size(); ++i) check_peer(rule.peers(i), direction, fmt::format("{}/peers/{}", at, i));
    for (int i = 0; i < rule.ports_size(); ++i) check_port(rule.ports(i), fmt::format("{}/ports/{}", at, i));
  }

  void check_peer(const v1::PolicyPeer& peer, Direction direction, const std::string& at) {
    const bool tasks = !peer.stack().empty() || !peer.service().empty() || !peer.labels().empty();
    const bool range = !peer.address_range().empty(), name = !peer.name().empty();
    if (tasks + range + name > 1) return add(at, "mixes tasks, a range and a name: make each a peer of its own");
    if (!range && !peer.except().empty()) add(at + "/except", "needs a range that it is an exception from");
    if (range) check_range(peer, at);
    if (name) check_host(peer.name(), direction, at + "/name");
    if (!peer.stack().empty() && peer.stack() != "*") check_name(peer.stack(), at + "/stack", "stack", violations_);
    if (peer.stack().empty())
      check_service(peer.service(), at + "/service");
    else if (!peer.service().empty())
      check_name(peer.service(), at + "/service", "service", violations_);
    check_labels(peer.labels(), at + "/labels");
  }

  void check_range(const v1::PolicyPeer& peer, const std::string& at) {
    const auto range = parse_ip_range(peer.address_range());
    if (!range) add(at + "/addressRange", range.error().message);
    for (int i = 0; i < peer.except_size(); ++i) {
      const std::string here = fmt::format("{}/except/{}", at, i);
      const auto except = parse_ip_range(peer.except(i));
      if (!except)
        add(here, except.error().message);
      else if (range && !range->contains(*except))
        add(here, fmt::format("{} isn't within {}", except->text(), range->text()));
    }
  }

  void check_host(const std::string& name, Direction direction, const std::string& at) {
    if (direction == Direction::kIngress)
      return add(at, "who comes in is known by address, not by name: write a range");
    const std::string_view host = name.starts_with("*.") ? std::string_view(name).substr(2) : name;
    if (!is_dns_name(host) || parse_ip_address(host))
      add(at, fmt::format("\"{}\" is no name of a host: write it like api.example.com or *.example.com", name));
  }

  void check_port(const v1::PolicyPort& port, const std::string& at) {
    if (!port.protocol().empty() && port.protocol() != "tcp" && port.protocol() != "udp")
      add(at + "/protocol", fmt::format("\"{}\" is neither tcp nor udp; leave it out for both", port.protocol()));
    if (port.port() == 0 || port.port() > kPortMax) add(at + "/port", "must be 1 to 65535");
    if (port.last() != 0 && (port.last() < port.port() || port.last() > kPortMax))
      add(at + "/last", fmt::format("must be {} to 65535", port.port()));
  }

  const v1::NetworkPolicySpec& spec_;
  const std::set<std::string>& services_;
  Violations& violations_;
};

}  // namespace

void check_network_policy(const v1::NetworkPolicySpec& spec, const std::set<std::string>& services,
                          const std::string& at, Violations& violations) {
  PolicyCheck(spec, services, violations).run(at);
}

}  // namespace orchion::core
