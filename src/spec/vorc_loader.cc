#include "spec/vorc_loader.h"

#include <algorithm>
#include <filesystem>

#include <fmt/core.h>

#include "spec/keys.h"

namespace orchion::spec {

namespace {

constexpr Key kTopKeyList[] = {{"services", Shape::kMap}};
constexpr Key kServiceKeyList[] = {
    {"image", Shape::kText}, {"ports", Shape::kList}, {"environment", Shape::kMapOrList}};

const KeyTable kTop{"vorc.json", kTopKeyList};
const KeyTable kService{"a service in vorc.json", kServiceKeyList};

// A file that needs more is a Compose file already, but for its name: JSON is YAML.
void check_known(const Node& map, const KeyTable& table, Problems& problems) {
  for (const auto& entry : map.entries) {
    if (std::ranges::find(table.keys, entry.key, &Key::name) != table.keys.end()) continue;
    const auto meant = nearest_key(entry.key, table);
    problems.add_final(entry.key_at,
                       meant.empty()
                           ? fmt::format("`{}` isn't a key of {}: remove it, or call the file compose.yaml, "
                                         "which may say more",
                                         entry.key, table.where)
                           : fmt::format("`{}` isn't a key of {}: did you mean `{}`?", entry.key, table.where, meant));
  }
}

void check_ports(const Node& ports, Problems& problems) {
  for (const auto& port : ports.items)
    if (!port.is_scalar())
      problems.add_final(port.at,
                         fmt::format("a port is a text like \"8080:80\", not {}: write it so", port.describe()));
}

void check_service(const Node& service, Problems& problems) {
  check_known(service, kService, problems);
  if (const auto* ports = service.find("ports")) check_ports(*ports, problems);
}

}  // namespace

bool is_vorc_file(std::string_view name) {
  return std::filesystem::path(name).filename() == kVorcFile;
}

void check_vorc(const Node& root, Problems& problems) {
  check_known(root, kTop, problems);
  if (const auto* services = root.find("services"))
    for (const auto& service : services->entries) check_service(service.value, problems);
}

}  // namespace orchion::spec
