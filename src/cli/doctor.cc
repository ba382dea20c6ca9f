#include "cli/doctor.h"

#include <algorithm>
#include <iostream>
#include <map>

#include <fmt/core.h>
#include <google/protobuf/empty.pb.h>
#include <unistd.h>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "cli/bundle.h"
#include "cli/host_checks.h"
#include "cli/output.h"
#include "client/contexts.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

Finding check_server(Context& context) {
  auto api = context.api();
  if (!api) return {false, api.error().message};
  auto info =
      context.run((*api)->call<v1::ServerInfo>("orchion.v1.ServerService.GetServer", google::protobuf::Empty()));
  if (!info) return {false, info.error().message};
  return {true, fmt::format("a server answers at {}: orchion {}", (*api)->connection().description, info->version())};
}

Host this_host(const Context& context) {
  const auto& settings = context.options().connection;
  Host host;
  host.data = client::data_folder(settings);
  host.is_root = ::geteuid() == 0;
  host.token_files.push_back(host.data / "admin-token");
  if (settings.token_file) host.token_files.emplace_back(*settings.token_file);
  if (const auto contexts = client::read_contexts(client::contexts_file()))
    for (const auto& each : contexts->all)
      if (!each.token_file.empty()) host.token_files.emplace_back(each.token_file);
  return host;
}

std::string findings_json(const std::vector<Finding>& findings) {
  boost::json::array all;
  for (const auto& finding : findings) all.push_back({{"good", finding.good}, {"text", finding.text}});
  return boost::json::serialize(boost::json::object{{"findings", std::move(all)}});
}

// What the API prints of each kind; of one that it doesn't give, why not.
std::map<std::string, std::string> ask_server(Context& context) {
  std::map<std::string, std::string> files;
  auto api = context.api();
  if (!api) return files;
  const auto ask = [&](const std::string& name, const std::string& method,
                       std::shared_ptr<const google::protobuf::Message> request) {
    auto json = context.run((*api)->call_json("orchion.v1." + method, std::move(request)));
    files[name] = (json ? redacted(*json) : json.error().message) + "\n";
  };
  auto tasks = std::make_shared<v1::ListTasksRequest>();
  tasks->set_all(true);
  ask("server.json", "ServerService.GetServer", std::make_shared<google::protobuf::Empty>());
  ask("nodes.json", "NodeService.ListNodes", std::make_shared<v1::ListNodesRequest>());
  ask("stacks.json", "StackService.ListStacks", std::make_shared<v1::ListStacksRequest>());
  ask("services.json", "ServiceService.ListServices", std::make_shared<v1::ListServicesRequest>());
  ask("tasks.json", "TaskService.ListTasks", std::move(tasks));
  ask("events.json", "EventService.ListEvents", std::make_shared<v1::ListEventsRequest>());
  return files;
}

}  // namespace

int run_doctor(Context& context, const std::string& version, const std::string& bundle) {
  std::vector<Finding> findings = {check_server(context)};
  for (auto& finding : check_host(this_host(context))) findings.push_back(std::move(finding));
  const auto text = findings_text(findings);
  int printed = kExitOk;
  if (wants_object(context)) {
    printed = print_list(context, findings_json(findings), "findings");
  } else {
    std::cout << text << std::flush;
  }
  if (!bundle.empty()) {
    auto files = findings.front().good ? ask_server(context) : std::map<std::string, std::string>();
    files["doctor.txt"] = text;
    files["version.txt"] = "orchion " + version + "\n";
    if (auto written = write_bundle(bundle, files); !written) return context.fail(written.error());
    context.say(bundle + " holds this and what the server knows, without secrets; look into it before you pass it on");
  }
  if (printed != kExitOk) return printed;
  return std::ranges::all_of(findings, &Finding::good) ? kExitOk : kExitFailed;
}

}  // namespace orchion::cli
