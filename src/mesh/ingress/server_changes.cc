#include "mesh/ingress/server_changes.h"

#include <charconv>

#include <fmt/core.h>

namespace orchion::mesh::ingress {

namespace {

// Of a line of format 1, which the first line of the answer names.
constexpr std::size_t kBackend = 1;
constexpr std::size_t kName = 3;
constexpr std::size_t kAddress = 4;
constexpr std::size_t kAdminState = 6;
constexpr std::size_t kPort = 18;
constexpr std::size_t kUsesTls = 20;

// SRV_ADMF_FMAINT, IMAINT and CMAINT: all that "admin state" knows but draining.
constexpr std::uint32_t kInMaintenance = 0x01 | 0x02 | 0x04 | 0x20;

// What servers of the file have by default, and those added later don't: connections that stay open for further
// requests.
constexpr std::string_view kKeepsConnections = "pool-max-conn -1 pool-purge-delay 5s";

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const auto end = line.find(' ');
    if (const auto word = line.substr(0, end); !word.empty()) words.push_back(word);
    line = end == std::string_view::npos ? std::string_view() : line.substr(end + 1);
  }
  return words;
}

bool parse_number(std::string_view text, std::uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

base::Result<RunningBackends> parse_servers(std::string_view text) {
  RunningBackends running;
  bool has_version = false;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty() || line.starts_with('#')) continue;
    if (!has_version && line == "1") {
      has_version = true;
      continue;
    }
    const auto words = words_of(line);
    std::uint32_t admin = 0;
    RunningServer server;
    if (!has_version || words.size() <= kUsesTls || !parse_number(words[kAdminState], admin) ||
        !parse_number(words[kPort], server.line.port))
      return base::fail(base::Code::kInternal, fmt::format("HAProxy lists a server as \"{}\"", line));
    server.line.address = words[kAddress];
    server.line.tls = words[kUsesTls] != "0";
    server.takes_requests = (admin & kInMaintenance) == 0;
    running[std::string(words[kBackend])][std::string(words[kName])] = std::move(server);
  }
  if (!has_version) return base::fail(base::Code::kInternal, "HAProxy doesn't list its servers in format 1");
  return running;
}

std::vector<std::string> server_changes(const Backends& wanted, const RunningBackends& running) {
  static const std::map<std::string, RunningServer> kNone;
  std::vector<std::string> added;
  std::vector<std::string> removed;
  for (const auto& [backend, wants] : wanted) {
    const auto found = running.find(backend);
    const auto& has = found == running.end() ? kNone : found->second;
    bool is_new = false;
    for (const auto& [name, line] : wants.servers) {
      const auto known = has.find(name);
      if (known == has.end()) {
        added.push_back(fmt::format("add server {}/{} {}:{} {}{}", backend, name, line.address, line.port,
                                    kKeepsConnections, line.tls ? " ssl verify none" : ""));
        is_new = true;
      } else if (known->second.line == line && known->second.takes_requests) {
        continue;
      } else if (known->second.line != line) {
        continue;  // goes below
      }
      added.push_back(fmt::format("set server {}/{} state ready", backend, name));
    }
    // Reckons a cookie for those that have none yet.
    if (is_new && wants.sticky) added.push_back(fmt::format("enable dynamic-cookie backend {}", backend));
    for (const auto& [name, server] : has) {
      const auto wish = wants.servers.find(name);
      if (wish != wants.servers.end() && wish->second == server.line) continue;
      if (server.takes_requests) removed.push_back(fmt::format("set server {}/{} state maint", backend, name));
      removed.push_back(fmt::format("del server {}/{}", backend, name));
    }
  }
  // Those that come first: there is no moment without any.
  added.insert(added.end(), removed.begin(), removed.end());
  return added;
}

}  // namespace orchion::mesh::ingress
