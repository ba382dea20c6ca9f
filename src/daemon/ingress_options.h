#pragma once

#include <optional>
#include <string>

namespace orchion::daemon {

// Where a machine takes HTTP for services: "ADDRESS:PORT", IPv4.
struct IngressOptions {
  std::string http;
  std::string https;
};

}  // namespace orchion::daemon
