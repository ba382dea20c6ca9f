#include <algorithm>
#include <filesystem>

#include <fmt/core.h>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "cli/context_commands.h"
#include "cli/output.h"
#include "cli/suggestion.h"
#include "client/contexts.h"

namespace orchion::cli {

namespace {

base::Result<client::Contexts> read() {
  return client::read_contexts(client::contexts_file());
}

base::Error unknown(const client::Contexts& contexts, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& each : contexts.all) names.push_back(each.name);
  return {base::Code::kNotFound,
          fmt::format("there is no context {}{}", name, suggestion(name, names, ": `orchion context ls` lists them")),
          {}};
}

base::Result<client::NamedServer> make_server(const ContextAddOptions& options,
                                              const std::optional<std::string>& token_file) {
  const auto odd = options.name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
  if (options.name.empty() || odd != std::string::npos)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("`{}` is no name for a context: use letters, digits, - _ and .", options.name));
  if (auto endpoint = wire::Endpoint::parse(options.server); !endpoint) return std::unexpected(endpoint.error());
  client::NamedServer server{options.name, options.server, ""};
  if (!token_file) return server;
  // The folder from which it is read later is another.
  server.token_file = std::filesystem::absolute(*token_file).lexically_normal().string();
  std::error_code error;
  if (!std::filesystem::is_regular_file(server.token_file, error))
    return base::fail(base::Code::kNotFound, fmt::format("there is no file {}: --token-file names the file that holds "
                                                         "the token",
                                                         server.token_file));
  return server;
}

int write(Context& context, const client::Contexts& contexts, const std::string& told) {
  auto written = client::write_contexts(client::contexts_file(), contexts);
  if (!written) return context.fail(written.error());
  context.say(told);
  return kExitOk;
}

}  // namespace

int run_context_ls(Context& context) {
  auto contexts = read();
  if (!contexts) return context.fail(contexts.error());
  const auto format = context.options().output.format;
  const auto json = client::contexts_json(*contexts);
  if (format == OutputFormat::kTemplate) {
    auto printed = print_items(context, json, "contexts");
    return printed ? kExitOk : context.fail(printed.error());
  }
  if (wants_object(context)) return print_object(context, json);
  std::vector<Row> rows;
  for (const auto& each : contexts->all)
    rows.push_back(
        {each.name, {each.name, each.server, each.name == contexts->current ? "current" : ""}, {each.token_file}});
  print_rows(context, {"CONTEXT", "SERVER", "NOTE"}, {"TOKEN FILE"}, rows);
  return kExitOk;
}

int run_context_show(Context& context) {
  auto connection = client::find_connection(context.options().connection);
  if (!connection) return context.fail(connection.error());
  auto current = client::current_context(context.options().connection);
  if (!current) return context.fail(current.error());
  const boost::json::object shown{{"meta", {{"name", *current ? (*current)->name : ""}}},
                                  {"server", connection->description},
                                  {"tokenFile", *current ? (*current)->token_file : ""}};
  return print_object(context, boost::json::serialize(shown));
}

int run_context_add(Context& context, const ContextAddOptions& options) {
  auto server = make_server(options, context.options().connection.token_file);
  if (!server) return context.refuse(server.error());
  auto contexts = read();
  if (!contexts) return context.fail(contexts.error());
  if (contexts->find(options.name) != nullptr) {
    const base::Error error{base::Code::kAlreadyExists,
                            fmt::format("there is a context {0} already: `orchion context rm {0}` first", options.name),
                            {}};
    return context.fail(error);
  }
  contexts->all.push_back(std::move(*server));
  std::ranges::sort(contexts->all, {}, &client::NamedServer::name);
  if (options.use) contexts->current = options.name;
  return write(context, *contexts,
               options.use ? options.name + " is the current context"
                           : fmt::format("{0} was added: `orchion context use {0}` makes it current", options.name));
}

int run_context_rm(Context& context, const std::string& name) {
  auto contexts = read();
  if (!contexts) return context.fail(contexts.error());
  if (contexts->find(name) == nullptr) return context.fail(unknown(*contexts, name));
  std::erase_if(contexts->all, [&](const client::NamedServer& each) { return each.name == name; });
  const bool was_current = contexts->current == name;
  if (was_current) contexts->current.clear();
  return write(context, *contexts,
               name + " was removed" + (was_current ? "; the server of this machine is meant" : ""));
}

int run_context_use(Context& context, const std::string& name) {
  auto contexts = read();
  if (!contexts) return context.fail(contexts.error());
  if (!name.empty() && contexts->find(name) == nullptr) return context.fail(unknown(*contexts, name));
  contexts->current = name;
  return write(context, *contexts,
               name.empty() ? "the server of this machine is meant" : name + " is the current context");
}

}  // namespace orchion::cli
