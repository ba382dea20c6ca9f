#include "client/connection.h"

#include <cstdlib>

#include <fmt/core.h>
#include <unistd.h>

#include "base/file.h"

namespace orchion::client {

namespace {

constexpr std::size_t kTokenBytesMax = 4096;

std::optional<std::string> from_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  text.erase(0, text.find_first_not_of(' '));
  return text;
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

// Where the admin token of the server that is meant lies; nullopt where it must not be sent.
std::optional<std::filesystem::path> admin_token_file(const ConnectionSettings& settings,
                                                      const wire::Endpoint& endpoint) {
  constexpr const char* kName = "admin-token";
  if (endpoint.transport == wire::Transport::kUnix) return std::filesystem::path(endpoint.host).parent_path() / kName;
  const bool folder_was_named = settings.data || from_environment("ORCHION_DATA");
  if (folder_was_named && is_loopback(endpoint.host)) return data_folder(settings) / kName;
  return std::nullopt;
}

base::Result<std::string> find_token(const ConnectionSettings& settings, const wire::Endpoint& endpoint) {
  if (!settings.token_file) {
    if (auto token = from_environment("ORCHION_TOKEN")) return trimmed(std::move(*token));
  }
  const auto file =
      settings.token_file ? std::filesystem::path(*settings.token_file) : admin_token_file(settings, endpoint);
  if (!file) return std::string();
  auto token = base::read_file(*file, kTokenBytesMax);
  if (token) return trimmed(std::move(*token));
  // Without a server there is no token yet; the call itself will say that nobody answers.
  if (!settings.token_file && token.error().code == base::Code::kNotFound) return std::string();
  if (token.error().code == base::Code::kPermissionDenied)
    return base::fail(base::Code::kPermissionDenied,
                      fmt::format("cannot read the token in {}: run this as the user who owns it, or give a token with "
                                  "--token-file or ORCHION_TOKEN",
                                  file->string()));
  return std::unexpected(token.error());
}

}  // namespace

std::filesystem::path default_data_folder() {
  if (::geteuid() == 0) return "/var/lib/orchion";
  if (const auto xdg = from_environment("XDG_DATA_HOME")) return std::filesystem::path(*xdg) / "orchion";
  return std::filesystem::path(from_environment("HOME").value_or("/")) / ".local/share/orchion";
}

std::filesystem::path data_folder(const ConnectionSettings& settings) {
  if (settings.data) return *settings.data;
  if (const auto data = from_environment("ORCHION_DATA")) return *data;
  return default_data_folder();
}

base::Result<std::optional<NamedServer>> current_context(const ConnectionSettings& settings) {
  if (!settings.contexts || settings.server || settings.data) return std::nullopt;
  if (from_environment("ORCHION_SERVER") || from_environment("ORCHION_DATA")) return std::nullopt;
  ASSIGN_OR_RETURN(const auto contexts, read_contexts(*settings.contexts));
  if (contexts.current.empty()) return std::nullopt;
  if (const auto* found = contexts.find(contexts.current)) return *found;
  return base::fail(base::Code::kNotFound,
                    fmt::format("there is no context {}: choose one with `orchion context use`", contexts.current));
}

base::Result<Connection> find_connection(const ConnectionSettings& given) {
  Connection connection;
  auto settings = given;
  ASSIGN_OR_RETURN(const auto context, current_context(settings));
  if (context) {
    settings.server = context->server;
    if (!settings.token_file && !context->token_file.empty()) settings.token_file = context->token_file;
  }
  auto server = settings.server ? settings.server : from_environment("ORCHION_SERVER");
  connection.named = server.has_value();
  connection.description = server ? *server : "unix:" + (data_folder(settings) / "orchion.sock").string();
  ASSIGN_OR_RETURN(connection.endpoint, wire::Endpoint::parse(connection.description));
  ASSIGN_OR_RETURN(connection.token, find_token(settings, connection.endpoint));
  return connection;
}

}  // namespace orchion::client
