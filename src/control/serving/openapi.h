#pragma once

#include <string>

#include "control/serving/route_table.h"

namespace orchion::control::serving {

// OpenAPI 3.1 of all routes, as JSON, from the contract's descriptors.
std::string openapi_document(const RouteTable& routes, const std::string& version);

}  // namespace orchion::control::serving
