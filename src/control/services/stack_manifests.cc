#include "control/services/stack_manifests.h"

#include <fmt/core.h>

#include "core/lifecycle.h"

namespace orchion::control::services {

base::Error no_stack(const std::string& name) {
  return {base::Code::kNotFound, fmt::format("there is no stack {}: see `orchion stack ls`", name), {}};
}

base::Error no_service(const std::string& stack, const std::string& name) {
  return {base::Code::kNotFound, fmt::format("there is no service {}/{}: see `orchion ps`", stack, name), {}};
}

base::Error stack_moved(const std::string& name) {
  return {base::Code::kAborted,
          fmt::format("stack {} was changed by somebody else meanwhile: look at the plan again", name),
          {}};
}

base::Error stack_going(const std::string& name) {
  return {base::Code::kFailedPrecondition,
          fmt::format("stack {} is being removed: wait until it is gone, then try again", name),
          {}};
}

base::Error no_job(const std::string& stack, const std::string& name) {
  return {base::Code::kNotFound, fmt::format("there is no job {}/{}: see `orchion job ls`", stack, name), {}};
}

base::Error no_network(const std::string& stack, const std::string& name) {
  return {base::Code::kNotFound, fmt::format("there is no network {}/{}: see `orchion network ls`", stack, name), {}};
}

v1::NamedService* find_service(v1::StackSpec& spec, const std::string& name) {
  for (auto& service : *spec.mutable_services()) {
    if (service.name() == name) return &service;
  }
  return nullptr;
}

v1::NamedJob* find_job(v1::StackSpec& spec, const std::string& name) {
  for (auto& job : *spec.mutable_jobs()) {
    if (job.name() == name) return &job;
  }
  return nullptr;
}

v1::NamedNetwork* find_network(v1::StackSpec& spec, const std::string& name) {
  for (auto& network : *spec.mutable_networks()) {
    if (network.name() == name) return &network;
  }
  return nullptr;
}

base::Co<> StackManifests::write_beside(store::Transaction transaction, IdempotentCall idempotent) {
  records_.add(idempotent, transaction);
  CO_RETURN_IF_ERROR(co_await context_.objects.commit(std::move(transaction)));
  co_return base::Result<>{};
}

base::Co<v1::Stack> StackManifests::write(v1::Stack stack, bool is_new, IdempotentCall idempotent) {
  return commit({}, std::move(stack), is_new, std::move(idempotent));
}

base::Co<v1::Stack> StackManifests::write_with(v1::NamedService service, v1::Stack stack, bool is_new,
                                               IdempotentCall idempotent) {
  v1::Service made;
  *made.mutable_meta() = core::owned_meta(stack.meta().name(), service.name(), base::new_uid(context_.random),
                                          context_.clock.wall(), core::kServiceFinalizer);
  made.mutable_meta()->set_changed_by(stack.meta().changed_by());
  *made.mutable_spec() = service.spec();
  store::Transaction transaction;
  store::create(transaction, made);
  return commit(std::move(transaction), std::move(stack), is_new, std::move(idempotent));
}

base::Co<v1::Stack> StackManifests::commit(store::Transaction transaction, v1::Stack stack, bool is_new,
                                           IdempotentCall idempotent) {
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
  if (!committed && committed.error().code == base::Code::kAborted) co_return std::unexpected(stack_moved(name));
  if (!committed) co_return std::unexpected(committed.error());
  stack.mutable_meta()->set_revision(*committed);
  co_return stack;
}

}  // namespace orchion::control::services
