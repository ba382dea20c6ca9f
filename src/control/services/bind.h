#pragma once

#include <memory>
#include <utility>

#include "core/methods.h"

namespace orchion::control::services {

// Handlers that are members of `service`, which they keep alive: bind(&StackService::list) where bind is
// binder(service).
template <class Service>
auto binder(std::shared_ptr<Service> service) {
  return [service](auto method) {
    return [service, method](core::CallContext call, auto request) {
      return ((*service).*method)(std::move(call), std::move(request));
    };
  };
}

}  // namespace orchion::control::services
