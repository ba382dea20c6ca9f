#include "spec/files_loader.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "spec/keys.h"
#include "spec/service_loader.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

// They travel in the manifest, which the store keeps in one piece.
constexpr std::size_t kFileBytesMax = 256u << 10;
constexpr std::size_t kAllBytesMax = 512u << 10;

struct FileKind {
  std::string_view key;     // in the file
  std::string_view what;    // one of them
  std::string_view folder;  // where short forms land
  bool in_memory;
  const KeyTable& keys;
};

const FileKind kSecret{"secrets", "secret", "/run/secrets/", true, kSecretKeys};
const FileKind kConfig{"configs", "config", "/", false, kConfigKeys};

// A figure without the leading zero would be a decimal one by YAML, which nobody means.
std::optional<std::uint32_t> octal_mode(std::string_view text) {
  const auto mode = parse_file_mode(text);
  return mode && text.starts_with('0') ? std::optional(*mode) : std::nullopt;
}

void load_long_file(const Node& item, v1::FileMount& file, Problems& problems) {
  check_keys(item, kFileKeys, problems);
  const auto text = [&](std::string_view key) -> std::string {
    const auto* node = find_value(item, key);
    return node ? read_text(*node, key, problems).value_or("") : "";
  };
  const auto id = [&](std::string_view key) -> std::string {
    const auto* node = find_value(item, key);
    if (!node) return "";
    const auto number = read_integer(*node, key, 0, std::int64_t{1} << 31, problems);
    return number ? std::to_string(*number) : "";
  };
  file.set_name(text("source"));
  file.set_target(text("target"));
  file.set_uid(id("uid"));
  file.set_gid(id("gid"));
  if (const auto* node = find_value(item, "mode")) {
    const auto mode = node->is_scalar() ? octal_mode(node->text) : std::nullopt;
    if (!mode) problems.add(node->at, fmt::format("{} isn't a file's mode: write it as 0440", node->describe()));
    file.set_mode(mode.value_or(0));
  }
}

void load_kind(const FileKind& kind, const Node& service, v1::ContainerSpec& container, Problems& problems) {
  const auto* list = find_value(service, kind.key);
  if (!list || !expect_list(*list, kind.key, problems)) return;
  for (const auto& item : list->items) {
    v1::FileMount file;
    if (item.is_map()) {
      load_long_file(item, file, problems);
    } else {
      file.set_name(read_text(item, kind.key, problems).value_or(""));
    }
    if (file.name().empty()) {
      problems.add(item.at, fmt::format("a {} of a service has no `source`: name it", kind.what));
      continue;
    }
    file.set_in_memory(kind.in_memory);
    if (file.target().empty()) file.set_target(file.name());
    const auto whole = file.target().starts_with('/') ? file.target() : fmt::format("{}{}", kind.folder, file.target());
    auto target = normal_target(whole);
    if (!target) {
      problems.add(item.at, target.error().message);
      continue;
    }
    file.set_target(*std::move(target));
    *container.add_files() = std::move(file);
  }
}

class FileFiller {
 public:
  FileFiller(const Node& root, LoadContext& context) : root_(root), context_(context), problems_(context.problems) {}

  void run(v1::StackSpec& spec) {
    check(kSecret);
    check(kConfig);
    for (auto& service : *spec.mutable_services())
      for (auto& file : *service.mutable_spec()->mutable_container()->mutable_files()) fill(service.name(), file);
  }

 private:
  struct Content {
    std::string bytes;
    std::string origin;
  };

  void check(const FileKind& kind) {
    const auto* map = find_value(root_, kind.key);
    if (!map || !expect_map(*map, kind.key, problems_)) return;
    for (const auto& entry : map->entries) {
      if (is_extension(entry.key) || !expect_map(entry.value, entry.key, problems_)) continue;
      check_keys(entry.value, kind.keys, problems_);
    }
  }

  void fill(const std::string& service, v1::FileMount& file) {
    const FileKind& kind = file.in_memory() ? kSecret : kConfig;
    const auto [place, added] = contents_.try_emplace({kind.key, file.name()});
    if (added) place->second = read(kind, service, file.name());
    if (!place->second) return;
    file.set_content(place->second->bytes);
    file.set_origin(place->second->origin);
    bytes_ += file.content().size();
    if (bytes_ <= kAllBytesMax || bytes_ - file.content().size() > kAllBytesMax) return;
    problems_.add(place_of(kind, service, file.name()),
                  fmt::format("the secrets and configs come to more than {} KiB: put large files into a volume",
                              kAllBytesMax >> 10));
  }

  Position place_of(const FileKind& kind, const std::string& service, const std::string& name) const {
    const auto* services = root_.find("services");
    const auto* orchion = root_.find("x-orchion");
    const auto* jobs = orchion ? orchion->find("jobs") : nullptr;
    const auto* node = services ? services->find(service) : nullptr;
    if (!node && jobs) node = jobs->find(service);
    const auto* list = node ? node->find(kind.key) : nullptr;
    if (!list) return root_.at;
    for (const auto& item : list->items) {
      const auto* source = item.find("source");
      if ((source ? source->text : item.text) == name) return item.at;
    }
    return list->at;
  }

  std::optional<Content> read(const FileKind& kind, const std::string& service, const std::string& name) {
    const auto* map = find_value(root_, kind.key);
    const auto* node = map ? map->find(name) : nullptr;
    if (!node) {
      problems_.add(place_of(kind, service, name),
                    fmt::format("`{}` isn't declared: add it under the top-level `{}`", name, kind.key));
      return std::nullopt;
    }
    const auto* file = find_value(*node, "file");
    const auto* variable = find_value(*node, "environment");
    const auto* content = kind.in_memory ? nullptr : find_value(*node, "content");
    const auto sources = (file != nullptr) + (variable != nullptr) + (content != nullptr);
    if (sources != 1) {
      if (!node->find("external"))
        problems_.add(node->at, fmt::format("the {} `{}` must have one of `file`{} and `environment`", kind.what, name,
                                            kind.in_memory ? "" : ", `content`"));
      return std::nullopt;
    }
    if (file) return from_file(kind, *file);
    if (variable) return from_variable(kind, *variable);
    auto text = read_text(*content, "content", problems_);
    return text && fits(kind, text->size(), content->at) ? std::optional(Content{*std::move(text), "content"})
                                                         : std::nullopt;
  }

  bool fits(const FileKind& kind, std::size_t bytes, const Position& at) {
    if (bytes <= kFileBytesMax) return true;
    problems_.add(
        at, fmt::format("a {} holds at most {} KiB: put a larger file into a volume", kind.what, kFileBytesMax >> 10));
    return false;
  }

  std::optional<Content> from_file(const FileKind& kind, const Node& node) {
    const auto name = read_text(node, "file", problems_);
    const auto path =
        name ? context_.readable_path(*name, node.at, fmt::format("the {}'s file", kind.what)) : std::nullopt;
    if (!path) return std::nullopt;
    auto bytes = context_.files.read(*path, kFileBytesMax);
    if (bytes) return Content{*std::move(bytes), "file:" + path->string()};
    problems_.add(node.at, bytes.error().code == base::Code::kNotFound
                               ? fmt::format("there is no file {}: create it, or name another", *name)
                               : bytes.error().message);
    return std::nullopt;
  }

  std::optional<Content> from_variable(const FileKind& kind, const Node& node) {
    const auto name = read_text(node, "environment", problems_);
    if (!name) return std::nullopt;
    auto value = context_.scope_of(node.at).lookup(*name);
    if (!value) {
      problems_.add(node.at, fmt::format("the variable {} isn't set: set it in the environment or in .env", *name));
      return std::nullopt;
    }
    return fits(kind, value->size(), node.at) ? std::optional(Content{*std::move(value), "environment:" + *name})
                                              : std::nullopt;
  }

  const Node& root_;
  LoadContext& context_;
  Problems& problems_;
  std::map<std::pair<std::string_view, std::string>, std::optional<Content>> contents_;
  std::size_t bytes_ = 0;
};

}  // namespace

void load_files(const Node& service, v1::ContainerSpec& container, LoadContext& context) {
  load_kind(kSecret, service, container, context.problems);
  load_kind(kConfig, service, container, context.problems);
}

void fill_files(const Node& root, v1::StackSpec& spec, LoadContext& context) {
  FileFiller(root, context).run(spec);
}

}  // namespace orchion::spec
