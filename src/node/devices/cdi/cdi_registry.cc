#include "node/devices/cdi/cdi_registry.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/file.h"

namespace orchion::node::devices::cdi {

namespace fs = std::filesystem;
using base::Result;

Registry Registry::read(const std::vector<fs::path>& folders) {
  Registry registry;
  registry.folders_ = folders;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    std::vector<fs::path> files;
    std::error_code failed;
    for (fs::directory_iterator entries(folders[i], failed); !failed && entries != fs::end(entries);
         entries.increment(failed))
      files.push_back(entries->path());
    std::ranges::sort(files);
    for (const auto& file : files) {
      const auto kind = file.extension();
      if (kind == ".json" || kind == ".yaml" || kind == ".yml") registry.read_file(file, i);
    }
  }
  return registry;
}

void Registry::read_file(const fs::path& path, std::size_t folder) {
  const auto text = base::read_file(path);
  auto spec = text ? parse_spec(*text) : Result<Spec>(std::unexpected(text.error()));
  if (spec) {
    files_.push_back({path, folder, *std::move(spec)});
  } else {
    failures_.push_back(fmt::format("{}: {}", path.string(), spec.error().message));
  }
}

std::vector<std::string> Registry::devices() const {
  std::set<std::string> names;
  for (const auto& file : files_) {
    for (const auto& device : file.spec.devices) names.insert(file.spec.kind + "=" + device.first);
  }
  return {names.begin(), names.end()};
}

base::Error Registry::unknown(const std::string& name) const {
  std::vector<std::string> places;
  for (const auto& folder : folders_) places.push_back(folder.string());
  const auto all = devices();
  auto text = fmt::format("this node has no device {}: the files in {} have {}", name, fmt::join(places, " and "),
                          all.empty() ? "none" : fmt::format("{}", fmt::join(all, ", ")));
  if (!failures_.empty()) text += fmt::format("; can't be used: {}", fmt::join(failures_, "; "));
  return {base::Code::kFailedPrecondition, std::move(text), {}};
}

Result<const Registry::File*> Registry::find(const std::string& name) const {
  const auto equals = name.find('=');
  const File* best = nullptr;
  const File* rival = nullptr;
  for (const auto& file : files_) {
    if (file.spec.kind != name.substr(0, equals) || !file.spec.devices.contains(name.substr(equals + 1))) continue;
    rival = best != nullptr && best->folder == file.folder ? best : nullptr;
    best = &file;
  }
  if (best == nullptr) return std::unexpected(unknown(name));
  if (rival != nullptr)
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("the device {} is in both {} and {}: take it out of one of them", name,
                                  rival->path.string(), best->path.string()));
  return best;
}

Result<std::vector<Edits>> Registry::resolve(const std::vector<std::string>& names) const {
  std::vector<Edits> edits;
  std::set<const File*> begun;
  for (const auto& name : names) {
    ASSIGN_OR_RETURN(const auto* file, find(name));
    if (begun.insert(file).second) edits.push_back(file->spec.edits);
    edits.push_back(file->spec.devices.at(name.substr(name.find('=') + 1)));
  }
  return edits;
}

}  // namespace orchion::node::devices::cdi
