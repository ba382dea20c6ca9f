#include "cli/network_policy.h"

#include <charconv>
#include <iostream>
#include <map>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/list.h"
#include "cli/target.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

constexpr const char* kService = "orchion.v1.NetworkPolicyService.";

std::string about_text(const v1::NetworkPolicySpec& spec) {
  const std::map<std::string, std::string> labels(spec.labels().begin(), spec.labels().end());
  std::vector<std::string> parts;
  parts.push_back(spec.service().empty() ? "all" : spec.service());
  for (const auto& [name, value] : labels) parts.push_back(fmt::format("{}={}", name, value));
  return fmt::format("{}", fmt::join(parts, " "));
}

std::string rules_text(bool holds, int rules) {
  if (!holds) return "open";
  return rules == 0 ? "refuses all" : fmt::format("{} rule{}", rules, rules == 1 ? "" : "s");
}

Row policy_row(const v1::NetworkPolicy& policy, base::WallTime now) {
  const auto name = fmt::format("{}/{}", policy.meta().stack(), policy.meta().name());
  const auto& spec = policy.spec();
  return {name,
          {name, about_text(spec), rules_text(spec.ingress(), spec.from_size()),
           rules_text(spec.egress(), spec.to_size()), age_of(policy.meta().created_at(), now)},
          {policy.meta().uid()}};
}

// "STACK/NAME" as it is; NAME with the stack that --stack or the working folder says.
base::Result<std::string> with_stack(Context& context, const std::string& what) {
  if (what.find('/') != std::string::npos) return what;
  ASSIGN_OR_RETURN(const auto stack, find_stack(context));
  return fmt::format("{}/{}", stack, what);
}

// Addresses and names of hosts have a dot or a colon; names of services have none.
base::Result<std::string> end_of(Context& context, const std::string& what) {
  if (what.find_first_of(".:") != std::string::npos) return what;
  return with_stack(context, what);
}

base::Result<> parse_port(const std::string& text, v1::TestNetworkPoliciesRequest& request) {
  const auto slash = text.find('/');
  const auto protocol = slash == std::string::npos ? "tcp" : text.substr(slash + 1);
  std::uint32_t port = 0;
  const char* const last = text.data() + std::min(slash, text.size());
  const auto [end, error] = std::from_chars(text.data(), last, port);
  if (error != std::errc() || end != last || port == 0 || port > 65535 || (protocol != "tcp" && protocol != "udp"))
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("\"{}\" is no port: write it like 80, 80/tcp or 53/udp", text));
  request.set_port(port);
  request.set_protocol(protocol);
  return {};
}

base::Result<v1::TestNetworkPoliciesRequest> question(Context& context, const PolicyTestOptions& options) {
  v1::TestNetworkPoliciesRequest request;
  RETURN_IF_ERROR(parse_port(options.port, request));
  ASSIGN_OR_RETURN(*request.mutable_from(), end_of(context, options.from));
  ASSIGN_OR_RETURN(*request.mutable_to(), end_of(context, options.to));
  return request;
}

}  // namespace

int run_network_policy_ls(Context& context) {
  v1::ListNetworkPoliciesRequest request;
  request.set_stack(context.options().stack);
  return list_command<v1::ListNetworkPoliciesResponse>(context, fmt::format("{}ListNetworkPolicies", kService), request,
                                                       {"POLICY", "ABOUT", "INGRESS", "EGRESS", "AGE"}, {"UID"},
                                                       [&](const v1::ListNetworkPoliciesResponse& response) {
                                                         std::vector<Row> rows;
                                                         for (const auto& policy : response.network_policies())
                                                           rows.push_back(policy_row(policy, context.clock().wall()));
                                                         return rows;
                                                       });
}

int run_network_policy_inspect(Context& context, const std::string& what) {
  const auto name = with_stack(context, what);
  if (!name) return context.refuse(name.error());
  v1::GetNetworkPolicyRequest request;
  request.set_stack(name->substr(0, name->find('/')));
  request.set_name(name->substr(name->find('/') + 1));
  return object_command(context, fmt::format("{}GetNetworkPolicy", kService), request);
}

int run_network_policy_test(Context& context, const PolicyTestOptions& options) {
  auto request = question(context, options);
  if (!request) return context.refuse(request.error());
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto json = context.run((*api)->call_json(fmt::format("{}TestNetworkPolicies", kService),
                                            std::make_shared<const v1::TestNetworkPoliciesRequest>(*request)));
  if (!json) return context.fail(json.error());
  v1::TestNetworkPoliciesResponse response;
  if (auto parsed = client::parse_json(*json, response); !parsed) return context.fail(parsed.error());
  if (wants_object(context)) {
    if (const int code = print_object(context, *json); code != kExitOk) return code;
  } else {
    std::cout << response.message() << "\n";
  }
  return response.allowed() ? kExitOk : kExitFailed;
}

}  // namespace orchion::cli
