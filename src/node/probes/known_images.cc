#include "node/probes/known_images.h"

#include <filesystem>
#include <utility>

#include <fmt/core.h>
#include <yaml-cpp/yaml.h>

#include "base/file.h"
#include "base/log.h"
#include "core/health_check.h"
#include "core/image_reference.h"
#include "core/timestamps.h"

namespace orchion::node::probes {

namespace {

constexpr std::size_t kFileBytesMax = 256u << 10;
constexpr std::uint32_t kPortMost = 65535;

// Where an entry says nothing else. A port is asked more often than a program is started.
constexpr auto kInterval = std::chrono::seconds(10);
constexpr auto kCommandInterval = std::chrono::seconds(30);
constexpr auto kTimeout = std::chrono::seconds(10);
constexpr auto kStartPeriod = std::chrono::minutes(1);

// What an entry says wrongly; caught where the entry is read, as yaml-cpp's own are.
[[noreturn]] void refuse(std::string sentence) {
  throw YAML::Exception(YAML::Mark::null_mark(), sentence);
}

std::uint32_t read_port(const YAML::Node& node) {
  const auto port = node.as<std::uint32_t>(0);
  if (port == 0 || port > kPortMost) refuse(fmt::format("a port is a number from 1 to {}", kPortMost));
  return port;
}

// "30s", "5m", "1h".
base::Duration read_duration(const YAML::Node& node) {
  const auto text = node.as<std::string>("");
  std::size_t end = 0;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
  const auto unit = text.substr(end);
  if (end == 0 || end > 6 || (unit != "s" && unit != "m" && unit != "h"))
    refuse(fmt::format("`{}` is no duration: write a number and s, m or h", text));
  const std::chrono::seconds seconds(std::stol(text) * (unit == "h" ? 3600 : unit == "m" ? 60 : 1));
  if (seconds.count() == 0) refuse("a duration must be longer than nothing");
  return seconds;
}

void read_http(const YAML::Node& node, v1::HttpProbe& http) {
  for (const auto& pair : node) {
    const auto key = pair.first.as<std::string>();
    if (key == "port") {
      http.set_port(read_port(pair.second));
    } else if (key == "path") {
      http.set_path(pair.second.as<std::string>());
    } else if (key == "tls") {
      http.set_tls(pair.second.as<bool>());
    } else if (key == "host") {
      http.set_host(pair.second.as<std::string>());
    } else {
      refuse(fmt::format("`{}` isn't a key of http: use port, path, tls and host", key));
    }
  }
  if (http.port() == 0) refuse("`http` has no `port`");
}

void read_command(const YAML::Node& node, v1::StringList& test) {
  test.add_values(node.IsScalar() ? "CMD-SHELL" : "CMD");
  if (node.IsScalar()) return test.add_values(node.as<std::string>());
  for (const auto& word : node) test.add_values(word.as<std::string>());
}

bool read_way(const std::string& key, const YAML::Node& value, v1::HealthCheck& check) {
  if (key == "tcp") {
    check.mutable_tcp()->set_port(read_port(value));
  } else if (key == "grpc") {
    check.mutable_grpc()->set_port(read_port(value));
  } else if (key == "http") {
    read_http(value, *check.mutable_http());
  } else if (key == "command") {
    read_command(value, *check.mutable_test());
  } else {
    return false;
  }
  return true;
}

bool read_figure(const std::string& key, const YAML::Node& value, v1::HealthCheck& check) {
  if (key == "interval") {
    *check.mutable_interval() = core::to_duration(read_duration(value));
  } else if (key == "timeout") {
    *check.mutable_timeout() = core::to_duration(read_duration(value));
  } else if (key == "start_period") {
    *check.mutable_start_period() = core::to_duration(read_duration(value));
  } else if (key == "start_interval") {
    *check.mutable_start_interval() = core::to_duration(read_duration(value));
  } else if (key == "retries") {
    check.set_retries(value.as<std::uint32_t>());
  } else {
    return false;
  }
  return true;
}

void fill_in(v1::HealthCheck& check) {
  const bool is_command = check.test().values_size() > 0;
  if (!check.has_interval()) *check.mutable_interval() = core::to_duration(is_command ? kCommandInterval : kInterval);
  if (!check.has_timeout()) *check.mutable_timeout() = core::to_duration(kTimeout);
  if (!check.has_start_period()) *check.mutable_start_period() = core::to_duration(kStartPeriod);
}

std::string name_of_image(const std::string& text) {
  const auto reference = core::parse_image_reference(text);
  if (!reference) refuse(reference.error().message);
  return reference->name();
}

// The one TCP port that the service publishes; 0 where those are none, several, or the one that is asked anyway.
std::uint32_t other_port(const v1::ContainerSpec& container, std::uint32_t asked) {
  std::uint32_t found = 0;
  for (const auto& port : container.ports()) {
    if (port.protocol() == "udp") continue;
    if (port.container_port() == asked || (found != 0 && port.container_port() != found)) return 0;
    found = port.container_port();
  }
  return found;
}

// nullopt: it is taken out.
base::Result<std::optional<KnownImages::Entry>> read_entry(const std::string& name, const YAML::Node& map) {
  KnownImages::Entry entry;
  int ways = 0;
  bool disabled = false;
  try {
    if (!map.IsMap()) refuse("it must be a map");
    for (const auto& pair : map) {
      const auto key = pair.first.as<std::string>();
      if (key == "images") {
        for (const auto& image : pair.second) entry.images.push_back(name_of_image(image.as<std::string>()));
      } else if (key == "follow_port") {
        entry.follow_port = pair.second.as<bool>();
      } else if (key == "disable") {
        disabled = pair.second.as<bool>();
      } else if (read_way(key, pair.second, entry.check)) {
        ++ways;
      } else if (!read_figure(key, pair.second, entry.check)) {
        refuse(fmt::format("there is no key `{}`", key));
      }
    }
    if (disabled) return std::nullopt;
    if (ways != 1) refuse("it must have one of http, tcp, grpc and command");
    if (!core::is_check(entry.check)) refuse("its command has no words");
    if (entry.images.empty()) refuse("it must name `images`");
  } catch (const YAML::Exception& error) {
    return base::fail(base::Code::kInvalidArgument, fmt::format("the check `{}`: {}", name, error.msg));
  }
  fill_in(entry.check);
  entry.check.set_origin(core::known_image_origin(name));
  return entry;
}

}  // namespace

base::Result<KnownImages> KnownImages::embedded() {
  return KnownImages().with(known_images_yaml());
}

base::Result<KnownImages> KnownImages::with(std::string_view yaml) const {
  KnownImages result = *this;
  YAML::Node file;
  try {
    file = YAML::Load(std::string(yaml));
  } catch (const YAML::Exception& error) {
    return base::fail(base::Code::kInvalidArgument, fmt::format("it is no YAML: {}", error.what()));
  }
  if (file.IsNull()) return result;
  if (!file.IsMap()) return base::fail(base::Code::kInvalidArgument, "it must be a map of checks by name");
  for (const auto& pair : file) {
    const auto name = pair.first.as<std::string>("");
    ASSIGN_OR_RETURN(auto entry, read_entry(name, pair.second));
    result.entries_.erase(name);
    if (entry) result.entries_.emplace(name, *std::move(entry));
  }
  result.index();
  return result;
}

void KnownImages::index() {
  names_.clear();
  for (const auto& [name, entry] : entries_)
    for (const auto& image : entry.images) names_.emplace(image, name);
}

std::optional<v1::HealthCheck> KnownImages::find(const v1::ContainerSpec& container) const {
  const auto reference = core::parse_image_reference(container.image());
  if (!reference) return std::nullopt;
  const auto found = names_.find(reference->name());
  if (found == names_.end()) return std::nullopt;
  const auto& entry = entries_.find(found->second)->second;
  auto check = entry.check;
  if (!entry.follow_port) return check;
  const auto port = other_port(container, check.has_http() ? check.http().port() : check.tcp().port());
  if (port != 0 && check.has_http()) check.mutable_http()->set_port(port);
  if (port != 0 && check.has_tcp()) check.mutable_tcp()->set_port(port);
  return check;
}

std::shared_ptr<const KnownImages> load_known_images(const std::string& path) {
  auto known = KnownImages::embedded();
  if (!known) {
    base::log::error("the checks of well-known images: {}", known.error().message);
    return std::make_shared<const KnownImages>();
  }
  auto text = base::read_file(path, kFileBytesMax);
  if (!text && text.error().code == base::Code::kNotFound)
    return std::make_shared<const KnownImages>(*std::move(known));
  auto changed = text ? known->with(*text) : base::Result<KnownImages>(std::unexpected(text.error()));
  if (!changed) base::log::warn("{} is passed over: {}", path, changed.error().message);
  return std::make_shared<const KnownImages>(changed ? *std::move(changed) : *std::move(known));
}

}  // namespace orchion::node::probes
