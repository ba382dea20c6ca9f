#include "control/services/network_policy_service.h"

#include <fmt/core.h>

#include "control/services/paging.h"
#include "control/services/policy_question.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

namespace {

base::Co<v1::NetworkPolicy> get(ServiceContext context, v1::GetNetworkPolicyRequest request) {
  const auto policy = context.objects.view().network_policies().find(request.stack(), request.name());
  if (!policy)
    co_return base::fail(base::Code::kNotFound, fmt::format("there is no network policy {}/{}: see `orchion network "
                                                            "policy ls`",
                                                            request.stack(), request.name()));
  co_return *policy;
}

base::Co<v1::ListNetworkPoliciesResponse> list(ServiceContext context, v1::ListNetworkPoliciesRequest request) {
  CO_ASSIGN_OR_RETURN(const auto page, parse_page(request.page_size(), request.page_token()));
  v1::ListNetworkPoliciesResponse response;
  response.set_revision(context.objects.bookmark().text());
  auto wanted = [&](const v1::NetworkPolicy& policy) {
    return request.stack().empty() || request.stack() == policy.meta().stack();
  };
  for (const auto& policy :
       page_of(context.objects.view().network_policies(), page, wanted, *response.mutable_next_page_token()))
    *response.add_network_policies() = *policy;
  co_return response;
}

base::Co<v1::TestNetworkPoliciesResponse> test(ServiceContext context, v1::TestNetworkPoliciesRequest request) {
  co_return answer_policy_question(context.objects.view(), request);
}

template <class Request, class Response>
void add(core::MethodTable& table, ServiceContext context, const char* name,
         base::Co<Response> (*handler)(ServiceContext, Request)) {
  table.unary<Request, Response>(
      fmt::format("orchion.v1.NetworkPolicyService.{}", name),
      [context, handler](core::CallContext, Request request) { return handler(context, std::move(request)); });
}

}  // namespace

void add_network_policy_service(core::MethodTable& table, ServiceContext context) {
  add(table, context, "GetNetworkPolicy", &get);
  add(table, context, "ListNetworkPolicies", &list);
  add(table, context, "TestNetworkPolicies", &test);
}

}  // namespace orchion::control::services
