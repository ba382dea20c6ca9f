#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "spec/context.h"
#include "spec/node.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

// What a service says about others.
struct Link {
  std::string service;
  std::string alias;  // empty: none
  Position at;
};

struct LoadedService {
  v1::ServiceSpec spec;
  std::vector<Link> links;
};

// One entry of `services`, merged and interpolated, as the API's message. What is wrong goes to the context's
// problems; the message is then incomplete. The contents of secrets and configs are still missing.
LoadedService load_service(const std::string& name, const Node& node, LoadContext& context);

// Parts of it, in files of their own. Each takes the whole service's node, where it isn't named after one key.
void load_environment(const Node& service, v1::ContainerSpec& container, LoadContext& context);
void load_label_files(const Node& service, v1::ContainerSpec& container, LoadContext& context);
void load_ports(const Node& list, v1::ContainerSpec& container, LoadContext& context);
void load_mounts(const Node& service, v1::ContainerSpec& container, LoadContext& context);
void load_deploy(const Node& deploy, v1::ServiceSpec& spec, LoadContext& context);
void load_isolation(const Node& service, v1::ContainerSpec& container, LoadContext& context);
void load_devices(const Node& service, v1::ContainerSpec& container, LoadContext& context);
void load_gpus(const Node& service, v1::ContainerSpec& container, LoadContext& context);
void load_resources(const Node& service, v1::ContainerSpec& container, LoadContext& context);
void load_names(const Node& service, v1::ContainerSpec& container, LoadContext& context);
void load_networks(const Node& service, v1::ContainerSpec& container, LoadContext& context);
void load_health_check(const Node& node, v1::ContainerSpec& container, LoadContext& context);
void load_probes(const Node& service, v1::ContainerSpec& container, LoadContext& context);
void load_routes(const Node& service, v1::ServiceSpec& spec, LoadContext& context);
void load_placement_rules(const Node& orchion, v1::ServiceSpec& spec, LoadContext& context);
void load_recovery(const Node& service, v1::ServiceSpec& spec, LoadContext& context);
void load_logging(const Node& node, v1::ContainerSpec& container, LoadContext& context);
void load_files(const Node& service, v1::ContainerSpec& container, LoadContext& context);

// The times and the count that each kind of check has.
void load_check_figures(const Node& node, v1::HealthCheck& check, Problems& problems);

// `restart: on-failure:3`.
void load_restart(const Node& node, v1::RestartPolicy& policy, LoadContext& context);

// Compose has two places for the same figure: both may be filled, but not differ.
void set_resource(std::int64_t value, const Node& at, std::string_view what, std::int64_t before,
                  void (v1::Resources::*set)(std::int64_t), v1::Resources& resources, LoadContext& context);

}  // namespace orchion::spec
