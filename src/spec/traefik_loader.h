#pragma once

#include "spec/context.h"
#include "spec/node.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

// Whether the service has labels of Traefik's that ask for something.
bool has_traefik_labels(const v1::ServiceSpec& spec);

// The routes that they mean. What of them isn't understood is a problem, at its place in the file.
void load_traefik_routes(const Node& service, v1::ServiceSpec& spec, LoadContext& context);

}  // namespace orchion::spec
