#include "node/engine/engine_json.h"

#include <charconv>

#include <fmt/core.h>
#include <boost/json.hpp>

#include "core/timestamp.h"

namespace orchion::node::engine {

namespace json = boost::json;

namespace {

using base::Code;
using base::Result;

constexpr std::size_t kErrorBytesMax = 500;

std::unexpected<base::Error> unreadable(std::string_view what) {
  return base::fail(Code::kDataLoss, fmt::format("the engine's answer about {} cannot be read: see its version", what));
}

Result<json::object> parse_object(std::string_view text, std::string_view what) {
  boost::system::error_code failed;
  auto value = json::parse({text.data(), text.size()}, failed);
  if (failed || !value.is_object()) return unreadable(what);
  return std::move(value.as_object());
}

const json::value* field(const json::object& object, std::string_view name) {
  return object.if_contains({name.data(), name.size()});
}

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = field(object, name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::int64_t number_of(const json::object& object, std::string_view name) {
  const auto* value = field(object, name);
  std::error_code failed;
  const auto number = value != nullptr && value->is_number() ? value->to_number<std::int64_t>(failed) : 0;
  return failed ? 0 : number;
}

bool flag_of(const json::object& object, std::string_view name) {
  const auto* value = field(object, name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

const json::object& object_of(const json::object& object, std::string_view name) {
  static const json::object nothing;
  const auto* value = field(object, name);
  return value != nullptr && value->is_object() ? value->get_object() : nothing;
}

std::vector<std::string> texts_of(const json::object& object, std::string_view name) {
  std::vector<std::string> texts;
  const auto* value = field(object, name);
  if (value == nullptr) return texts;
  if (value->is_string()) texts.emplace_back(value->get_string());
  if (!value->is_array()) return texts;
  for (const auto& item : value->get_array()) {
    if (item.is_string()) texts.emplace_back(item.get_string());
  }
  return texts;
}

std::map<std::string, std::string> map_of(const json::object& object, std::string_view name) {
  std::map<std::string, std::string> map;
  for (const auto& [key, value] : object_of(object, name)) {
    if (value.is_string()) map.emplace(std::string(key), std::string(value.get_string()));
  }
  return map;
}

base::WallTime time_of(const json::object& object, std::string_view name) {
  return core::parse_timestamp(text_of(object, name)).value_or(base::WallTime());
}

std::string without_slash(std::string name) {
  if (name.starts_with('/')) name.erase(0, 1);
  return name;
}

}  // namespace

const char* dialect_name(Dialect dialect) {
  return dialect == Dialect::kPodman ? "podman" : "docker";
}

Result<EngineInfo> parse_info(std::string_view text) {
  ASSIGN_OR_RETURN(const auto object, parse_object(text, "itself"));
  EngineInfo info;
  const auto first = text_of(object, "DefaultRuntime");
  if (!first.empty()) info.oci_runtimes.push_back(first);
  for (const auto& [name, runtime] : object_of(object, "Runtimes")) {
    if (std::string_view(name) != first) info.oci_runtimes.emplace_back(name);
  }
  return info;
}

Result<ContainerState> parse_container(std::string_view text) {
  ASSIGN_OR_RETURN(const auto object, parse_object(text, "a container"));
  const auto& state = object_of(object, "State");
  const auto& config = object_of(object, "Config");
  ContainerState container;
  container.id = text_of(object, "Id");
  container.name = without_slash(text_of(object, "Name"));
  container.labels = map_of(config, "Labels");
  container.running = flag_of(state, "Running");
  container.pid = container.running ? number_of(state, "Pid") : 0;
  container.exit_code = static_cast<int>(number_of(state, "ExitCode"));
  container.oom_killed = flag_of(state, "OOMKilled");
  container.error = text_of(state, "Error");
  container.started_at = time_of(state, "StartedAt");
  container.finished_at = time_of(state, "FinishedAt");
  container.ever_started = container.started_at > base::WallTime();
  container.log_path = text_of(object, "LogPath");
  container.tty = flag_of(config, "Tty");
  if (container.id.empty()) return unreadable("a container");
  return container;
}

Result<std::vector<ContainerSummary>> parse_container_list(std::string_view text) {
  boost::system::error_code failed;
  const auto value = json::parse({text.data(), text.size()}, failed);
  if (failed || !value.is_array()) return unreadable("its containers");
  std::vector<ContainerSummary> containers;
  for (const auto& item : value.get_array()) {
    if (!item.is_object()) return unreadable("its containers");
    const auto& object = item.get_object();
    const auto names = texts_of(object, "Names");
    containers.push_back({text_of(object, "Id"), names.empty() ? std::string() : without_slash(names[0]),
                          map_of(object, "Labels"), text_of(object, "Image"), text_of(object, "State"),
                          base::WallTime(std::chrono::seconds(number_of(object, "Created")))});
  }
  return containers;
}

Result<ExecState> parse_exec(std::string_view text) {
  ASSIGN_OR_RETURN(const auto object, parse_object(text, "an exec"));
  return ExecState{flag_of(object, "Running"), static_cast<int>(number_of(object, "ExitCode"))};
}

Result<EngineImage> parse_image(std::string_view text) {
  ASSIGN_OR_RETURN(const auto object, parse_object(text, "an image"));
  const auto& config = object_of(object, "Config");
  EngineImage image;
  image.id = text_of(object, "Id");
  image.tags = texts_of(object, "RepoTags");
  image.digests = texts_of(object, "RepoDigests");
  image.architecture = text_of(object, "Architecture");
  image.size_bytes = number_of(object, "Size");
  image.created_at = time_of(object, "Created");
  image.entrypoint = texts_of(config, "Entrypoint");
  image.command = texts_of(config, "Cmd");
  image.environment = texts_of(config, "Env");
  image.working_dir = text_of(config, "WorkingDir");
  image.user = text_of(config, "User");
  image.stop_signal = text_of(config, "StopSignal");
  for (const auto& [path, nothing] : object_of(config, "Volumes")) image.volumes.emplace_back(path);
  image.labels = map_of(config, "Labels");
  if (const auto& check = object_of(config, "Healthcheck"); !check.empty())
    image.health_check = core::ImageHealthCheck{.test = texts_of(check, "Test"),
                                                .interval = number_of(check, "Interval"),
                                                .timeout = number_of(check, "Timeout"),
                                                .start_period = number_of(check, "StartPeriod"),
                                                .start_interval = number_of(check, "StartInterval"),
                                                .retries = number_of(check, "Retries")};
  if (image.id.empty()) return unreadable("an image");
  if (!image.id.starts_with("sha256:")) image.id = "sha256:" + image.id;
  return image;
}

Result<std::string> parse_id(std::string_view text) {
  ASSIGN_OR_RETURN(const auto object, parse_object(text, "what it made"));
  auto id = text_of(object, "Id");
  if (id.empty()) return unreadable("what it made");
  return id;
}

std::string parse_error(std::string_view body) {
  boost::system::error_code failed;
  const auto value = json::parse({body.data(), body.size()}, failed);
  auto message = !failed && value.is_object() ? text_of(value.get_object(), "message") : std::string();
  if (message.empty()) message = std::string(body);
  while (message.ends_with('\n')) message.pop_back();
  if (message.size() > kErrorBytesMax) message.resize(kErrorBytesMax);
  return message.empty() ? "it said nothing" : message;
}

std::string exec_document(const ExecRequest& request) {
  json::object object{{"AttachStdin", request.stdin},
                      {"AttachStdout", true},
                      {"AttachStderr", true},
                      {"Tty", request.tty},
                      {"Cmd", json::value_from(request.arguments)}};
  if (!request.environment.empty()) object["Env"] = json::value_from(request.environment);
  if (!request.user.empty()) object["User"] = request.user;
  if (!request.working_dir.empty()) object["WorkingDir"] = request.working_dir;
  return json::serialize(object);
}

std::string label_filter(const std::string& name, const std::string& value) {
  return json::serialize(json::object{{"label", json::array{json::string(name + "=" + value)}}});
}

ProgressLine parse_progress(std::string_view line) {
  ProgressLine progress;
  boost::system::error_code failed;
  const auto value = json::parse({line.data(), line.size()}, failed);
  if (failed || !value.is_object()) return progress;
  const auto& object = value.get_object();
  progress.failure = text_of(object, "error");
  if (progress.failure.empty()) progress.failure = text_of(object_of(object, "errorDetail"), "message");
  const auto id = text_of(object, "id");
  progress.layer = id;
  progress.verb = text_of(object, "status");
  progress.status = id.empty() ? progress.verb : id + ": " + progress.verb;
  const auto& detail = object_of(object, "progressDetail");
  const auto bytes = [&](const char* key) -> std::uint64_t {
    const auto* number = detail.if_contains(key);
    return number != nullptr && number->is_int64() && number->get_int64() > 0
               ? static_cast<std::uint64_t>(number->get_int64())
               : 0;
  };
  progress.current_bytes = bytes("current");
  progress.total_bytes = bytes("total");
  return progress;
}

std::pair<int, int> parse_api_version(std::string_view text) {
  std::pair<int, int> version;
  const auto* end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, version.first);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return {0, 0};
  const auto minor = std::from_chars(major.ptr + 1, end, version.second);
  if (minor.ec != std::errc() || minor.ptr != end) return {0, 0};
  return version;
}

}  // namespace orchion::node::engine
