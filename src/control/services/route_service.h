#pragma once

#include <string>

#include "control/services/context.h"
#include "control/services/route_feed.h"
#include "core/methods.h"

namespace orchion::control::services {

struct RouteServiceOptions {
  std::string authority;  // PEM
  CertificateFor certificate_for;
};

// Routes come and go with the specs of services: here they are read, with what became of them.
void add_route_service(core::MethodTable& table, ServiceContext context, RouteServiceOptions options);

}  // namespace orchion::control::services
