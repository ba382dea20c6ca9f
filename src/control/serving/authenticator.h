#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::control::serving {

// Who a caller is and what it may do. Called on the control executor only.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  // The identity behind a token; kUnauthenticated where it is unknown.
  virtual base::Result<std::string> authenticate(std::string_view bearer) = 0;

  // The same behind a client's certificate (PEM) that TLS has verified.
  virtual base::Result<std::string> authenticate_certificate(std::string_view certificate) = 0;

  // Whether it is another server of the cluster, which has let its callers in itself and says who they are.
  virtual bool speaks_for_callers(const std::string& identity) = 0;

  // kPermissionDenied, with what is lacking, where `identity` may not do this ("tasks.read").
  virtual base::Result<> allowed(const std::string& identity, const std::string& permission) = 0;
};

}  // namespace orchion::control::serving
