#pragma once

// Which server is meant, and with which token.

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/error.h"
#include "wire/http_client.h"

namespace orchion::client {

// What the user said on the command line.
struct ConnectionFlags {
  std::optional<std::string> server;  // "http://HOST:PORT" or "unix:/PATH"
  std::optional<std::string> token_file;
  std::optional<std::string> data;  // the data folder
};

using Environment = std::map<std::string, std::string>;

struct Connection {
  wire::Endpoint endpoint;
  std::string address;            // the endpoint as the user would write it
  std::string token;              // empty: none was found; the server will refuse
  std::string token_wanted;       // where the token was looked for
  bool is_local_default = false;  // nobody named a server: the data folder's own socket
};

// The folder of a server on this machine: --data, ORCHION_DATA, /var/lib/orchion as root, else
// $XDG_DATA_HOME/orchion, else ~/.local/share/orchion. kInvalidArgument where none of them is known.
base::Result<std::filesystem::path> find_data_folder(const std::optional<std::string>& flag,
                                                     const Environment& environment, bool is_root);

// Flags are stronger than ORCHION_SERVER, ORCHION_TOKEN and ORCHION_DATA; without any the data folder's socket
// and admin token are used. The admin token is only ever sent to the data folder's socket, or to a socket that
// lies beside it. Reads the token file (blocking).
base::Result<Connection> find_connection(const ConnectionFlags& flags, const Environment& environment, bool is_root);

}  // namespace orchion::client
