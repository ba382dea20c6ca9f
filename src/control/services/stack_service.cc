#include "control/services/stack_service.h"

#include "control/services/bind.h"
#include "control/services/network_rules.h"
#include "control/services/paging.h"
#include "control/services/route_rules.h"
#include "core/carry_over.h"
#include "core/defaults.h"
#include "core/difference.h"
#include "core/lifecycle.h"
#include "core/task_changes.h"
#include "core/validation.h"

namespace orchion::control::services {

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

base::Co<v1::ApplyStackResponse> StackService::apply(core::CallContext call, v1::ApplyStackRequest request) {
  return manifests_->once<v1::ApplyStackResponse>(
      std::move(call), std::move(request),
      [this](core::CallContext same_call, v1::ApplyStackRequest wanted, IdempotentCall same) {
        return apply_once(std::move(same_call), std::move(wanted), std::move(same));
      });
}

base::Co<v1::ApplyStackResponse> StackService::apply_once(core::CallContext call, v1::ApplyStackRequest request,
                                                          IdempotentCall idempotent) {
  const auto present = context_.objects.view().stacks().find(request.name());
  const std::uint64_t revision = present ? present->meta().revision() : 0;
  core::shorten_own_networks(request.name(), *request.mutable_spec());
  core::fill_defaults(*request.mutable_spec());
  if (present) core::carry_over(present->spec(), *request.mutable_spec());
  CO_RETURN_IF_ERROR(core::validate_stack(request.name(), request.spec()));
  if (idempotent.done && !present) co_return std::unexpected(no_stack(request.name()));
  if (idempotent.done) {
    v1::ApplyStackResponse response;
    *response.mutable_stack() = *present;
    *response.mutable_plan() = core::difference(present->spec(), request.spec());
    response.mutable_plan()->set_base_revision(revision);
    co_return response;
  }
  if (request.has_base_revision() && request.base_revision() != revision)
    co_return std::unexpected(stack_moved(request.name()));
  if (call.if_match && *call.if_match != revision) co_return std::unexpected(stack_moved(request.name()));
  if (present && core::is_deleted(present->meta())) co_return std::unexpected(stack_going(request.name()));
  CO_RETURN_IF_ERROR(check_network_rules(context_.objects.view(), request.name(), request.spec()));
  CO_RETURN_IF_ERROR(check_route_rules(context_.objects.view(), request.name(), request.spec()));
  v1::ApplyStackResponse response;
  *response.mutable_plan() = core::difference(present ? present->spec() : v1::StackSpec(), request.spec());
  response.mutable_plan()->set_base_revision(revision);

  v1::Stack stack = present ? *present : v1::Stack();
  stack.mutable_meta()->set_name(request.name());
  stack.mutable_meta()->set_changed_by(core::user_actor(call.identity));
  *stack.mutable_spec() = request.spec();
  if (request.dry_run()) {
    *response.mutable_stack() = std::move(stack);
    co_return response;
  }
  CO_ASSIGN_OR_RETURN(*response.mutable_stack(),
                      co_await manifests_->write(std::move(stack), !present, std::move(idempotent)));
  co_return response;
}

base::Co<v1::Stack> StackService::remove(core::CallContext call, v1::DeleteStackRequest request) {
  const auto present = context_.objects.view().stacks().find(request.name());
  if (!present) co_return std::unexpected(no_stack(request.name()));
  if (call.if_match && *call.if_match != present->meta().revision())
    co_return std::unexpected(stack_moved(request.name()));
  v1::Stack stack = *present;
  stack.mutable_meta()->set_changed_by(core::user_actor(call.identity));
  core::mark_deleted(*stack.mutable_meta(), context_.clock.wall());
  if (request.volumes()) (*stack.mutable_meta()->mutable_labels())[std::string(core::kDeleteVolumesLabel)] = "true";
  if (request.dry_run()) co_return stack;
  IdempotentCall without_key;
  CO_ASSIGN_OR_RETURN(auto written, co_await manifests_->write(std::move(stack), false, std::move(without_key)));
  co_return written;
}

void add_stack_service(core::MethodTable& table, std::shared_ptr<StackService> service) {
  const auto bind = binder(service);
  table.unary<v1::ListStacksRequest, v1::ListStacksResponse>("orchion.v1.StackService.ListStacks",
                                                             bind(&StackService::list));
  table.unary<v1::GetStackRequest, v1::Stack>("orchion.v1.StackService.GetStack", bind(&StackService::get));
  table.unary<v1::ApplyStackRequest, v1::ApplyStackResponse>("orchion.v1.StackService.ApplyStack",
                                                             bind(&StackService::apply));
  table.unary<v1::DeleteStackRequest, v1::Stack>("orchion.v1.StackService.DeleteStack", bind(&StackService::remove));
}

}  // namespace orchion::control::services
