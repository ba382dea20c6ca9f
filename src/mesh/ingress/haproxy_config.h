#pragma once

// What HAProxy is given, from the routes there are. Pure.
// Source: https://docs.haproxy.org/2.6/configuration.html

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "mesh/ingress/ingress.h"

namespace orchion::mesh::ingress {

struct HaproxySettings {
  std::string http;    // "0.0.0.0:80"
  std::string https;   // "0.0.0.0:443"
  std::string folder;  // absolute; holds all that `Config` names
  unsigned uid = 65534;
  unsigned gid = 65534;
  unsigned connections_max = 2000;
};

// How a server of a backend is reached.
struct ServerLine {
  std::string address;  // IPv4
  std::uint32_t port = 0;
  bool tls = false;

  bool operator==(const ServerLine&) const = default;
};

struct Backend {
  bool sticky = false;
  std::map<std::string, ServerLine> servers;  // by name

  bool operator==(const Backend&) const = default;
};

using Backends = std::map<std::string, Backend>;  // "STACK.SERVICE.ROUTE"

struct Config {
  std::string text;       // folder/haproxy.cfg
  std::string structure;  // differs where a running HAProxy must be reloaded: all but servers and certificates' bytes
  std::map<std::string, std::string> files;         // below the folder, in a folder named by `structure`
  std::map<std::string, std::string> certificates;  // below the folder: chain and key, PEM; secrets
  Backends backends;
};

// The routes are valid, as core says. Of two for the same requests the first is obeyed.
Config make_config(const HaproxySettings& settings, const std::vector<RoutedService>& services);

// As the configuration names a file of the folder.
std::string worker_socket(const HaproxySettings& settings);
std::string empty_folder(const HaproxySettings& settings);

}  // namespace orchion::mesh::ingress
