#include "node/devices/gpus/gpu_file.h"

#include <algorithm>
#include <initializer_list>
#include <set>
#include <string>

#include <fmt/core.h>
#include <yaml-cpp/yaml.h>

#include "core/cdi_name.h"
#include "core/quantities.h"

namespace orchion::node::devices::gpus {

namespace {

constexpr std::size_t kGpusMax = 64, kTextMax = 256;

// Thrown inside this file alone: what yaml-cpp finds wrong is thrown too.
struct Wrong {
  std::string what;
};

void check_keys(const YAML::Node& map, const std::string& where, std::initializer_list<std::string_view> known) {
  if (!map.IsMap()) throw Wrong{fmt::format("{} isn't a map", where)};
  for (const auto& entry : map) {
    const auto key = entry.first.as<std::string>();
    if (std::ranges::find(known, key) == known.end()) throw Wrong{fmt::format("{} has no key `{}`", where, key)};
  }
}

std::string text_of(const YAML::Node& map, const char* key, const std::string& where) {
  if (!map[key]) return {};
  auto text = map[key].as<std::string>();
  if (text.empty() || text.size() > kTextMax)
    throw Wrong{fmt::format("`{}` of {} has no text, or more than {} bytes of it", key, where, kTextMax)};
  return text;
}

LocalGpu read_gpu(const YAML::Node& node, const std::string& where) {
  check_keys(node, where, {"id", "vendor", "model", "memory", "devices", "cdi"});
  LocalGpu local;
  local.gpu.set_id(text_of(node, "id", where));
  if (local.gpu.id().empty()) throw Wrong{fmt::format("{} needs an `id`", where)};
  local.gpu.set_vendor(text_of(node, "vendor", where));
  local.gpu.set_model(text_of(node, "model", where));
  const auto memory = text_of(node, "memory", where);
  const auto bytes = core::parse_bytes(memory);
  if (!bytes || *bytes <= 0) throw Wrong{fmt::format("{} needs its `memory`, as 24GiB", where)};
  local.gpu.set_memory_bytes(*bytes);
  local.gpu.set_memory_free_bytes(*bytes);
  if (const auto name = text_of(node, "cdi", where); !name.empty()) {
    if (!core::is_cdi_name(name)) throw Wrong{fmt::format("`cdi` of {} isn't vendor.com/class=name", where)};
    local.cdi_names = {name};
    local.needs_cdi = true;
  }
  if (node["devices"]) local.device_nodes = node["devices"].as<std::vector<std::string>>();
  for (const auto& device : local.device_nodes)
    if (!device.starts_with("/dev/")) throw Wrong{fmt::format("`{}` of {} isn't below /dev/", device, where)};
  return local;
}

}  // namespace

base::Result<std::vector<LocalGpu>> parse_gpu_file(std::string_view text) {
  const auto fail = [](const std::string& what) { return base::fail(base::Code::kInvalidArgument, what); };
  try {
    const auto file = YAML::Load(std::string(text));
    check_keys(file, "the file", {"gpus"});
    const auto list = file["gpus"];
    if (!list || !list.IsSequence()) throw Wrong{"the file needs `gpus`, a list"};
    if (list.size() > kGpusMax)
      throw Wrong{fmt::format("{} GPUs are more than the {} of a node", list.size(), kGpusMax)};
    std::vector<LocalGpu> gpus;
    std::set<std::string> ids;
    for (std::size_t i = 0; i < list.size(); ++i) {
      gpus.push_back(read_gpu(list[i], fmt::format("GPU {}", i + 1)));
      if (!ids.insert(gpus.back().gpu.id()).second)
        throw Wrong{fmt::format("two GPUs have the id `{}`", gpus.back().gpu.id())};
    }
    return gpus;
  } catch (const Wrong& wrong) {
    return fail(wrong.what);
  } catch (const YAML::Exception& wrong) {
    return fail(fmt::format("line {}: {}", wrong.mark.line + 1, wrong.msg));
  }
}

}  // namespace orchion::node::devices::gpus
