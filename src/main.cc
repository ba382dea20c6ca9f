// Wires the command line to the parts that run in this process; no logic.

#include <cstdlib>
#include <iostream>

#include <boost/asio/io_context.hpp>

#include "base/log.h"
#include "cli/cli.h"
#include "daemon/background.h"
#include "daemon/folders.h"
#include "daemon/server_daemon.h"
#include "daemon/version.h"
#include "v1/control.pb.h"

namespace {

using namespace orchion;

base::log::Level log_level(const std::string& name) {
  if (name == "debug") return base::log::Level::kDebug;
  if (name == "warn") return base::log::Level::kWarn;
  return name == "error" ? base::log::Level::kError : base::log::Level::kInfo;
}

base::Result<> start_server(const client::ConnectionSettings& settings) {
  const auto data = std::filesystem::absolute(client::data_folder(settings));
  return daemon::start_in_background(data, {"server", "--data", data.string()});
}

// Whether one answers on the socket of this data folder.
bool answers(cli::Context& context) {
  auto api = context.api();
  if (!api) return false;
  return context.run((*api)->call<v1::ServerInfo>("orchion.v1.ServerService.GetServer", google::protobuf::Empty()))
      .has_value();
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
    auto started = daemon::start_in_background(data, std::move(arguments));
    return started ? cli::kExitOk : context.fail(started.error());
  }
  base::log::set_level(log_level(flags.log_level));
  const daemon::ServerOptions options{.data = data,
                                      .http = flags.http,
                                      .grpc = flags.grpc,
                                      .agent = !flags.no_agent,
                                      .heartbeat = std::chrono::seconds(flags.heartbeat_seconds),
                                      .node_lost_after = std::chrono::seconds(flags.lost_seconds)};
  auto served = daemon::run_server(options, [] { daemon::tell_ready(); });
  return served ? cli::kExitOk : context.fail(served.error());
}

int run_agent(cli::Context& context, const cli::AgentFlags& flags) {
  base::log::set_level(log_level(flags.log_level));
  const auto& settings = context.options().connection;
  auto connection = client::find_connection(settings);
  if (!connection) return context.fail(connection.error());
  if (connection->endpoint.transport != wire::Transport::kTcp)
    return context.fail({base::Code::kInvalidArgument,
                         "which server? Name its gRPC address with --server, like http://127.0.0.1:4601",
                         {}});
  daemon::AgentOptions options{.data = std::filesystem::absolute(client::data_folder(settings)),
                               .server = connection->endpoint.host + ":" + std::to_string(connection->endpoint.port),
                               .token = connection->token,
                               .hostname = flags.hostname,
                               .labels = {}};
  for (const auto& label : flags.labels) {
    const auto equals = label.find('=');
    options.labels[label.substr(0, equals)] = equals == std::string::npos ? "" : label.substr(equals + 1);
  }
  auto served = daemon::run_agent(options);
  return served ? cli::kExitOk : context.fail(served.error());
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_cli(
      argc, argv,
      {.version = daemon::kVersion, .start_server = start_server, .server = run_server, .agent = run_agent});
}
