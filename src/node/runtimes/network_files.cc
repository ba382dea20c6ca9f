#include "node/runtimes/network_files.h"

#include <string>
#include <vector>

#include "base/file.h"

namespace orchion::node::runtimes {

namespace {

std::string resolv_conf(const ContainerConfig& config) {
  std::string text;
  for (const auto& server : config.nameservers) text += "nameserver " + server + "\n";
  const auto add = [&](const char* word, const std::vector<std::string>& values) {
    if (values.empty()) return;
    text += word;
    for (const auto& value : values) text += " " + value;
    text += "\n";
  };
  add("search", config.search_domains);
  add("options", config.dns_options);
  if (config.nameservers.empty()) text += base::read_file("/etc/resolv.conf", 1u << 16).value_or("");
  return text;
}

std::string hosts_file(const ContainerConfig& config) {
  std::string text =
      "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nff02::1\tip6-allnodes\n"
      "ff02::2\tip6-allrouters\n";
  for (const auto& [name, address] : config.hosts) text += address + "\t" + name + "\n";
  for (const auto& [name, address] : config.extra_hosts) text += address + "\t" + name + "\n";
  return text;
}

}  // namespace

base::Result<> write_network_files(const std::filesystem::path& folder, const ContainerConfig& config) {
  RETURN_IF_ERROR(base::write_file(folder / "resolv.conf", resolv_conf(config), 0644));
  RETURN_IF_ERROR(base::write_file(folder / "hosts", hosts_file(config), 0644));
  return base::write_file(folder / "hostname", config.hostname + "\n", 0644);
}

}  // namespace orchion::node::runtimes
