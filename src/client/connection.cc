#include "client/connection.h"

#include <fmt/core.h>

#include "base/file.h"

namespace orchion::client {

namespace {

using base::Code;
using base::Result;

constexpr std::size_t kTokenBytesMax = 4096;
constexpr std::string_view kSocketName = "orchion.sock";
constexpr std::string_view kTokenName = "admin-token";

std::optional<std::string> find(const Environment& environment, const std::string& name) {
  const auto it = environment.find(name);
  if (it == environment.end() || it->second.empty()) return std::nullopt;
  return it->second;
}

std::string trim(std::string text) {
  const auto last = text.find_last_not_of(" \t\r\n");
  text.erase(last == std::string::npos ? 0 : last + 1);
  text.erase(0, text.find_first_not_of(" \t\r\n"));
  return text;
}

Result<std::string> read_token(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(auto text, base::read_file(path, kTokenBytesMax));
  auto token = trim(std::move(text));
  if (token.empty() || token.find_first_of(" \t\r\n") != std::string::npos)
    return base::fail(Code::kInvalidArgument, fmt::format("{} holds no token: name the file that does", path.string()));
  return token;
}

// The token an administrator of this machine may read; its absence is the server's to judge.
void take_admin_token(const std::filesystem::path& folder, Connection& connection) {
  const auto path = folder / kTokenName;
  connection.token_wanted = path.string();
  if (auto token = read_token(path)) connection.token = *std::move(token);
}

Result<> take_token(const ConnectionFlags& flags, const Environment& environment, Connection& connection) {
  if (flags.token_file) {
    connection.token_wanted = *flags.token_file;
    auto token = read_token(*flags.token_file);
    if (!token) return std::unexpected(token.error().with_context("--token-file"));
    connection.token = *std::move(token);
  } else if (auto token = find(environment, "ORCHION_TOKEN")) {
    connection.token_wanted = "ORCHION_TOKEN";
    connection.token = trim(*std::move(token));
  } else if (connection.endpoint.transport == wire::Transport::kUnix) {
    take_admin_token(std::filesystem::path(connection.endpoint.host).parent_path(), connection);
  } else {
    connection.token_wanted = "--token-file or ORCHION_TOKEN";
  }
  return {};
}

}  // namespace

Result<std::filesystem::path> find_data_folder(const std::optional<std::string>& flag, const Environment& environment,
                                               bool is_root) {
  std::filesystem::path folder;
  if (flag) {
    folder = *flag;
  } else if (const auto data = find(environment, "ORCHION_DATA")) {
    folder = *data;
  } else if (is_root) {
    folder = "/var/lib/orchion";
  } else if (const auto xdg = find(environment, "XDG_DATA_HOME")) {
    folder = std::filesystem::path(*xdg) / "orchion";
  } else if (const auto home = find(environment, "HOME")) {
    folder = std::filesystem::path(*home) / ".local/share/orchion";
  } else {
    return base::fail(Code::kInvalidArgument,
                      "there is no place for data, because HOME isn't set: name one with --data");
  }
  std::error_code error;
  auto absolute = std::filesystem::absolute(folder, error);
  return error ? folder : absolute.lexically_normal();
}

Result<Connection> find_connection(const ConnectionFlags& flags, const Environment& environment, bool is_root) {
  Connection connection;
  auto server = flags.server ? flags.server : find(environment, "ORCHION_SERVER");
  if (!server) {
    ASSIGN_OR_RETURN(const auto folder, find_data_folder(flags.data, environment, is_root));
    server = "unix:" + (folder / kSocketName).string();
    connection.is_local_default = true;
  }
  connection.address = *server;
  ASSIGN_OR_RETURN(connection.endpoint, wire::Endpoint::parse(*server));
  RETURN_IF_ERROR(take_token(flags, environment, connection));
  return connection;
}

}  // namespace orchion::client
