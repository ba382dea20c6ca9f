#pragma once

// That this machine is a node of a cluster elsewhere: what it keeps of it on its disk.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "wire/grpc/grpc_client.h"

namespace orchion::daemon {

// Files in DATA/agent: "server", "servers", "key.pem" (0600), "certificate.pem", "authority.pem", "address",
// "hostname", "labels", "mesh".
struct Membership {
  std::string server;                // "192.168.1.5:4603": the one it joined at
  std::vector<std::string> servers;  // all that were there last, where there are several; that one among them or not
  std::string key;                   // made on this machine; never leaves it
  std::string certificate;           // short-lived, of that key
  std::string authority;             // vouches for the server
  std::string address;               // where other nodes reach this one; empty: by the way to the server
  std::string hostname;              // as said at joining; empty: the machine's
  std::map<std::string, std::string> labels;
  std::uint16_t mesh_port = 0;  // as said at joining; 0: not in the mesh
};

// kNotFound: this machine has joined none, with what to do.
base::Result<Membership> load_membership(const std::filesystem::path& folder);

// The certificate last: without it nothing has happened.
base::Result<> save_membership(const std::filesystem::path& folder, const Membership& membership);
base::Result<> save_certificate(const std::filesystem::path& folder, const std::string& certificate);

// Where the cluster's servers are by now.
base::Result<> save_servers(const std::filesystem::path& folder, const std::vector<std::string>& servers);

// Where to go, in this order.
std::vector<std::string> servers_of(const Membership& membership);

// The node's key, made at first use.
base::Result<std::string> node_key(const std::filesystem::path& folder);

// With the node's certificate, or without: as somebody who joins.
base::Result<wire::grpc::ClientTls> as_node(const Membership& membership);
base::Result<wire::grpc::ClientTls> as_stranger(const std::string& authority);

// When the certificate has lived half its life.
base::Result<base::WallTime> renewal_time(const std::string& certificate);

}  // namespace orchion::daemon
