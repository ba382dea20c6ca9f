#include "control/services/network_service.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <google/protobuf/util/message_differencer.h>

#include "control/services/bind.h"
#include "control/services/network_rules.h"
#include "control/services/standing_service.h"
#include "control/services/view_wait.h"
#include "core/carry_over.h"
#include "core/lifecycle.h"
#include "core/network_validation.h"
#include "core/task_changes.h"
#include "core/validation.h"

namespace orchion::control::services {

namespace {

using base::Code;
using core::NetworkName;

constexpr auto kExpandLimit = std::chrono::seconds(5);
constexpr auto kGoingLimit = std::chrono::seconds(10);

// nullptr where the network doesn't stand yet as this manifest has it, and no later one took its place.
std::shared_ptr<const v1::Network> present_network(const store::View& view, const v1::Stack& manifest,
                                                   const v1::NamedNetwork& wanted) {
  const auto network = view.networks().find(manifest.meta().name(), wanted.name());
  if (!network || core::is_deleted(network->meta())) return nullptr;
  if (google::protobuf::util::MessageDifferencer::Equals(network->spec(), wanted.spec())) return network;
  const auto owner = view.stacks().find(manifest.meta().name());
  return owner && owner->status().observed_generation() >= manifest.meta().generation() ? network : nullptr;
}

// What would stand, for a dry run.
v1::Network imagined(const store::View& view, const NetworkName& name, const v1::NetworkSpec& spec) {
  const auto present = view.networks().find(name.stack, name.name);
  v1::Network network = present ? *present : v1::Network();
  network.mutable_meta()->set_stack(name.stack);
  network.mutable_meta()->set_name(name.name);
  *network.mutable_spec() = spec;
  return network;
}

// What the request says by itself; faults point into it.
base::Result<> validate(const v1::CreateNetworkRequest& request) {
  core::Violations violations;
  core::check_name(request.stack(), "/stack", "stack", violations);
  core::check_name(request.name(), "/name", "network", violations);
  core::check_network(request.spec(), "/spec", violations);
  return core::as_result(fmt::format("the network {}/{}", request.stack(), request.name()), std::move(violations));
}

// A stack that goes with its last network may come again with a new one, and so may a network of the same name.
bool is_settled(const store::View& view, const NetworkName& name) {
  const auto stack = view.stacks().find(name.stack);
  if (stack && core::is_deleted(stack->meta())) return false;
  const auto network = view.networks().find(name.stack, name.name);
  return !network || !core::is_deleted(network->meta());
}

base::Error still_going(const store::View& view, const NetworkName& name) {
  const auto stack = view.stacks().find(name.stack);
  if (stack && core::is_deleted(stack->meta())) return stack_going(name.stack);
  return {
      Code::kFailedPrecondition,
      fmt::format("network {} is being removed: wait until the last task in it is gone, then try again", name.text()),
      {}};
}

void erase_network(v1::StackSpec& spec, const std::string& name) {
  auto& networks = *spec.mutable_networks();
  for (int i = 0; i < networks.size(); ++i) {
    if (networks[i].name() == name) return networks.DeleteSubrange(i, 1);
  }
}

base::Result<> check_removable(const store::View& view, const NetworkName& name, const v1::NamedNetwork* named) {
  const auto users = users_of(view, name);
  if (!users.empty())
    return base::fail(
        Code::kFailedPrecondition,
        fmt::format("network {0} is used by {1}: take each out of it with `orchion network disconnect {0} "
                    "STACK/SERVICE`, or remove it",
                    name.text(), fmt::join(users, ", ")));
  if (named != nullptr && !named->standalone())
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("network {} belongs to the file of stack {}: take it out of that, and run `orchion "
                                  "up` again",
                                  name.text(), name.stack));
  return {};
}

NetworkName network_of_request(const auto& request) {
  return {request.stack(), request.name()};
}

const std::string& stack_of_service(const auto& request) {
  return request.service_stack().empty() ? request.stack() : request.service_stack();
}

// Adds what is missing; what is there stays. Whether anything changed.
base::Result<bool> edit(const v1::ConnectNetworkRequest& request, const std::string& stack,
                        v1::ContainerSpec& container) {
  const auto network = network_of_request(request);
  if (container.network_mode() != v1::IN_NETWORKS)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("service {}/{} has a network mode, which goes without networks: take `network_mode` "
                                  "out of its file first",
                                  stack, request.service()));
  auto* attachment = core::find_attachment(stack, container, network);
  const bool is_new = attachment == nullptr;
  if (is_new) {
    attachment = container.add_networks();
    attachment->set_network(core::attachment_name(stack, network));
  }
  std::set<std::string> known(attachment->aliases().begin(), attachment->aliases().end());
  const auto before = known.size();
  for (const auto& alias : request.aliases())
    if (known.insert(alias).second) attachment->add_aliases(alias);
  return is_new || known.size() != before;
}

base::Result<bool> edit(const v1::DisconnectNetworkRequest& request, const std::string& stack,
                        v1::ContainerSpec& container) {
  const auto network = network_of_request(request);
  auto* attachment = core::find_attachment(stack, container, network);
  if (attachment == nullptr)
    return base::fail(Code::kNotFound, fmt::format("service {}/{} isn't in network {}: `orchion network inspect {}` "
                                                   "says who is",
                                                   stack, request.service(), network.text(), network.text()));
  auto& networks = *container.mutable_networks();
  if (networks.size() == 1)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("service {}/{} is in no network but {}: connect it to another first, or write "
                                  "`network_mode: none` in its file",
                                  stack, request.service(), network.text()));
  networks.erase(std::find_if(networks.begin(), networks.end(),
                              [&](const v1::NetworkAttachment& one) { return &one == attachment; }));
  return true;
}

const google::protobuf::RepeatedPtrField<std::string>& aliases_of(const v1::ConnectNetworkRequest& request) {
  return request.aliases();
}

const google::protobuf::RepeatedPtrField<std::string>& aliases_of(const v1::DisconnectNetworkRequest&) {
  static const google::protobuf::RepeatedPtrField<std::string> none;
  return none;
}

// What the request says by itself; faults point into it.
base::Result<> validate(const auto& request) {
  core::Violations violations;
  core::check_name(request.service(), "/service", "service", violations);
  core::check_aliases(aliases_of(request), "/aliases", violations);
  return core::as_result("the request", std::move(violations));
}

// Who is in a network that is gone may leave it.
base::Result<> check_network(const store::View&, const v1::DisconnectNetworkRequest&) {
  return {};
}

base::Result<> check_network(const store::View& view, const v1::ConnectNetworkRequest& request) {
  if (is_network(view, network_of_request(request))) return {};
  return std::unexpected(no_network(request.stack(), request.name()));
}

}  // namespace

base::Co<v1::Network> NetworkService::create(core::CallContext call, v1::CreateNetworkRequest request) {
  return manifests_->once<v1::Network>(
      std::move(call), std::move(request),
      [this](core::CallContext same_call, v1::CreateNetworkRequest wanted, IdempotentCall same) {
        return insist<v1::Network>([this, same_call, wanted, same] { return create_once(same_call, wanted, same); });
      });
}

base::Co<v1::Network> NetworkService::create_once(core::CallContext call, v1::CreateNetworkRequest request,
                                                  IdempotentCall idempotent) {
  const auto name = network_of_request(request);
  CO_RETURN_IF_ERROR(validate(request));
  auto settled = [this, name] { return is_settled(context_.objects.view(), name); };
  const auto waited = co_await wait_for_view(context_, settled, kGoingLimit, "removing what was there");
  if (!waited) co_return std::unexpected(still_going(context_.objects.view(), name));
  const auto present = context_.objects.view().stacks().find(name.stack);
  v1::Stack stack = present ? *present : v1::Stack();
  stack.mutable_meta()->set_name(name.stack);
  stack.mutable_meta()->set_changed_by(core::user_actor(call.identity));
  const bool is_there = find_network(*stack.mutable_spec(), name.name) != nullptr;
  if (idempotent.done && !is_there) co_return std::unexpected(no_network(name.stack, name.name));
  if (idempotent.done) co_return co_await standing(std::move(stack), name.name);
  if (is_there) co_return base::fail(Code::kAlreadyExists, fmt::format("there is a network {} already", name.text()));
  CO_RETURN_IF_ERROR(check_new_network(context_.objects.view(), name, request.spec()));
  if (request.dry_run()) co_return imagined(context_.objects.view(), name, request.spec());
  auto& added = *stack.mutable_spec()->add_networks();
  added.set_name(name.name);
  added.set_standalone(true);
  *added.mutable_spec() = request.spec();
  CO_RETURN_IF_ERROR(core::validate_stack(name.stack, stack.spec()));
  CO_ASSIGN_OR_RETURN(auto written, co_await manifests_->write(std::move(stack), !present, std::move(idempotent)));
  co_return co_await standing(std::move(written), name.name);
}

base::Co<v1::Network> NetworkService::remove(core::CallContext call, v1::DeleteNetworkRequest request) {
  return insist<v1::Network>([this, call, request] { return remove_once(call, request); });
}

base::Co<v1::Network> NetworkService::remove_once(core::CallContext call, v1::DeleteNetworkRequest request) {
  const auto name = network_of_request(request);
  const auto& view = context_.objects.view();
  const auto network = view.networks().find(name.stack, name.name);
  const auto present = view.stacks().find(name.stack);
  v1::Stack stack = present ? *present : v1::Stack();
  const auto* named = find_network(*stack.mutable_spec(), name.name);
  if (!network && named == nullptr) co_return std::unexpected(no_network(name.stack, name.name));
  if (call.if_match && (!network || network->meta().revision() != *call.if_match))
    co_return base::fail(Code::kAborted,
                         fmt::format("network {} was changed by somebody else meanwhile: read it again", name.text()));
  CO_RETURN_IF_ERROR(check_removable(view, name, named));
  v1::Network going = imagined(view, name, named != nullptr ? named->spec() : network->spec());
  core::mark_deleted(*going.mutable_meta(), context_.clock.wall());
  // What no manifest names goes already.
  if (request.dry_run() || named == nullptr || core::is_deleted(stack.meta())) co_return going;
  erase_network(*stack.mutable_spec(), name.name);
  stack.mutable_meta()->set_changed_by(core::user_actor(call.identity));
  if (core::is_empty(stack.spec())) core::mark_deleted(*stack.mutable_meta(), context_.clock.wall());
  IdempotentCall without_key;
  CO_RETURN_IF_ERROR(co_await manifests_->write(std::move(stack), false, std::move(without_key)));
  auto left = [this, uid = going.meta().uid(), name] {
    const auto there = context_.objects.view().networks().find(name.stack, name.name);
    return !there || there->meta().uid() != uid || core::is_deleted(there->meta());
  };
  CO_RETURN_IF_ERROR(co_await wait_for_view(context_, std::move(left), kExpandLimit, "taking the network away"));
  co_return going;
}

base::Co<v1::Service> NetworkService::connect(core::CallContext call, v1::ConnectNetworkRequest request) {
  return change(std::move(call), std::move(request));
}

base::Co<v1::Service> NetworkService::disconnect(core::CallContext call, v1::DisconnectNetworkRequest request) {
  return change(std::move(call), std::move(request));
}

template <class Request>
base::Co<v1::Service> NetworkService::change(core::CallContext call, Request request) {
  return manifests_->once<v1::Service>(
      std::move(call), std::move(request), [this](core::CallContext same_call, Request wanted, IdempotentCall same) {
        return insist<v1::Service>([this, same_call, wanted, same] { return change_once(same_call, wanted, same); });
      });
}

template <class Request>
base::Co<v1::Service> NetworkService::change_once(core::CallContext call, Request request, IdempotentCall idempotent) {
  CO_RETURN_IF_ERROR(validate(request));
  const auto& view = context_.objects.view();
  const auto owner = stack_of_service(request);
  const auto present = view.stacks().find(owner);
  if (!present) co_return std::unexpected(no_stack(owner));
  v1::Stack stack = *present;
  auto* named = find_service(*stack.mutable_spec(), request.service());
  if (named == nullptr) co_return std::unexpected(no_service(owner, request.service()));
  if (core::is_deleted(stack.meta())) co_return std::unexpected(stack_going(owner));
  if (idempotent.done) co_return co_await standing_service(context_, std::move(stack), request.service());
  CO_RETURN_IF_ERROR(check_network(view, request));
  CO_ASSIGN_OR_RETURN(const bool changed, edit(request, owner, *named->mutable_spec()->mutable_container()));
  CO_RETURN_IF_ERROR(core::validate_stack(owner, stack.spec()));
  if (request.dry_run()) co_return imagined_service(view, owner, *named);
  if (!changed) co_return co_await standing_service(context_, std::move(stack), request.service());
  stack.mutable_meta()->set_changed_by(core::user_actor(call.identity));
  CO_ASSIGN_OR_RETURN(auto written, co_await manifests_->write(std::move(stack), false, std::move(idempotent)));
  co_return co_await standing_service(context_, std::move(written), request.service());
}

// The network as the stack controller made it from that manifest.
base::Co<v1::Network> NetworkService::standing(v1::Stack stack, std::string name) {
  const v1::NamedNetwork wanted = *find_network(*stack.mutable_spec(), name);
  std::shared_ptr<const v1::Network> network;
  auto stands = [&] {
    network = present_network(context_.objects.view(), stack, wanted);
    return network != nullptr;
  };
  CO_RETURN_IF_ERROR(
      co_await wait_for_view(context_, std::move(stands), kExpandLimit, "making the network from the stack"));
  co_return *network;
}

void add_network_service(core::MethodTable& table, std::shared_ptr<NetworkService> service) {
  const auto bind = binder(service);
  table.unary<v1::CreateNetworkRequest, v1::Network>("orchion.v1.NetworkService.CreateNetwork",
                                                     bind(&NetworkService::create));
  table.unary<v1::DeleteNetworkRequest, v1::Network>("orchion.v1.NetworkService.DeleteNetwork",
                                                     bind(&NetworkService::remove));
  table.unary<v1::ConnectNetworkRequest, v1::Service>("orchion.v1.NetworkService.ConnectNetwork",
                                                      bind(&NetworkService::connect));
  table.unary<v1::DisconnectNetworkRequest, v1::Service>("orchion.v1.NetworkService.DisconnectNetwork",
                                                         bind(&NetworkService::disconnect));
}

}  // namespace orchion::control::services
