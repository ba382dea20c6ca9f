#include "control/services/service_service.h"

#include <fmt/core.h>

#include "control/services/bind.h"
#include "control/services/network_rules.h"
#include "control/services/paging.h"
#include "control/services/route_rules.h"
#include "control/services/standing_service.h"
#include "control/services/view_wait.h"
#include "core/carry_over.h"
#include "core/defaults.h"
#include "core/lifecycle.h"
#include "core/task_changes.h"
#include "core/validation.h"

namespace orchion::control::services {

namespace {

constexpr auto kExpandLimit = std::chrono::seconds(5);
constexpr auto kGoingLimit = std::chrono::seconds(10);

void change_spec(v1::ServiceSpec& spec, const v1::ScaleServiceRequest& request) {
  spec.set_replicas(request.replicas());
  spec.set_stopped(false);
}

void change_spec(v1::ServiceSpec& spec, const v1::RestartServiceRequest&) {
  spec.set_restarts(spec.restarts() + 1);
  spec.set_stopped(false);
}

void change_spec(v1::ServiceSpec& spec, const v1::StopServiceRequest&) {
  spec.set_stopped(true);
}

void change_spec(v1::ServiceSpec& spec, const v1::StartServiceRequest&) {
  spec.set_stopped(false);
}

// The field of the request that a place in the manifest was filled from; `at` is the service's place in it.
std::string field_of_request(std::string pointer, const std::string& at, bool scales) {
  if (pointer == "/name") return "/stack";
  if (pointer.starts_with(at + "/")) pointer.erase(0, at.size());
  return scales && pointer == "/spec/replicas" ? "/replicas" : pointer;
}

// The manifest, as a request about the service at `place` in it left it; faults point into the request.
template <class Request>
base::Result<> validate(const Request& request, const v1::StackSpec& spec, int place) {
  auto valid = core::validate_stack(request.stack(), spec);
  if (valid) return {};
  auto error = std::move(valid).error();
  const auto at = fmt::format("/spec/services/{}", place);
  for (auto& fault : error.fields)
    fault.pointer = field_of_request(std::move(fault.pointer), at, std::is_same_v<Request, v1::ScaleServiceRequest>);
  const auto& first = error.fields.front();
  error.message =
      fmt::format("the service {}/{} is not valid: {} {}{}", request.stack(), request.name(), first.pointer,
                  first.detail, error.fields.size() > 1 ? fmt::format(" (and {} more)", error.fields.size() - 1) : "");
  return std::unexpected(std::move(error));
}

int place_of(const v1::StackSpec& spec, const v1::NamedService& service) {
  for (int i = 0; i < spec.services_size(); ++i) {
    if (&spec.services(i) == &service) return i;
  }
  return -1;
}

void erase_service(v1::StackSpec& spec, const std::string& name) {
  auto& services = *spec.mutable_services();
  for (int i = 0; i < services.size(); ++i) {
    if (services[i].name() == name) return services.DeleteSubrange(i, 1);
  }
}

}  // namespace

base::Co<v1::ListServicesResponse> ServiceService::list(core::CallContext, v1::ListServicesRequest request) {
  CO_ASSIGN_OR_RETURN(const auto page, parse_page(request.page_size(), request.page_token()));
  v1::ListServicesResponse response;
  response.set_revision(context_.objects.bookmark().text());
  auto keep = [&](const v1::Service& service) {
    return request.stack().empty() || service.meta().stack() == request.stack();
  };
  for (const auto& service :
       page_of(context_.objects.view().services(), page, keep, *response.mutable_next_page_token()))
    *response.add_services() = *service;
  co_return response;
}

base::Co<v1::Service> ServiceService::get(core::CallContext, v1::GetServiceRequest request) {
  const auto service = context_.objects.view().services().find(request.stack(), request.name());
  if (!service) co_return std::unexpected(no_service(request.stack(), request.name()));
  co_return *service;
}

base::Co<v1::Service> ServiceService::create(core::CallContext call, v1::CreateServiceRequest request) {
  return manifests_->once<v1::Service>(
      std::move(call), std::move(request),
      [this](core::CallContext same_call, v1::CreateServiceRequest wanted, IdempotentCall same) {
        return insist<v1::Service>([this, same_call, wanted, same] { return create_once(same_call, wanted, same); });
      });
}

base::Co<v1::Service> ServiceService::create_once(core::CallContext call, v1::CreateServiceRequest request,
                                                  IdempotentCall idempotent) {
  // A stack that goes with its last service may come again with a new one.
  auto settled = [this, name = request.stack()] {
    const auto stack = context_.objects.view().stacks().find(name);
    return !stack || !core::is_deleted(stack->meta());
  };
  const auto waited = co_await wait_for_view(context_, settled, kGoingLimit, "removing the stack that was there");
  if (!waited) co_return std::unexpected(stack_going(request.stack()));
  const auto present = context_.objects.view().stacks().find(request.stack());
  v1::Stack stack = present ? *present : v1::Stack();
  stack.mutable_meta()->set_name(request.stack());
  stack.mutable_meta()->set_changed_by(core::user_actor(call.identity));
  const bool is_there = find_service(*stack.mutable_spec(), request.name()) != nullptr;
  if (idempotent.done && !is_there) co_return std::unexpected(no_service(request.stack(), request.name()));
  if (idempotent.done) co_return co_await standing_service(context_, std::move(stack), request.name());
  if (is_there)
    co_return base::fail(base::Code::kAlreadyExists,
                         fmt::format("there is a service {}/{} already", request.stack(), request.name()));
  auto* added = stack.mutable_spec()->add_services();
  added->set_name(request.name());
  added->set_standalone(true);
  *added->mutable_spec() = request.spec();
  core::shorten_own_networks(request.stack(), *stack.mutable_spec());
  core::fill_defaults(*stack.mutable_spec());
  CO_RETURN_IF_ERROR(validate(request, stack.spec(), place_of(stack.spec(), *added)));
  CO_RETURN_IF_ERROR(
      check_joined_networks(context_.objects.view(), request.stack(), added->spec().container(), "/spec/container"));
  CO_RETURN_IF_ERROR(check_route_rules(context_.objects.view(), request.stack(), stack.spec()));
  if (request.dry_run()) co_return imagined_service(context_.objects.view(), request.stack(), *added);
  const bool is_first = context_.objects.view().services().find(request.stack(), request.name()) == nullptr;
  v1::NamedService named = *added;
  auto writing = is_first ? manifests_->write_with(std::move(named), std::move(stack), !present, std::move(idempotent))
                          : manifests_->write(std::move(stack), !present, std::move(idempotent));
  CO_ASSIGN_OR_RETURN(auto written, co_await std::move(writing));
  co_return co_await standing_service(context_, std::move(written), request.name());
}

base::Result<v1::Stack> ServiceService::stack_of(const core::CallContext& call, const std::string& stack,
                                                 const std::string& name) {
  const auto present = context_.objects.view().stacks().find(stack);
  if (!present) return std::unexpected(no_stack(stack));
  v1::Stack copy = *present;
  copy.mutable_meta()->set_changed_by(core::user_actor(call.identity));
  if (find_service(*copy.mutable_spec(), name) == nullptr) return std::unexpected(no_service(stack, name));
  if (core::is_deleted(copy.meta())) return std::unexpected(stack_going(stack));
  const auto service = context_.objects.view().services().find(stack, name);
  if (call.if_match && (!service || service->meta().revision() != *call.if_match))
    return base::fail(base::Code::kAborted,
                      fmt::format("service {}/{} was changed by somebody else meanwhile: read it again", stack, name));
  return copy;
}

template <class Request>
base::Co<v1::Service> ServiceService::change(core::CallContext call, Request request) {
  return manifests_->once<v1::Service>(
      std::move(call), std::move(request), [this](core::CallContext same_call, Request wanted, IdempotentCall same) {
        return insist<v1::Service>([this, same_call, wanted, same] { return change_once(same_call, wanted, same); });
      });
}

template <class Request>
base::Co<v1::Service> ServiceService::change_once(core::CallContext call, Request request, IdempotentCall idempotent) {
  if (idempotent.done) call.if_match.reset();
  CO_ASSIGN_OR_RETURN(auto stack, stack_of(call, request.stack(), request.name()));
  if (idempotent.done) co_return co_await standing_service(context_, std::move(stack), request.name());
  auto* named = find_service(*stack.mutable_spec(), request.name());
  change_spec(*named->mutable_spec(), request);
  CO_RETURN_IF_ERROR(validate(request, stack.spec(), place_of(stack.spec(), *named)));
  if (request.dry_run()) co_return imagined_service(context_.objects.view(), request.stack(), *named);
  CO_ASSIGN_OR_RETURN(auto written, co_await manifests_->write(std::move(stack), false, std::move(idempotent)));
  co_return co_await standing_service(context_, std::move(written), request.name());
}

base::Co<v1::Service> ServiceService::remove(core::CallContext call, v1::DeleteServiceRequest request) {
  return insist<v1::Service>([this, call, request] { return remove_once(call, request); });
}

base::Co<v1::Service> ServiceService::remove_once(core::CallContext call, v1::DeleteServiceRequest request) {
  CO_ASSIGN_OR_RETURN(auto stack, stack_of(call, request.stack(), request.name()));
  const auto named = *find_service(*stack.mutable_spec(), request.name());
  v1::Service going = imagined_service(context_.objects.view(), request.stack(), named);
  erase_service(*stack.mutable_spec(), request.name());
  CO_RETURN_IF_ERROR(core::validate_stack(request.stack(), stack.spec()));
  core::mark_deleted(*going.mutable_meta(), context_.clock.wall());
  if (request.dry_run()) co_return going;
  // A stack that came with its first service goes with its last.
  const bool was_all = named.standalone() && core::is_empty(stack.spec());
  if (was_all) core::mark_deleted(*stack.mutable_meta(), context_.clock.wall());
  IdempotentCall without_key;
  CO_RETURN_IF_ERROR(co_await manifests_->write(std::move(stack), false, std::move(without_key)));
  auto left = [this, uid = going.meta().uid(), stack_name = request.stack(), name = request.name()] {
    const auto service = context_.objects.view().services().find(stack_name, name);
    return !service || service->meta().uid() != uid || core::is_deleted(service->meta());
  };
  CO_RETURN_IF_ERROR(co_await wait_for_view(context_, std::move(left), kExpandLimit, "taking the service away"));
  co_return going;
}

void add_service_service(core::MethodTable& table, std::shared_ptr<ServiceService> service) {
  const auto bind = binder(service);
  table.unary<v1::ListServicesRequest, v1::ListServicesResponse>("orchion.v1.ServiceService.ListServices",
                                                                 bind(&ServiceService::list));
  table.unary<v1::GetServiceRequest, v1::Service>("orchion.v1.ServiceService.GetService", bind(&ServiceService::get));
  table.unary<v1::CreateServiceRequest, v1::Service>("orchion.v1.ServiceService.CreateService",
                                                     bind(&ServiceService::create));
  table.unary<v1::DeleteServiceRequest, v1::Service>("orchion.v1.ServiceService.DeleteService",
                                                     bind(&ServiceService::remove));
  table.unary<v1::ScaleServiceRequest, v1::Service>("orchion.v1.ServiceService.ScaleService",
                                                    bind(&ServiceService::change<v1::ScaleServiceRequest>));
  table.unary<v1::RestartServiceRequest, v1::Service>("orchion.v1.ServiceService.RestartService",
                                                      bind(&ServiceService::change<v1::RestartServiceRequest>));
  table.unary<v1::StopServiceRequest, v1::Service>("orchion.v1.ServiceService.StopService",
                                                   bind(&ServiceService::change<v1::StopServiceRequest>));
  table.unary<v1::StartServiceRequest, v1::Service>("orchion.v1.ServiceService.StartService",
                                                    bind(&ServiceService::change<v1::StartServiceRequest>));
}

}  // namespace orchion::control::services
