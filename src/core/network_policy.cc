#include "core/network_policy.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace orchion::core {

namespace {

constexpr std::size_t kNamedMax = 4;  // of what a sentence counts up

using Labels = google::protobuf::Map<std::string, std::string>;

bool has_labels(const Labels& wanted, const std::map<std::string, std::string>& labels) {
  return std::ranges::all_of(wanted, [&](const auto& label) {
    const auto found = labels.find(label.first);
    return found != labels.end() && found->second == label.second;
  });
}

std::string lower_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string out(name);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool in_range(const v1::PolicyPeer& peer, const IpAddress& address) {
  const auto is_in = [&](const std::string& text) {
    const auto range = parse_ip_range(text);
    return range && range->contains(address);
  };
  return is_in(peer.address_range()) && std::ranges::none_of(peer.except(), is_in);
}

bool means_end(const std::string& stack, const v1::PolicyPeer& peer, const PolicyEnd& end) {
  switch (end.kind) {
    case PolicyEnd::Kind::kTask: return means_tasks(peer) && means(stack, peer, end.task);
    case PolicyEnd::Kind::kAddress: return !peer.address_range().empty() && in_range(peer, end.address);
    case PolicyEnd::Kind::kName: return !peer.name().empty() && fits_host(peer.name(), end.name);
  }
  return false;
}

bool fits_port(const v1::PolicyPort& port, const PolicyQuestion& question) {
  const bool protocol = port.protocol().empty() || port.protocol() == (question.udp ? "udp" : "tcp");
  return protocol && question.port >= port.port() && question.port <= std::max(port.port(), port.last());
}

bool allows(const std::string& stack, const v1::PolicyRule& rule, const PolicyEnd& peer,
            const PolicyQuestion& question) {
  const bool who = rule.peers().empty() ||
                   std::ranges::any_of(rule.peers(), [&](const auto& one) { return means_end(stack, one, peer); });
  return who && (rule.ports().empty() ||
                 std::ranges::any_of(rule.ports(), [&](const auto& port) { return fits_port(port, question); }));
}

// --- in words ---

std::string labels_text(const Labels& labels) {
  const std::map<std::string, std::string> sorted(labels.begin(), labels.end());
  std::vector<std::string> out;
  for (const auto& [name, value] : sorted) out.push_back(fmt::format("{}={}", name, value));
  return fmt::format("{}", fmt::join(out, ","));
}

std::string peer_text(const std::string& stack, const v1::PolicyPeer& peer) {
  if (!peer.name().empty()) return peer.name();
  if (!peer.address_range().empty())
    return peer.except().empty() ? peer.address_range()
                                 : fmt::format("{} without {}", peer.address_range(), fmt::join(peer.except(), ", "));
  const std::string& of = peer.stack().empty() ? stack : peer.stack();
  std::string out = fmt::format("{}/{}", of, peer.service().empty() ? "*" : peer.service());
  if (!peer.labels().empty()) out += fmt::format(" with {}", labels_text(peer.labels()));
  return out;
}

std::string port_text(const v1::PolicyPort& port) {
  const std::string number =
      port.last() > port.port() ? fmt::format("{}-{}", port.port(), port.last()) : fmt::format("{}", port.port());
  return fmt::format("{} {}", port.protocol().empty() ? "tcp and udp" : port.protocol(), number);
}

// The first few of `texts`, and how many there are besides.
std::string few_of(const std::vector<std::string>& texts) {
  const std::vector<std::string> named(texts.begin(),
                                       texts.begin() + static_cast<long>(std::min(texts.size(), kNamedMax)));
  const auto rest = texts.size() - named.size();
  return fmt::format("{}{}", fmt::join(named, ", "), rest == 0 ? "" : fmt::format(" and {} more", rest));
}

std::string rule_text(const std::string& stack, const v1::PolicyRule& rule) {
  std::vector<std::string> peers, ports;
  for (const auto& peer : rule.peers()) peers.push_back(peer_text(stack, peer));
  for (const auto& port : rule.ports()) ports.push_back(port_text(port));
  return fmt::format("{}{}{}", peers.empty() ? "anybody" : few_of(peers), ports.empty() ? "" : " at ", few_of(ports));
}

// --- one direction ---

// What the policies about one end say of a connection.
struct Answer {
  bool allowed = true;
  std::vector<std::string> policies;  // by which; empty: none is about it
  std::string why;                    // "policy shop/a, rule 1", or the whole refusal
};

Answer refusal(const PolicyEnd& self, Direction direction, const std::vector<const v1::PolicyAssignment*>& about) {
  Answer answer{.allowed = false};
  std::vector<std::string> rules;
  for (const auto* policy : about) {
    answer.policies.push_back(policy_name(*policy));
    for (const auto& rule : rules_of(policy->spec(), direction)) rules.push_back(rule_text(policy->stack(), rule));
  }
  const bool one = about.size() == 1;
  const std::string allowed = rules.empty()       ? fmt::format("which {} nobody", one ? "allows" : "allow")
                              : rules.size() == 1 ? fmt::format("whose one rule allows {}", rules.front())
                                                  : fmt::format("whose {} rules allow {}", rules.size(), few_of(rules));
  answer.why = fmt::format("{} is under {} {} ({}), {}", self.text(), one ? "policy" : "policies",
                           few_of(answer.policies), direction_text(direction), allowed);
  return answer;
}

Answer ask(const PolicyQuestion& question, Direction direction, const std::vector<v1::PolicyAssignment>& policies) {
  const auto& self = direction == Direction::kIngress ? question.to : question.from;
  const auto& peer = direction == Direction::kIngress ? question.from : question.to;
  if (self.kind != PolicyEnd::Kind::kTask) return {};
  std::vector<const v1::PolicyAssignment*> about;
  for (const auto& policy : policies) {
    if (!holds_for(policy.spec(), direction) || !is_about(policy.stack(), policy.spec(), self.task)) continue;
    about.push_back(&policy);
    const auto& rules = rules_of(policy.spec(), direction);
    for (int i = 0; i < rules.size(); ++i)
      if (allows(policy.stack(), rules[i], peer, question))
        return {true, {policy_name(policy)}, fmt::format("policy {}, rule {}", policy_name(policy), i + 1)};
  }
  return about.empty() ? Answer{} : refusal(self, direction, about);
}

}  // namespace

std::string_view direction_text(Direction direction) {
  return direction == Direction::kIngress ? "ingress" : "egress";
}

bool holds_for(const v1::NetworkPolicySpec& spec, Direction direction) {
  return direction == Direction::kIngress ? spec.ingress() : spec.egress();
}

bool is_about(const std::string& stack, const v1::NetworkPolicySpec& spec, const PolicyTask& task) {
  return stack == task.stack && (spec.service().empty() || spec.service() == task.service) &&
         has_labels(spec.labels(), task.labels);
}

bool means_tasks(const v1::PolicyPeer& peer) {
  return peer.address_range().empty() && peer.name().empty();
}

bool means(const std::string& stack, const v1::PolicyPeer& peer, const PolicyTask& task) {
  const std::string& of = peer.stack().empty() ? stack : peer.stack();
  return (of == "*" || of == task.stack) && (peer.service().empty() || peer.service() == task.service) &&
         has_labels(peer.labels(), task.labels);
}

bool fits_host(std::string_view pattern, std::string_view name) {
  const auto wanted = lower_name(pattern), asked = lower_name(name);
  if (!wanted.starts_with("*.")) return wanted == asked;
  const std::string_view end = std::string_view(wanted).substr(1);
  return asked.size() > end.size() && asked.ends_with(end);
}

const google::protobuf::RepeatedPtrField<v1::PolicyRule>& rules_of(const v1::NetworkPolicySpec& spec,
                                                                   Direction direction) {
  return direction == Direction::kIngress ? spec.from() : spec.to();
}

std::string policy_name(const v1::PolicyAssignment& policy) {
  return fmt::format("{}/{}", policy.stack(), policy.name());
}

std::string PolicyEnd::text() const {
  switch (kind) {
    case Kind::kTask: return fmt::format("{}/{}", task.stack, task.service);
    case Kind::kAddress: return address.text();
    case Kind::kName: return name;
  }
  return {};
}

PolicyVerdict evaluate(const PolicyQuestion& question, const std::vector<v1::PolicyAssignment>& policies) {
  const Answer out = ask(question, Direction::kEgress, policies);
  if (!out.allowed) return {false, "refused: " + out.why, out.policies};
  const Answer in = ask(question, Direction::kIngress, policies);
  if (!in.allowed) return {false, "refused: " + in.why, in.policies};
  PolicyVerdict verdict{true, "", out.policies};
  verdict.policies.insert(verdict.policies.end(), in.policies.begin(), in.policies.end());
  if (out.policies.empty() && in.policies.empty())
    verdict.message = fmt::format("allowed: no policy is about {} (egress) or {} (ingress)", question.from.text(),
                                  question.to.text());
  else if (out.policies.empty() || in.policies.empty())
    verdict.message = "allowed by " + (out.policies.empty() ? in.why : out.why);
  else
    verdict.message = fmt::format("allowed by {} (egress), and by {} (ingress)", out.why, in.why);
  return verdict;
}

}  // namespace orchion::core
