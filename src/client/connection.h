#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "client/contexts.h"
#include "wire/http_client.h"

namespace orchion::client {

// What a user may say about the server; what is left unsaid comes from the environment, then from the current context,
// where contexts are wanted and no data folder was named, then from the data folder.
struct ConnectionSettings {
  std::optional<std::string> server;              // "http://127.0.0.1:4600", "unix:/path"; else ORCHION_SERVER
  std::optional<std::string> token_file;          // else ORCHION_TOKEN, else the admin token where that is safe
  std::optional<std::string> data;                // else ORCHION_DATA, else default_data_folder()
  std::optional<std::filesystem::path> contexts;  // the file that holds them; not set: none is used
};

struct Connection {
  wire::Endpoint endpoint;
  std::string description;  // for messages: "unix:/var/lib/orchion/orchion.sock"
  std::string token;        // empty: none was found
  bool named = false;       // by the user, the environment or a context; else it is that of the data folder
};

// "/var/lib/orchion" as root, else "orchion" in the XDG data folder.
std::filesystem::path default_data_folder();
std::filesystem::path data_folder(const ConnectionSettings& settings);

// The context that says which server is meant, where nothing nearer does. kNotFound: the current one isn't there.
base::Result<std::optional<NamedServer>> current_context(const ConnectionSettings& settings);

// The admin token of a data folder is sent only to the socket beside it, or over loopback where the user named that
// folder; never to another machine. kPermissionDenied where the token's file can't be read.
base::Result<Connection> find_connection(const ConnectionSettings& settings);

}  // namespace orchion::client
