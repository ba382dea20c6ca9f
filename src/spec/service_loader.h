#pragma once

#include <string>

#include "spec/context.h"
#include "spec/node.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

// One entry of `services`, merged and interpolated, as the API's message. What is wrong goes to the context's
// problems; the message is then incomplete.
v1::ServiceSpec load_service(const std::string& name, const Node& node, LoadContext& context);

// Parts of it, in files of their own.
void load_environment(const Node& service, v1::ContainerSpec& container, LoadContext& context);
void load_ports(const Node& list, v1::ContainerSpec& container, LoadContext& context);
void load_mounts(const Node& list, v1::ContainerSpec& container, LoadContext& context);
void load_deploy(const Node& deploy, v1::ServiceSpec& spec, LoadContext& context);

// `restart: on-failure:3`.
void load_restart(const Node& node, v1::RestartPolicy& policy, LoadContext& context);

// Compose has two places for the same figure: both may be filled, but not differ.
void set_resource(std::int64_t value, const Node& at, std::string_view what, std::int64_t before,
                  void (v1::Resources::*set)(std::int64_t), v1::Resources& resources, LoadContext& context);

}  // namespace orchion::spec
