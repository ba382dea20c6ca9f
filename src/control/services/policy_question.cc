#include "control/services/policy_question.h"

#include <algorithm>
#include <optional>

#include <fmt/core.h>

#include "control/services/policy_feed.h"
#include "core/naming.h"
#include "core/network_policy.h"
#include "core/policy_labels.h"
#include "core/shared_network.h"

namespace orchion::control::services {

namespace {

using Kind = core::PolicyEnd::Kind;

// One end of what was asked.
struct End {
  core::PolicyEnd end;
  v1::ContainerSpec container;        // of a task
  std::vector<std::string> networks;  // "STACK/NAME", likewise

  bool is_task() const { return end.kind == Kind::kTask; }
  std::string text() const { return end.text(); }
};

base::Error invalid(std::string_view field, std::string detail) {
  return {base::Code::kInvalidArgument, detail, {{fmt::format("/{}", field), detail}}};
}

End program(const std::string& stack, const std::string& name, const v1::ServiceSpec& spec) {
  End out;
  const auto labels = core::policy_labels(spec);
  out.end.task = {stack, name, {labels.begin(), labels.end()}};
  out.container = spec.container();
  for (const auto& attachment : spec.container().networks()) {
    const bool elsewhere = attachment.network().find('/') != std::string::npos;
    out.networks.push_back(elsewhere ? attachment.network() : fmt::format("{}/{}", stack, attachment.network()));
  }
  return out;
}

// One that shares another's network is spoken of as that one: their packets look alike.
std::optional<End> find_program(const store::View& view, const std::string& stack, const std::string& name) {
  if (const auto service = view.services().find(stack, name)) {
    const auto& container = service->spec().container();
    const auto owner =
        core::shares_network(container) ? view.services().find(stack, container.network_service()) : nullptr;
    return owner ? program(stack, owner->meta().name(), owner->spec()) : program(stack, name, service->spec());
  }
  const auto job = view.jobs().find(stack, name);
  if (!job) return std::nullopt;
  v1::ServiceSpec spec;
  *spec.mutable_container() = job->spec().container();
  *spec.mutable_labels() = job->spec().labels();
  return program(stack, name, spec);
}

template <class Addresses>
bool has_address(const Addresses& addresses, const std::string& text) {
  return std::ranges::any_of(addresses,
                             [&](const auto& one) { return one.address() == text || one.address6() == text; });
}

// The program whose task, or virtual address, it is.
std::optional<End> find_by_address(const store::View& view, const std::string& text) {
  for (const auto& [name, service] : view.services().all())
    if (has_address(service->status().virtual_addresses(), text))
      return program(name.stack, name.name, service->spec());
  for (const auto& [name, task] : view.tasks().all()) {
    if (!has_address(task->spec().assignment().addresses(), text)) continue;
    if (task->spec().run().empty()) return find_program(view, name.stack, task->spec().service());
    const auto run = view.runs().find(name.stack, task->spec().run());
    if (run) return find_program(view, name.stack, run->spec().job());
  }
  return std::nullopt;
}

base::Result<End> find_end(const store::View& view, std::string_view field, const std::string& text) {
  End out;
  if (const auto slash = text.find('/'); slash != std::string::npos) {
    if (auto found = find_program(view, text.substr(0, slash), text.substr(slash + 1))) return *std::move(found);
    return base::fail(base::Code::kNotFound,
                      fmt::format("there is no service or job {}: see `orchion ps` and `orchion job ls`", text));
  }
  if (const auto address = core::parse_ip_address(text)) {
    if (auto found = find_by_address(view, address->text())) return *std::move(found);
    out.end = {.kind = Kind::kAddress, .task = {}, .address = *address, .name = {}};
    return out;
  }
  if (!core::is_dns_name(text) || text.find('.') == std::string::npos)
    return std::unexpected(
        invalid(field, fmt::format("\"{}\" is neither STACK/SERVICE nor an address nor the name of a "
                                   "host outside: write it like shop/web, 192.0.2.7 or "
                                   "api.example.com",
                                   text)));
  if (field == "from")
    return std::unexpected(invalid(field, "who comes in is known by address, not by name: write its address"));
  out.end = {.kind = Kind::kName, .task = {}, .address = {}, .name = text};
  return out;
}

base::Result<> check(const v1::TestNetworkPoliciesRequest& request) {
  if (request.port() == 0 || request.port() > 65535) return std::unexpected(invalid("port", "must be 1 to 65535"));
  const auto& protocol = request.protocol();
  if (!protocol.empty() && protocol != "tcp" && protocol != "udp")
    return std::unexpected(invalid("protocol", fmt::format("\"{}\" is neither tcp nor udp", protocol)));
  return {};
}

bool is_published(const v1::ContainerSpec& container, const core::PolicyQuestion& question) {
  return std::ranges::any_of(container.ports(), [&](const v1::PortMapping& port) {
    return port.container_port() == question.port && (port.protocol() == "udp") == question.udp;
  });
}

bool all_internal(const store::View& view, const std::vector<std::string>& networks) {
  return !networks.empty() && std::ranges::all_of(networks, [&](const std::string& name) {
    const auto slash = name.find('/');
    const auto network = view.networks().find(name.substr(0, slash), name.substr(slash + 1));
    return network && network->spec().internal();
  });
}

std::string shared_network(const End& from, const End& to) {
  const auto shared = std::ranges::find_first_of(from.networks, to.networks);
  return shared == from.networks.end() ? "" : *shared;
}

// Why there is no way at all, whatever policies say; "": there is one.
std::string no_way(const store::View& view, const End& from, const End& to, const core::PolicyQuestion& question) {
  for (const auto* end : {&from, &to})
    if (end->is_task() && end->container.network_mode() == v1::NO_NETWORK)
      return fmt::format("{} is in no network: its network_mode is none", end->text());
  if (from.is_task() && to.is_task() && shared_network(from, to).empty())
    return fmt::format("{} and {} share no network: put both into one", from.text(), to.text());
  if (!to.is_task() && all_internal(view, from.networks))
    return fmt::format("{} is in internal networks only, which have no way out", from.text());
  if (!from.is_task() && !is_published(to.container, question))
    return fmt::format("{} doesn't publish its port {}/{}, and from outside nothing else is reached", to.text(),
                       question.port, question.udp ? "udp" : "tcp");
  return "";
}

}  // namespace

base::Result<v1::TestNetworkPoliciesResponse> answer_policy_question(const store::View& view,
                                                                     const v1::TestNetworkPoliciesRequest& request) {
  RETURN_IF_ERROR(check(request));
  ASSIGN_OR_RETURN(const auto from, find_end(view, "from", request.from()));
  ASSIGN_OR_RETURN(const auto to, find_end(view, "to", request.to()));
  if (!from.is_task() && !to.is_task())
    return std::unexpected(
        invalid("to", fmt::format("neither {} nor {} is here: name a service as one of both", from.text(), to.text())));
  const core::PolicyQuestion question{from.end, to.end, request.port(), request.protocol() == "udp"};
  v1::TestNetworkPoliciesResponse response;
  for (const auto* end : {&from, &to})
    if (end->is_task() && end->container.network_mode() == v1::HOST_NETWORK) {
      response.set_allowed(true);
      response.set_message(
          fmt::format("allowed: {} uses its machine's own network, where no policy holds", end->text()));
      return response;
    }
  if (from.is_task() && to.is_task()) response.set_network(shared_network(from, to));
  if (const auto why = no_way(view, from, to, question); !why.empty()) {
    response.set_message("refused: " + why);
    return response;
  }
  const auto policies = policies_of(view);
  const auto verdict = core::evaluate(question, {policies.policies().begin(), policies.policies().end()});
  response.set_allowed(verdict.allowed);
  response.set_message(verdict.message);
  for (const auto& policy : verdict.policies) response.add_policies(policy);
  return response;
}

}  // namespace orchion::control::services
