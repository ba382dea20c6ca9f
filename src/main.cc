// Wires the command line to the parts that run in this process; no logic.

#include <cstdlib>
#include <iostream>

#include <boost/asio/io_context.hpp>

#include "base/log.h"
#include "bench/cluster.h"
#include "bench/load.h"
#include "bench/place.h"
#include "cli/cli.h"
#include "daemon/agent_daemon.h"
#include "daemon/background.h"
#include "daemon/folders.h"
#include "daemon/join_client.h"
#include "daemon/server_daemon.h"
#include "daemon/state_file.h"
#include "daemon/version.h"
#include "v1/control.pb.h"

namespace {

using namespace orchion;

base::log::Level log_level(const std::string& name) {
  if (name == "debug") return base::log::Level::kDebug;
  if (name == "warn") return base::log::Level::kWarn;
  return name == "error" ? base::log::Level::kError : base::log::Level::kInfo;
}

std::optional<daemon::IngressOptions> ingress_of(const cli::IngressFlags& flags) {
  if (!flags.on) return std::nullopt;
  return daemon::IngressOptions{.http = flags.http, .https = flags.https};
}

void add_ingress(const cli::IngressFlags& flags, std::vector<std::string>& arguments) {
  if (flags.on)
    arguments.insert(arguments.end(), {"--ingress", "--ingress-http", flags.http, "--ingress-https", flags.https});
}

base::Result<> start_server(const client::ConnectionSettings& settings) {
  const auto data = std::filesystem::absolute(client::data_folder(settings));
  return daemon::start_in_background(data, {"server", "--data", data.string()});
}

void add_mesh(std::vector<std::string>& arguments, const cli::MeshFlags& mesh) {
  if (mesh.on) arguments.insert(arguments.end(), {"--mesh", "--mesh-port", std::to_string(mesh.port)});
}

std::uint16_t mesh_port(const cli::MeshFlags& mesh) {
  return mesh.on ? static_cast<std::uint16_t>(mesh.port) : 0;
}

// Whether one answers on the socket of this data folder.
bool answers(cli::Context& context) {
  auto api = context.api();
  if (!api) return false;
  return context.run((*api)->call<v1::ServerInfo>("orchion.v1.ServerService.GetServer", google::protobuf::Empty()))
      .has_value();
}

daemon::StoreOptions store_of(const cli::StoreFlags& flags) {
  return {.address = flags.address,
          .authority = flags.authority,
          .certificate = flags.certificate,
          .key = flags.key,
          .user = flags.user,
          .password_file = flags.password_file};
}

void add_store(const cli::StoreFlags& flags, std::vector<std::string>& arguments) {
  const std::pair<const char*, std::string> given[] = {
      {"--store", flags.address}, {"--store-ca", flags.authority}, {"--store-cert", flags.certificate},
      {"--store-key", flags.key}, {"--store-user", flags.user},    {"--store-password-file", flags.password_file}};
  for (const auto& [name, value] : given)
    if (!value.empty()) arguments.insert(arguments.end(), {name, value});
}

int run_server(cli::Context& context, const cli::ServerFlags& flags) {
  const auto data = std::filesystem::absolute(client::data_folder(context.options().connection));
  if (flags.stop) {
    auto stopped = daemon::stop_server(data);
    return stopped ? cli::kExitOk : context.fail(stopped.error());
  }
  if (flags.background) {
    if (answers(context)) return cli::kExitOk;
    std::vector<std::string> arguments = {"server",
                                          "--data",
                                          data.string(),
                                          "--http",
                                          flags.http,
                                          "--grpc",
                                          flags.grpc,
                                          "--log-level",
                                          flags.log_level,
                                          "--heartbeat",
                                          std::to_string(flags.heartbeat_seconds),
                                          "--node-lost-after",
                                          std::to_string(flags.lost_seconds)};
    if (flags.no_agent) arguments.push_back("--no-agent");
    if (flags.rebalance) arguments.push_back("--rebalance");
    if (!flags.executor.empty()) arguments.insert(arguments.end(), {"--executor", flags.executor});
    if (!flags.advertise.empty()) arguments.insert(arguments.end(), {"--advertise", flags.advertise});
    if (!flags.nodes.empty()) arguments.insert(arguments.end(), {"--nodes", flags.nodes});
    if (!flags.name.empty()) arguments.insert(arguments.end(), {"--name", flags.name});
    add_store(flags.store, arguments);
    add_mesh(arguments, flags.mesh);
    add_ingress(flags.ingress, arguments);
    auto started = daemon::start_in_background(data, std::move(arguments));
    return started ? cli::kExitOk : context.fail(started.error());
  }
  base::log::set_level(log_level(flags.log_level));
  const daemon::ServerOptions options{.data = data,
                                      .http = flags.http,
                                      .grpc = flags.grpc,
                                      .advertise = flags.advertise,
                                      .nodes = flags.nodes,
                                      .mesh_port = mesh_port(flags.mesh),
                                      .store = store_of(flags.store),
                                      .name = flags.name,
                                      .agent = !flags.no_agent,
                                      .executor = flags.executor,
                                      .ingress = ingress_of(flags.ingress),
                                      .heartbeat = std::chrono::seconds(flags.heartbeat_seconds),
                                      .node_lost_after = std::chrono::seconds(flags.lost_seconds),
                                      .rebalance = flags.rebalance};
  auto served = daemon::run_server(options, [] { daemon::tell_ready(); });
  return served ? cli::kExitOk : context.refuse(served.error());
}

std::map<std::string, std::string> labels_of(const cli::AgentFlags& flags) {
  std::map<std::string, std::string> labels;
  for (const auto& label : flags.labels) {
    const auto equals = label.find('=');
    labels[label.substr(0, equals)] = equals == std::string::npos ? "" : label.substr(equals + 1);
  }
  return labels;
}

std::filesystem::path data_of(const cli::Context& context) {
  return std::filesystem::absolute(client::data_folder(context.options().connection));
}

int start_agent(cli::Context& context, const cli::AgentFlags& flags) {
  const auto data = data_of(context);
  std::vector<std::string> arguments = {"agent", "--data", data.string(), "--log-level", flags.log_level};
  if (!flags.hostname.empty()) arguments.insert(arguments.end(), {"--hostname", flags.hostname});
  if (!flags.advertise.empty()) arguments.insert(arguments.end(), {"--advertise", flags.advertise});
  if (!flags.executor.empty()) arguments.insert(arguments.end(), {"--executor", flags.executor});
  add_mesh(arguments, flags.mesh);
  for (const auto& label : flags.labels) arguments.insert(arguments.end(), {"--label", label});
  add_ingress(flags.ingress, arguments);
  auto started = daemon::start_in_background(data, std::move(arguments));
  return started ? cli::kExitOk : context.fail(started.error());
}

int serve_agent(cli::Context& context, const cli::AgentFlags& flags, daemon::AgentOptions options) {
  base::log::set_level(log_level(flags.log_level));
  options.data = data_of(context);
  options.hostname = flags.hostname;
  options.labels = labels_of(flags);
  options.advertise = flags.advertise;
  options.mesh_port = mesh_port(flags.mesh);
  options.executor = flags.executor;
  options.ingress = ingress_of(flags.ingress);
  auto served = daemon::run_agent(options, [] { daemon::tell_ready(); });
  return served ? cli::kExitOk : context.refuse(served.error());
}

int run_agent(cli::Context& context, const cli::AgentFlags& flags) {
  if (flags.stop) {
    auto stopped = daemon::stop_server(data_of(context));
    return stopped ? cli::kExitOk : context.fail(stopped.error());
  }
  if (flags.background) return start_agent(context, flags);
  daemon::AgentOptions options;
  auto connection = client::find_connection(context.options().connection);
  if (!connection) return context.fail(connection.error());
  // No server was named: that of the cluster this machine joined.
  if (connection->endpoint.transport == wire::Transport::kTcp) {
    options.server = connection->endpoint.host + ":" + std::to_string(connection->endpoint.port);
    options.token = connection->token;
  }
  return serve_agent(context, flags, std::move(options));
}

daemon::StateFile state_file_of(const cli::Context& context, const cli::StateFileFlags& flags) {
  return {.file = flags.file, .data = data_of(context), .store = store_of(flags.store)};
}

int fill_store(cli::Context& context, const cli::StateFileFlags& flags, daemon::Tokens tokens) {
  const auto filled = daemon::restore_state(state_file_of(context, flags), tokens);
  if (!filled) return context.refuse(filled.error());
  context.say(*filled);
  return cli::kExitOk;
}

int restore(cli::Context& context, const cli::StateFileFlags& flags) {
  return fill_store(context, flags, daemon::Tokens::kVoid);
}

int import_store(cli::Context& context, const cli::StateFileFlags& flags) {
  return fill_store(context, flags, daemon::Tokens::kKept);
}

int export_store(cli::Context& context, const cli::StateFileFlags& flags) {
  const auto exported = daemon::export_state(state_file_of(context, flags));
  if (!exported) return context.refuse(exported.error());
  context.say(*exported);
  return cli::kExitOk;
}

int run_join(cli::Context& context, const cli::JoinFlags& flags) {
  daemon::JoinOptions options;
  options.data = data_of(context);
  options.server = flags.server;
  options.token = flags.token;
  options.hostname = flags.agent.hostname;
  options.labels = labels_of(flags.agent);
  options.advertise = flags.agent.advertise;
  options.mesh_port = mesh_port(flags.agent.mesh);
  const auto joined = daemon::join_cluster(options);
  if (!joined) return context.refuse(joined.error());
  context.say("this machine is now the node " + joined->name);
  if (flags.foreground) return serve_agent(context, flags.agent, {});
  const int started = start_agent(context, flags.agent);
  if (started == cli::kExitOk) context.say("its agent runs in the background; `orchion agent --stop` ends it");
  return started;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_cli(argc, argv,
                      {.version = daemon::kVersion,
                       .start_server = start_server,
                       .server = run_server,
                       .agent = run_agent,
                       .join = run_join,
                       .restore = restore,
                       .export_store = export_store,
                       .import_store = import_store,
                       .bench_place = bench::run_bench_place,
                       .bench_cluster = bench::run_bench_cluster,
                       .bench_load = bench::run_bench_load});
}
