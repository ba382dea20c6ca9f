#pragma once

// What network policies mean, for whoever asks: the node that carries them out, and people who want to know why.
//
// A policy is about tasks of its own stack, in the directions it holds for. A task that no policy is about, in a
// direction, is open there. One that some are about is closed there but for what a rule of any of them allows. A
// connection needs both: the way out of who begins it, and the way in to who is meant.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "core/ip_range.h"
#include "core/validation.h"
#include "v1/dispatcher.pb.h"

namespace orchion::core {

enum class Direction { kIngress, kEgress };

std::string_view direction_text(Direction direction);  // "ingress", "egress"

// A task, as policies see it.
struct PolicyTask {
  std::string stack;
  std::string service;  // or the job
  std::map<std::string, std::string> labels;

  bool operator==(const PolicyTask&) const = default;
};

bool holds_for(const v1::NetworkPolicySpec& spec, Direction direction);

// Whether a policy of `stack` is about the task.
bool is_about(const std::string& stack, const v1::NetworkPolicySpec& spec, const PolicyTask& task);

// Peers are of three kinds: tasks, addresses outside of the cluster's networks, and names of hosts there.
bool means_tasks(const v1::PolicyPeer& peer);

// Whether a peer in a policy of `stack` means the task.
bool means(const std::string& stack, const v1::PolicyPeer& peer, const PolicyTask& task);

// Whether `name` is meant by "api.example.com" or "*.example.com", which stands for what ends so and has more before
// it. Neither case nor a last dot counts.
bool fits_host(std::string_view pattern, std::string_view name);

// The rules of a direction.
const google::protobuf::RepeatedPtrField<v1::PolicyRule>& rules_of(const v1::NetworkPolicySpec& spec,
                                                                   Direction direction);

// "shop/web-only"
std::string policy_name(const v1::PolicyAssignment& policy);

// Who begins a connection, or whom it is for: a task, or somebody outside by address or by name.
struct PolicyEnd {
  enum class Kind { kTask, kAddress, kName };
  Kind kind = Kind::kTask;
  PolicyTask task;
  IpAddress address;
  std::string name;

  std::string text() const;  // "shop/web", "192.0.2.7", "api.example.com"
};

struct PolicyVerdict {
  bool allowed = true;
  std::string message;                // one sentence, without a dot
  std::vector<std::string> policies;  // that decided it, in the order of the sentence
};

struct PolicyQuestion {
  PolicyEnd from;
  PolicyEnd to;
  std::uint32_t port = 0;
  bool udp = false;
};

PolicyVerdict evaluate(const PolicyQuestion& question, const std::vector<v1::PolicyAssignment>& policies);

// What of a policy may not be stored; pointers begin at `at` ("/spec/networkPolicies/0/spec"). `services`: the names of
// its stack's services and jobs.
void check_network_policy(const v1::NetworkPolicySpec& spec, const std::set<std::string>& services,
                          const std::string& at, Violations& violations);

}  // namespace orchion::core
