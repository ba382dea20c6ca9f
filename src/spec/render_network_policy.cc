#include "spec/network_policy_loader.h"
#include "spec/render_service.h"

namespace orchion::spec {

namespace {

bool is_default_deny(const v1::NamedNetworkPolicy& policy) {
  const auto& spec = policy.spec();
  return policy.name() == kDefaultDeny && spec.ingress() && spec.egress() && spec.from().empty() && spec.to().empty() &&
         spec.service().empty() && spec.labels().empty();
}

void render_peer(const v1::PolicyPeer& peer, RenderWriter& yaml) {
  yaml.begin_map();
  yaml.field("stack", peer.stack());
  yaml.field("service", peer.service());
  yaml.labels(peer.labels());
  yaml.field("range", peer.address_range());
  yaml.list_if("except", peer.except());
  yaml.field("name", peer.name());
  yaml.end_map();
}

std::string port_text(const v1::PolicyPort& port) {
  std::string text = std::to_string(port.port());
  if (port.last() > port.port()) text += "-" + std::to_string(port.last());
  if (!port.protocol().empty()) text += "/" + port.protocol();
  return text;
}

void render_rules(std::string_view direction, std::string_view peers,
                  const google::protobuf::RepeatedPtrField<v1::PolicyRule>& rules, RenderWriter& yaml) {
  yaml.key(direction);
  yaml.begin_list();
  for (const auto& rule : rules) {
    yaml.begin_map();
    if (!rule.peers().empty()) {
      yaml.key(peers);
      yaml.begin_list();
      for (const auto& peer : rule.peers()) render_peer(peer, yaml);
      yaml.end_list();
    }
    std::vector<std::string> ports;
    for (const auto& port : rule.ports()) ports.push_back(port_text(port));
    yaml.list_if("ports", ports);
    yaml.end_map();
  }
  yaml.end_list();
}

}  // namespace

void render_network_policies(const v1::StackSpec& spec, RenderWriter& yaml) {
  bool open = false;
  for (const auto& policy : spec.network_policies()) {
    if (is_default_deny(policy)) continue;
    if (!open) {
      yaml.key("network_policies");
      yaml.begin_map();
      open = true;
    }
    yaml.key(policy.name());
    yaml.begin_map();
    yaml.field("service", policy.spec().service());
    yaml.labels(policy.spec().labels());
    if (policy.spec().ingress()) render_rules("ingress", "from", policy.spec().from(), yaml);
    if (policy.spec().egress()) render_rules("egress", "to", policy.spec().to(), yaml);
    yaml.end_map();
  }
  if (open) yaml.end_map();
  for (const auto& policy : spec.network_policies())
    if (is_default_deny(policy)) yaml.field("network_default", "deny");
}

}  // namespace orchion::spec
