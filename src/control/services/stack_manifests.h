#pragma once

#include <string>
#include <utility>

#include "control/services/context.h"
#include "control/services/idempotency.h"
#include "core/methods.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// How a stack's manifest is written: every write of a stack, or of a service, job or network in it, is one of its
// manifest, in one transaction, and done once for an idempotency key. One executor.
class StackManifests {
 public:
  explicit StackManifests(ServiceContext context) : context_(context), records_(context) {}

  // Does `work(call, request, idempotent)` where it isn't done yet; the first answer in any case. A dry run has no
  // effect that could be remembered.
  template <class Response, class Request, class Work>
  base::Co<Response> once(core::CallContext call, Request request, Work work);

  // Stores the manifest as this caller saw it, who is named in its meta.changed_by already; kAborted where somebody
  // else was quicker. The stack as it is then.
  base::Co<v1::Stack> write(v1::Stack stack, bool is_new, IdempotentCall idempotent);

  // The same with the first service of that name in it, in the same transaction, so that nobody has to wait until the
  // stack controller made it from the manifest. There must be no service of that name, not even one that is going.
  base::Co<v1::Stack> write_with(v1::NamedService service, v1::Stack stack, bool is_new, IdempotentCall idempotent);

  // A write of something else, done once likewise.
  base::Co<> write_beside(store::Transaction transaction, IdempotentCall idempotent);

 private:
  base::Co<v1::Stack> commit(store::Transaction transaction, v1::Stack stack, bool is_new, IdempotentCall idempotent);

  ServiceContext context_;
  IdempotencyRecords records_;
};

// Why a write isn't done, each with what to do.
base::Error stack_moved(const std::string& name);
base::Error stack_going(const std::string& name);
base::Error no_stack(const std::string& name);
base::Error no_service(const std::string& stack, const std::string& name);
base::Error no_job(const std::string& stack, const std::string& name);
base::Error no_network(const std::string& stack, const std::string& name);

// nullptr where the manifest doesn't name it.
v1::NamedService* find_service(v1::StackSpec& spec, const std::string& name);
v1::NamedJob* find_job(v1::StackSpec& spec, const std::string& name);
v1::NamedNetwork* find_network(v1::StackSpec& spec, const std::string& name);

template <class Response, class Request, class Work>
base::Co<Response> StackManifests::once(core::CallContext call, Request request, Work work) {
  if (request.dry_run()) call.idempotency_key.reset();
  const std::string what = Request::descriptor()->full_name();
  auto shared = std::make_shared<const Request>(request);
  CO_ASSIGN_OR_RETURN(auto idempotent, co_await records_.begin(call, what, shared));
  if (auto answer = answer_of<Response>(idempotent)) co_return std::move(*answer);
  auto response = co_await work(call, request, idempotent);
  if (!response && call.idempotency_key) {
    // The same call may have been quicker, and in the way of this one.
    CO_ASSIGN_OR_RETURN(idempotent, co_await records_.begin(call, what, shared));
    if (!idempotent.done) co_return std::unexpected(response.error());
    response = co_await work(call, request, idempotent);
  }
  if (response) CO_RETURN_IF_ERROR(co_await records_.remember(std::move(idempotent), response->SerializeAsString()));
  co_return response;
}

}  // namespace orchion::control::services
