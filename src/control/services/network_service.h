#pragma once

#include <memory>
#include <string>

#include "control/services/context.h"
#include "control/services/stack_manifests.h"
#include "core/methods.h"
#include "core/network_names.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// Networks by themselves, and who is in them: what is written is the manifest of the network's stack, or of the
// service's. GetNetwork and ListNetworks are among what is only read.
class NetworkService {
 public:
  NetworkService(ServiceContext context, std::shared_ptr<StackManifests> manifests)
      : context_(context), manifests_(std::move(manifests)) {}

  base::Co<v1::Network> create(core::CallContext call, v1::CreateNetworkRequest request);
  base::Co<v1::Network> remove(core::CallContext call, v1::DeleteNetworkRequest request);
  base::Co<v1::Service> connect(core::CallContext call, v1::ConnectNetworkRequest request);
  base::Co<v1::Service> disconnect(core::CallContext call, v1::DisconnectNetworkRequest request);

 private:
  base::Co<v1::Network> create_once(core::CallContext call, v1::CreateNetworkRequest request,
                                    IdempotentCall idempotent);
  base::Co<v1::Network> remove_once(core::CallContext call, v1::DeleteNetworkRequest request);
  // Who is in it, changed either way.
  template <class Request>
  base::Co<v1::Service> change(core::CallContext call, Request request);
  template <class Request>
  base::Co<v1::Service> change_once(core::CallContext call, Request request, IdempotentCall idempotent);

  base::Co<v1::Network> standing(v1::Stack stack, std::string name);

  ServiceContext context_;
  std::shared_ptr<StackManifests> manifests_;
};

void add_network_service(core::MethodTable& table, std::shared_ptr<NetworkService> service);

}  // namespace orchion::control::services
