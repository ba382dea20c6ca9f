#include "mesh/dns/upstreams.h"

#include "base/file.h"

namespace orchion::mesh::dns {

std::vector<Upstream> parse_resolv_conf(std::string_view text) {
  constexpr std::size_t kUpstreamsMax = 3;
  constexpr std::string_view kBlank = " \t\r";
  std::vector<Upstream> upstreams;
  while (!text.empty() && upstreams.size() < kUpstreamsMax) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with("nameserver")) continue;
    line.remove_prefix(std::string_view("nameserver").size());
    const auto start = line.find_first_not_of(kBlank);
    if (start == 0 || start == std::string_view::npos) continue;
    line.remove_prefix(start);
    upstreams.push_back({std::string(line.substr(0, line.find_first_of(kBlank)))});
  }
  return upstreams;
}

const std::vector<Upstream>& ResolvConf::upstreams() {
  std::error_code error;
  const auto changed = std::filesystem::last_write_time(path_, error);
  if (!error && changed != changed_) {
    if (const auto text = base::read_file(path_)) {
      upstreams_ = parse_resolv_conf(*text);
      changed_ = changed;
    }
  }
  return upstreams_;
}

}  // namespace orchion::mesh::dns
