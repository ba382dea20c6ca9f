#include "control/services/standing_service.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include <google/protobuf/util/message_differencer.h>

#include "control/services/stack_manifests.h"
#include "control/services/view_wait.h"
#include "core/lifecycle.h"

namespace orchion::control::services {

namespace {

constexpr auto kExpandLimit = std::chrono::seconds(5);

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

v1::Service imagined_service(const store::View& view, const std::string& stack, const v1::NamedService& named) {
  const auto present = view.services().find(stack, named.name());
  v1::Service service = present ? *present : v1::Service();
  service.mutable_meta()->set_stack(stack);
  service.mutable_meta()->set_name(named.name());
  *service.mutable_spec() = named.spec();
  return service;
}

base::Co<v1::Service> standing_service(ServiceContext context, v1::Stack stack, std::string name) {
  const v1::NamedService wanted = *find_service(*stack.mutable_spec(), name);
  std::shared_ptr<const v1::Service> service;
  auto stands = [&] {
    service = present_service(context.objects.view(), stack, wanted);
    return service != nullptr;
  };
  CO_RETURN_IF_ERROR(
      co_await wait_for_view(context, std::move(stands), kExpandLimit, "making the service from the stack"));
  co_return *service;
}

}  // namespace orchion::control::services
