#include "daemon/membership.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/file.h"
#include "base/read_line.h"
#include "core/cluster_names.h"
#include "wire/tls/certificates.h"
#include "wire/tls/keys.h"

namespace orchion::daemon {

using base::Code;

namespace {

// A line each: "NAME=VALUE".
std::string labels_text(const std::map<std::string, std::string>& labels) {
  std::string text;
  for (const auto& [name, value] : labels) text += fmt::format("{}={}\n", name, value);
  return text;
}

std::map<std::string, std::string> read_labels(const std::string& text) {
  std::map<std::string, std::string> labels;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto equals = line.find('=');
    if (equals != std::string::npos) labels[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return labels;
}

}  // namespace

base::Result<Membership> load_membership(const std::filesystem::path& folder) {
  Membership membership;
  auto certificate = base::read_file(folder / "certificate.pem");
  if (!certificate && certificate.error().code == Code::kNotFound)
    return base::fail(Code::kNotFound,
                      "this machine has joined no cluster: type `orchion node invite` on the server's machine, and the "
                      "line it prints here");
  ASSIGN_OR_RETURN(membership.certificate, std::move(certificate));
  ASSIGN_OR_RETURN(membership.server, base::read_line(folder / "server"));
  ASSIGN_OR_RETURN(membership.key, base::read_file(folder / "key.pem"));
  ASSIGN_OR_RETURN(membership.authority, base::read_file(folder / "authority.pem"));
  // A machine that joined with an older version has none of these.
  membership.address = base::read_line(folder / "address").value_or("");
  membership.hostname = base::read_line(folder / "hostname").value_or("");
  membership.mesh_port = static_cast<std::uint16_t>(std::atoi(base::read_file(folder / "mesh").value_or("").c_str()));
  std::istringstream servers(base::read_file(folder / "servers").value_or(""));
  for (std::string server; std::getline(servers, server);) membership.servers.push_back(server);
  membership.labels = read_labels(base::read_file(folder / "labels").value_or(""));
  return membership;
}

base::Result<> save_membership(const std::filesystem::path& folder, const Membership& membership) {
  RETURN_IF_ERROR(base::write_file_durably(folder / "server", membership.server + "\n"));
  RETURN_IF_ERROR(base::write_file_durably(folder / "authority.pem", membership.authority));
  RETURN_IF_ERROR(base::write_file_durably(folder / "address", membership.address + "\n"));
  RETURN_IF_ERROR(base::write_file_durably(folder / "hostname", membership.hostname + "\n"));
  RETURN_IF_ERROR(base::write_file_durably(folder / "mesh", fmt::format("{}\n", membership.mesh_port)));
  RETURN_IF_ERROR(base::write_file_durably(folder / "labels", labels_text(membership.labels)));
  return save_certificate(folder, membership.certificate);
}

base::Result<> save_certificate(const std::filesystem::path& folder, const std::string& certificate) {
  return base::write_file_durably(folder / "certificate.pem", certificate);
}

base::Result<> save_servers(const std::filesystem::path& folder, const std::vector<std::string>& servers) {
  return base::write_file_durably(folder / "servers", fmt::format("{}\n", fmt::join(servers, "\n")));
}

std::vector<std::string> servers_of(const Membership& membership) {
  auto servers = membership.servers;
  // It may come back, or be another machine's address by now: the last to be asked.
  if (std::ranges::find(servers, membership.server) == servers.end()) servers.push_back(membership.server);
  return servers;
}

base::Result<std::string> node_key(const std::filesystem::path& folder) {
  const auto file = folder / "key.pem";
  auto key = base::read_file(file);
  if (key || key.error().code != Code::kNotFound) return key;
  ASSIGN_OR_RETURN(key, wire::tls::make_key());
  RETURN_IF_ERROR(base::write_file_durably(file, *key, 0600));
  return key;
}

base::Result<wire::grpc::ClientTls> as_stranger(const std::string& authority) {
  ASSIGN_OR_RETURN(const auto certificate, wire::tls::read_certificate(authority));
  return wire::grpc::ClientTls{authority, core::control_name(certificate.common_name), {}, {}};
}

base::Result<wire::grpc::ClientTls> as_node(const Membership& membership) {
  ASSIGN_OR_RETURN(auto tls, as_stranger(membership.authority));
  tls.certificate = membership.certificate;
  tls.key = membership.key;
  return tls;
}

base::Result<base::WallTime> renewal_time(const std::string& pem) {
  ASSIGN_OR_RETURN(const auto certificate, wire::tls::read_certificate(pem));
  return certificate.not_before + (certificate.not_after - certificate.not_before) / 2;
}

}  // namespace orchion::daemon
