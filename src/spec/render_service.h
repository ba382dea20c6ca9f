#pragma once

#include <string>

#include "spec/build_spec.h"
#include "spec/render_writer.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

// What a file calls a network that it names "STACK/NETWORK"; never one of the stack's own, whose names have no '_'.
std::string local_network_name(std::string network);

// A service below its name; `build` says how its image is made, nullptr: it comes from elsewhere.
void render_service(const v1::NamedService& service, const BuildSpec* build, RenderWriter& yaml);

// The service's keys in a map that is open already, but for what a job has other words for: replicas, restart and
// `x-orchion`.
void render_service_part(const v1::ServiceSpec& spec, RenderWriter& yaml);

// `tolerations`, `near`, `away_from` and `together` of `x-orchion` and of jobs, where they say something.
void render_placement_rules(const v1::PlacementRules& rules, RenderWriter& yaml);

// `gpus` of a service, where Compose has words for what it asks; else, of `x-orchion` and of jobs.
bool has_own_gpus(const v1::ContainerSpec& container);
void render_gpus(const v1::ContainerSpec& container, RenderWriter& yaml);
void render_own_gpus(const v1::ContainerSpec& container, RenderWriter& yaml);

// `queues` of `x-orchion`, where the stack has any.
void render_queues(const v1::StackSpec& spec, RenderWriter& yaml);

// `network_policies` and `network_default` of `x-orchion`, where the stack has any.
void render_network_policies(const v1::StackSpec& spec, RenderWriter& yaml);

// A job below its name.
void render_job(const v1::NamedJob& job, RenderWriter& yaml);

void render_build(const BuildSpec& build, RenderWriter& yaml);

// The part of it that few services have.
void render_options(const v1::ContainerSpec& container, RenderWriter& yaml);

// Whether it has checks that `healthcheck` has no words for, and those checks, as `health` of `x-orchion`.
bool needs_probes(const v1::ContainerSpec& container);
void render_probes(const v1::ContainerSpec& container, RenderWriter& yaml);
void render_routes(const v1::ServiceSpec& spec, RenderWriter& yaml);

// Whether `healthcheck` has no words for this one.
bool is_probe(const v1::HealthCheck& check);

// A check's times and its count.
void render_check_figures(const v1::HealthCheck& check, RenderWriter& yaml);

}  // namespace orchion::spec
