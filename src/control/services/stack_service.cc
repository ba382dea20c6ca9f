#include "control/services/stack_service.h"

#include <fmt/core.h>
#include <google/protobuf/util/message_differencer.h>

#include "control/services/bind.h"
#include "control/services/paging.h"
#include "control/services/view_wait.h"
#include "core/defaults.h"
#include "core/difference.h"
#include "core/lifecycle.h"
#include "core/validation.h"

namespace orchion::control::services {

namespace {

constexpr auto kExpandLimit = std::chrono::seconds(5);

base::Error no_stack(const std::string& name) {
  return {base::Code::kNotFound, fmt::format("there is no stack {}: see `orchion stack ls`", name), {}};
}

base::Error no_service(const std::string& stack, const std::string& name) {
  return {base::Code::kNotFound, fmt::format("there is no service {}/{}: see `orchion ps`", stack, name), {}};
}

base::Error moved(const std::string& name) {
  return {base::Code::kAborted,
          fmt::format("stack {} was changed by somebody else meanwhile: look at the plan again", name),
          {}};
}

v1::NamedService* find_service(v1::StackSpec& spec, const std::string& name) {
  for (auto& service : *spec.mutable_services()) {
    if (service.name() == name) return &service;
  }
  return nullptr;
}

// nullptr where the service doesn't stand yet as this manifest has it, and no later one took its place.
std::shared_ptr<const v1::Service> present_service(const store::View& view, const v1::Stack& manifest,
                                                   const v1::NamedService& wanted) {
  const auto service = view.services().find(manifest.meta().name(), wanted.name());
  if (!service || core::is_deleted(service->meta())) return nullptr;
  if (google::protobuf::util::MessageDifferencer::Equals(service->spec(), wanted.spec())) return service;
  const auto owner = view.stacks().find(manifest.meta().name());
  return owner && owner->status().observed_generation() >= manifest.meta().generation() ? service : nullptr;
}

}  // namespace

base::Co<v1::ListStacksResponse> StackService::list(core::CallContext, v1::ListStacksRequest request) {
  CO_ASSIGN_OR_RETURN(const auto page, parse_page(request.page_size(), request.page_token()));
  v1::ListStacksResponse response;
  response.set_revision(context_.objects.bookmark().text());
  auto all = [](const v1::Stack&) { return true; };
  for (const auto& stack : page_of(context_.objects.view().stacks(), page, all, *response.mutable_next_page_token()))
    *response.add_stacks() = *stack;
  co_return response;
}

base::Co<v1::Stack> StackService::get(core::CallContext, v1::GetStackRequest request) {
  const auto stack = context_.objects.view().stacks().find(request.name());
  if (!stack) co_return std::unexpected(no_stack(request.name()));
  co_return *stack;
}

template <class Request, class Response>
base::Co<Response> StackService::once(std::string method, core::CallContext call, Request request,
                                      Work<Request, Response> work) {
  auto shared = std::make_shared<const Request>(request);
  CO_ASSIGN_OR_RETURN(auto idempotent, co_await records_.begin(call, method, shared));
  if (auto answer = answer_of<Response>(idempotent)) co_return std::move(*answer);
  auto response = co_await (this->*work)(call, request, idempotent);
  if (!response && call.idempotency_key) {
    // The same call may have been quicker, and in the way of this one.
    CO_ASSIGN_OR_RETURN(idempotent, co_await records_.begin(call, method, shared));
    if (!idempotent.done) co_return std::unexpected(response.error());
    response = co_await (this->*work)(call, request, idempotent);
  }
  if (response) CO_RETURN_IF_ERROR(co_await records_.remember(std::move(idempotent), response->SerializeAsString()));
  co_return response;
}

base::Co<v1::ApplyStackResponse> StackService::apply(core::CallContext call, v1::ApplyStackRequest request) {
  if (request.dry_run()) call.idempotency_key.reset();
  return once<v1::ApplyStackRequest, v1::ApplyStackResponse>("orchion.v1.StackService.ApplyStack", std::move(call),
                                                             std::move(request), &StackService::apply_once);
}

base::Co<v1::ApplyStackResponse> StackService::apply_once(core::CallContext call, v1::ApplyStackRequest request,
                                                          IdempotentCall idempotent) {
  core::fill_defaults(*request.mutable_spec());
  CO_RETURN_IF_ERROR(core::validate_stack(request.name(), request.spec()));
  const auto present = context_.objects.view().stacks().find(request.name());
  const std::uint64_t revision = present ? present->meta().revision() : 0;
  if (idempotent.done && !present) co_return std::unexpected(no_stack(request.name()));
  if (idempotent.done) {
    v1::ApplyStackResponse response;
    *response.mutable_stack() = *present;
    *response.mutable_plan() = core::difference(present->spec(), request.spec());
    response.mutable_plan()->set_base_revision(revision);
    co_return response;
  }
  if (request.has_base_revision() && request.base_revision() != revision)
    co_return std::unexpected(moved(request.name()));
  if (call.if_match && *call.if_match != revision) co_return std::unexpected(moved(request.name()));
  if (present && present->meta().has_deleted_at())
    co_return base::fail(
        base::Code::kFailedPrecondition,
        fmt::format("stack {} is being removed: wait until it is gone, then try again", request.name()));
  v1::ApplyStackResponse response;
  *response.mutable_plan() = core::difference(present ? present->spec() : v1::StackSpec(), request.spec());
  response.mutable_plan()->set_base_revision(revision);

  v1::Stack stack = present ? *present : v1::Stack();
  stack.mutable_meta()->set_name(request.name());
  *stack.mutable_spec() = request.spec();
  if (request.dry_run()) {
    *response.mutable_stack() = std::move(stack);
    co_return response;
  }
  CO_ASSIGN_OR_RETURN(*response.mutable_stack(), co_await write(std::move(stack), !present, std::move(idempotent)));
  co_return response;
}

base::Co<v1::Stack> StackService::remove(core::CallContext call, v1::DeleteStackRequest request) {
  const auto present = context_.objects.view().stacks().find(request.name());
  if (!present) co_return std::unexpected(no_stack(request.name()));
  if (call.if_match && *call.if_match != present->meta().revision()) co_return std::unexpected(moved(request.name()));
  v1::Stack stack = *present;
  core::mark_deleted(*stack.mutable_meta(), context_.clock.wall());
  if (request.volumes()) (*stack.mutable_meta()->mutable_labels())[std::string(core::kDeleteVolumesLabel)] = "true";
  IdempotentCall without_key;
  CO_ASSIGN_OR_RETURN(auto written, co_await write(std::move(stack), false, std::move(without_key)));
  co_return written;
}

base::Co<v1::ListServicesResponse> StackService::list_services(core::CallContext, v1::ListServicesRequest request) {
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

base::Co<v1::Service> StackService::get_service(core::CallContext, v1::GetServiceRequest request) {
  const auto service = context_.objects.view().services().find(request.stack(), request.name());
  if (!service) co_return std::unexpected(no_service(request.stack(), request.name()));
  co_return *service;
}

base::Co<v1::Service> StackService::create_service(core::CallContext call, v1::CreateServiceRequest request) {
  return once<v1::CreateServiceRequest, v1::Service>("orchion.v1.ServiceService.CreateService", std::move(call),
                                                     std::move(request), &StackService::create_service_once);
}

base::Co<v1::Service> StackService::create_service_once(core::CallContext, v1::CreateServiceRequest request,
                                                        IdempotentCall idempotent) {
  const auto present = context_.objects.view().stacks().find(request.stack());
  v1::Stack stack = present ? *present : v1::Stack();
  stack.mutable_meta()->set_name(request.stack());
  const bool is_there = find_service(*stack.mutable_spec(), request.name()) != nullptr;
  if (idempotent.done && !is_there) co_return std::unexpected(no_service(request.stack(), request.name()));
  if (idempotent.done) co_return co_await service_in(std::move(stack), request.name());
  if (is_there)
    co_return base::fail(base::Code::kAlreadyExists,
                         fmt::format("there is a service {}/{} already", request.stack(), request.name()));
  auto* added = stack.mutable_spec()->add_services();
  added->set_name(request.name());
  *added->mutable_spec() = request.spec();
  core::fill_defaults(*stack.mutable_spec());
  CO_RETURN_IF_ERROR(core::validate_stack(request.stack(), stack.spec()));
  CO_ASSIGN_OR_RETURN(auto written, co_await write(std::move(stack), !present, std::move(idempotent)));
  co_return co_await service_in(std::move(written), request.name());
}

base::Co<v1::Service> StackService::scale(core::CallContext, v1::ScaleServiceRequest request) {
  const auto present = context_.objects.view().stacks().find(request.stack());
  if (!present) co_return std::unexpected(no_stack(request.stack()));
  v1::Stack stack = *present;
  auto* service = find_service(*stack.mutable_spec(), request.name());
  if (service == nullptr) co_return std::unexpected(no_service(request.stack(), request.name()));
  service->mutable_spec()->set_replicas(request.replicas());
  CO_RETURN_IF_ERROR(core::validate_stack(request.stack(), stack.spec()));
  IdempotentCall without_key;
  CO_ASSIGN_OR_RETURN(auto written, co_await write(std::move(stack), false, std::move(without_key)));
  co_return co_await service_in(std::move(written), request.name());
}

// Stores the manifest as this caller saw it; kAborted where somebody else was quicker.
base::Co<v1::Stack> StackService::write(v1::Stack stack, bool is_new, IdempotentCall idempotent) {
  store::Transaction transaction;
  const auto name = stack.meta().name();
  stack.mutable_meta()->set_generation(stack.meta().generation() + 1);
  if (is_new) {
    stack.mutable_meta()->set_uid(base::new_uid(context_.random));
    *stack.mutable_meta()->mutable_created_at() = core::to_timestamp(context_.clock.wall());
    // The stack controller takes it away when nothing of the stack is left.
    core::add_finalizer(*stack.mutable_meta(), core::kStackFinalizer);
    store::create(transaction, stack);
  } else {
    store::put_spec(transaction, stack);
  }
  records_.add(idempotent, transaction);
  auto committed = co_await context_.objects.commit(std::move(transaction));
  if (!committed && committed.error().code == base::Code::kAborted) co_return std::unexpected(moved(name));
  if (!committed) co_return std::unexpected(committed.error());
  stack.mutable_meta()->set_revision(*committed);
  co_return stack;
}

// The service as the stack controller made it from that manifest.
base::Co<v1::Service> StackService::service_in(v1::Stack stack, std::string name) {
  const v1::NamedService wanted = *find_service(*stack.mutable_spec(), name);
  std::shared_ptr<const v1::Service> service;
  auto stands = [&] {
    service = present_service(context_.objects.view(), stack, wanted);
    return service != nullptr;
  };
  CO_RETURN_IF_ERROR(
      co_await wait_for_view(context_, std::move(stands), kExpandLimit, "making the service from the stack"));
  co_return *service;
}

void add_stack_service(core::MethodTable& table, std::shared_ptr<StackService> service) {
  const auto bind = binder(service);
  table.unary<v1::ListStacksRequest, v1::ListStacksResponse>("orchion.v1.StackService.ListStacks",
                                                             bind(&StackService::list));
  table.unary<v1::GetStackRequest, v1::Stack>("orchion.v1.StackService.GetStack", bind(&StackService::get));
  table.unary<v1::ApplyStackRequest, v1::ApplyStackResponse>("orchion.v1.StackService.ApplyStack",
                                                             bind(&StackService::apply));
  table.unary<v1::DeleteStackRequest, v1::Stack>("orchion.v1.StackService.DeleteStack", bind(&StackService::remove));
  table.unary<v1::ListServicesRequest, v1::ListServicesResponse>("orchion.v1.ServiceService.ListServices",
                                                                 bind(&StackService::list_services));
  table.unary<v1::GetServiceRequest, v1::Service>("orchion.v1.ServiceService.GetService",
                                                  bind(&StackService::get_service));
  table.unary<v1::CreateServiceRequest, v1::Service>("orchion.v1.ServiceService.CreateService",
                                                     bind(&StackService::create_service));
  table.unary<v1::ScaleServiceRequest, v1::Service>("orchion.v1.ServiceService.ScaleService",
                                                    bind(&StackService::scale));
}

}  // namespace orchion::control::services
