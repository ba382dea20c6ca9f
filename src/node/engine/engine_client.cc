#include "node/engine/engine_client.h"

#include <algorithm>
#include <csignal>

#include <fmt/core.h>

#include "base/backoff.h"
#include "node/engine/engine_json.h"
#include "node/engine/pull_meter.h"

namespace orchion::node::engine {

namespace {

using base::Co;
using base::Code;
using base::Error;
using base::Result;
using namespace std::chrono_literals;

constexpr std::pair<int, int> kNewest{1, 47};  // what these documents were written by
constexpr std::pair<int, int> kOldest{1, 40};
constexpr std::size_t kBodyBytesMax = 32u << 20;
constexpr int kTriesMax = 4;
constexpr base::BackoffOptions kPauses{.first = 100ms, .longest = 2s};

std::string path_of(const std::string& name, const char* what) {
  return "/containers/" + wire::encode_percent(name) + what;
}

// Slashes stay: engines differ in how they read them encoded.
std::string image_path(const std::string& reference, const char* what) {
  std::string path = "/images";
  for (std::size_t at = 0; at <= reference.size();) {
    const auto end = std::min(reference.find('/', at), reference.size());
    path += "/" + wire::encode_percent(reference.substr(at, end - at));
    at = end + 1;
  }
  return path + what;
}

Code code_of(int status) {
  switch (status) {
    case 400: return Code::kInvalidArgument;
    case 401: return Code::kUnauthenticated;
    case 403: return Code::kPermissionDenied;
    case 404: return Code::kNotFound;
    case 409: return Code::kFailedPrecondition;
    default: return Code::kInternal;
  }
}

}  // namespace

EngineClient::EngineClient(base::Executor executor, base::Clock& clock, std::filesystem::path socket,
                           EngineLimits limits)
    : clock_(clock),
      socket_(std::move(socket)),
      limits_(limits),
      http_(std::move(executor), wire::Endpoint{wire::Transport::kUnix, socket_.string(), 0}) {}

EngineClient::~EngineClient() = default;

std::string EngineClient::name() const {
  return fmt::format("{} at {}", version_ ? dialect_name(version_->dialect) : "the engine", socket_.string());
}

Error EngineClient::failure(const std::string& what, int status, const std::string& body) const {
  const char* advice = status >= 500 ? ": see the engine's own log" : "";
  return {code_of(status), fmt::format("{} refused to {}: {}{}", name(), what, parse_error(body), advice), {}};
}

Error EngineClient::explain(Error error) const {
  if (error.code == Code::kUnavailable)
    return {error.code, fmt::format("{} does not answer: see whether it runs, and start it", name()), {}};
  if (error.code == Code::kDeadlineExceeded)
    return {error.code, fmt::format("{} hangs: see its log, and restart it where that does not pass", name()), {}};
  if (error.code == Code::kPermissionDenied)
    return {error.code, fmt::format("{} may not be used by this user: run the agent as root", name()), {}};
  return error;
}

Co<EngineClient::Answer> EngineClient::call_once(Call call) {
  wire::ClientRequest request;
  request.method = call.method;
  request.target = call.target;
  request.body = std::move(call.body);
  if (!request.body.empty()) request.headers.add("Content-Type", "application/json");
  CO_ASSIGN_OR_RETURN(
      auto response,
      co_await http_.send(std::move(request), call.limit > base::Duration() ? call.limit : limits_.ordinary));
  CO_ASSIGN_OR_RETURN(auto body, co_await wire::read_whole(*response.body, kBodyBytesMax));
  co_return Answer{response.status, std::move(body), std::move(response.headers)};
}

Co<EngineClient::Answer> EngineClient::call(Call call) {
  auto random = base::Random::from_system();
  base::Backoff pauses(kPauses);
  const int tries = call.repeat == Repeat::kNever ? 1 : kTriesMax;
  for (int i = 1;; ++i) {
    auto answer = co_await call_once(call);
    const bool out = !answer && answer.error().code == Code::kUnavailable;
    const bool failed = answer && answer->status >= 500 && call.repeat == Repeat::kAlways;
    if (i < tries && (out || failed)) {
      CO_RETURN_IF_ERROR(co_await clock_.sleep(pauses.next(random)));
      continue;
    }
    if (!answer) co_return std::unexpected(explain(std::move(answer).error()));
    co_return *std::move(answer);
  }
}

// By the ping: Podman asks the system's packages for its whole answer to /version, which takes seconds.
Co<EngineVersion> EngineClient::ask_version() {
  Call question{.target = "/_ping", .limit = limits_.first};
  CO_ASSIGN_OR_RETURN(const auto answer, co_await call(std::move(question)));
  if (answer.status != 200) co_return std::unexpected(failure("tell its version", answer.status, answer.body));
  EngineVersion version;
  version.api_version = answer.headers.find("Api-Version").value_or("");
  const auto podman = answer.headers.find("Libpod-Api-Version");
  version.dialect = podman ? Dialect::kPodman : Dialect::kDocker;
  // "Docker/20.10.24 (linux)"
  std::string_view server = podman.value_or(answer.headers.find("Server").value_or(""));
  server = server.substr(0, server.find(' '));
  version.version = server.substr(server.find('/') + 1);
  const auto newest = parse_api_version(version.api_version);
  if (newest == std::pair(0, 0))
    co_return base::fail(
        Code::kFailedPrecondition,
        fmt::format("what listens at {} is no container engine: name another socket", socket_.string()));
  if (newest < kOldest)
    co_return base::fail(Code::kUnimplemented, fmt::format("{} {} at {} speaks only version {} of its API: upgrade it",
                                                           dialect_name(version.dialect), version.version,
                                                           socket_.string(), version.api_version));
  const auto chosen = std::min(newest, kNewest);
  prefix_ = fmt::format("/v{}.{}", chosen.first, chosen.second);
  version_ = version;
  co_return version;
}

Co<EngineVersion> EngineClient::version() {
  if (version_) co_return *version_;
  co_return co_await ask_version();
}

Co<std::string> EngineClient::versioned(std::string target) {
  CO_RETURN_IF_ERROR(co_await version());
  co_return prefix_ + target;
}

Co<EngineInfo> EngineClient::info() {
  CO_ASSIGN_OR_RETURN(auto target, co_await versioned("/info"));
  Call question{.target = std::move(target)};
  CO_ASSIGN_OR_RETURN(const auto answer, co_await call(std::move(question)));
  if (answer.status != 200) co_return std::unexpected(failure("tell about itself", answer.status, answer.body));
  co_return parse_info(answer.body);
}

Co<std::string> EngineClient::create_container(std::string container, std::string document) {
  CO_ASSIGN_OR_RETURN(auto target, co_await versioned("/containers/create?name=" + wire::encode_percent(container)));
  // Repeated it finds the name taken, if the first one was heard: then the caller looks whose it is.
  Call order{"POST", std::move(target), std::move(document), Repeat::kWhileUnreachable, limits_.slow};
  CO_ASSIGN_OR_RETURN(const auto answer, co_await call(std::move(order)));
  if (answer.status == 201) co_return parse_id(answer.body);
  auto error = failure("create container " + container, answer.status, answer.body);
  // Podman answers 500 where the name is taken.
  const bool taken = answer.status == 409 || answer.body.find("already in use") != std::string::npos;
  if (taken) error.code = Code::kAlreadyExists;
  co_return std::unexpected(std::move(error));
}

Co<EngineClient::Started> EngineClient::start_container(std::string container) {
  CO_ASSIGN_OR_RETURN(auto target, co_await versioned(path_of(container, "/start")));
  Call order{"POST", std::move(target), {}, Repeat::kWhileUnreachable, limits_.slow};
  CO_ASSIGN_OR_RETURN(const auto answer, co_await call(std::move(order)));
  if (answer.status == 204 || answer.status == 200) co_return Started::kNow;
  if (answer.status == 304) co_return Started::kRanAlready;
  co_return std::unexpected(failure("start container " + container, answer.status, answer.body));
}

Co<> EngineClient::kill_container(std::string container, int signal) {
  CO_ASSIGN_OR_RETURN(const auto target,
                      co_await versioned(path_of(container, "/kill?signal=") + std::to_string(signal)));
  auto random = base::Random::from_system();
  base::Backoff pauses({.first = 20ms, .longest = 1s});
  for (int i = 1;; ++i) {
    Call order{"POST", target, {}, Repeat::kWhileUnreachable};
    CO_ASSIGN_OR_RETURN(const auto answer, co_await call(std::move(order)));
    if (answer.status < 300 || answer.status == 404 || answer.status == 409) co_return Result<>{};
    // It may have ended by itself meanwhile, which Podman reports as a failure, while it still lists it as running.
    CO_ASSIGN_OR_RETURN(const auto state, co_await inspect_container(container));
    if (!state || !state->running) co_return Result<>{};
    if (i == 8) co_return std::unexpected(failure("signal container " + container, answer.status, answer.body));
    CO_RETURN_IF_ERROR(co_await clock_.sleep(pauses.next(random)));
  }
}

Co<> EngineClient::remove_container(std::string container) {
  CO_ASSIGN_OR_RETURN(const auto engine, co_await version());
  // Podman would first ask it to stop, and wait.
  if (engine.dialect == Dialect::kPodman) CO_RETURN_IF_ERROR(co_await kill_container(container, SIGKILL));
  auto random = base::Random::from_system();
  base::Backoff pauses({.first = 20ms, .longest = 1s});
  for (int i = 1;; ++i) {
    CO_ASSIGN_OR_RETURN(auto target, co_await versioned(path_of(container, "?force=1&v=1")));
    Call order{"DELETE", std::move(target), {}, Repeat::kAlways, limits_.slow};
    CO_ASSIGN_OR_RETURN(const auto answer, co_await call(std::move(order)));
    if (answer.status < 300 || answer.status == 404) co_return Result<>{};
    // 409: a removal begun before is still under way.
    if (answer.status != 409 || i == 12)
      co_return std::unexpected(failure("remove container " + container, answer.status, answer.body));
    CO_RETURN_IF_ERROR(co_await clock_.sleep(pauses.next(random)));
  }
}

Co<std::optional<ContainerState>> EngineClient::inspect_container(std::string container) {
  CO_ASSIGN_OR_RETURN(auto target, co_await versioned(path_of(container, "/json")));
  Call question{.target = std::move(target)};
  CO_ASSIGN_OR_RETURN(const auto answer, co_await call(std::move(question)));
  if (answer.status == 404) co_return std::optional<ContainerState>();
  if (answer.status != 200)
    co_return std::unexpected(failure("tell about container " + container, answer.status, answer.body));
  CO_ASSIGN_OR_RETURN(auto state, parse_container(answer.body));
  co_return std::optional<ContainerState>(std::move(state));
}

Co<std::vector<ContainerSummary>> EngineClient::list_containers(std::string label, std::string value) {
  const auto filters = label.empty() ? std::string() : "&filters=" + wire::encode_percent(label_filter(label, value));
  CO_ASSIGN_OR_RETURN(auto target, co_await versioned("/containers/json?all=1" + filters));
  Call question{.target = std::move(target)};
  CO_ASSIGN_OR_RETURN(const auto answer, co_await call(std::move(question)));
  if (answer.status != 200) co_return std::unexpected(failure("list containers", answer.status, answer.body));
  co_return parse_container_list(answer.body);
}

Co<std::string> EngineClient::create_exec(std::string container, ExecRequest request) {
  CO_ASSIGN_OR_RETURN(auto target, co_await versioned(path_of(container, "/exec")));
  Call order{"POST", std::move(target), exec_document(request), Repeat::kWhileUnreachable};
  CO_ASSIGN_OR_RETURN(const auto answer, co_await call(std::move(order)));
  if (answer.status == 201) co_return parse_id(answer.body);
  co_return std::unexpected(failure("run a command in container " + container, answer.status, answer.body));
}

Co<std::unique_ptr<wire::RawStream>> EngineClient::start_exec(std::string exec, bool tty) {
  wire::ClientRequest request;
  request.method = "POST";
  CO_ASSIGN_OR_RETURN(request.target, co_await versioned("/exec/" + exec + "/start"));
  request.headers.add("Content-Type", "application/json");
  request.body = tty ? R"({"Detach":false,"Tty":true})" : R"({"Detach":false,"Tty":false})";
  co_return co_await open_stream(std::move(request), "run a command");
}

Co<std::unique_ptr<wire::RawStream>> EngineClient::attach_container(std::string name, Attached to) {
  const char* ends = to == Attached::kOutput ? "stdout=1&stderr=1" : "stdin=1";
  wire::ClientRequest request;
  request.method = "POST";
  CO_ASSIGN_OR_RETURN(request.target, co_await versioned(fmt::format("/containers/{}/attach?stream=1&{}", name, ends)));
  co_return co_await open_stream(std::move(request), "attach to container " + name);
}

Co<std::unique_ptr<wire::RawStream>> EngineClient::open_stream(wire::ClientRequest request, std::string what) {
  auto upgrade = co_await http_.upgrade(std::move(request), "tcp", limits_.slow);
  if (!upgrade) co_return std::unexpected(explain(std::move(upgrade).error()));
  if (upgrade->stream) co_return std::move(upgrade->stream);
  CO_ASSIGN_OR_RETURN(const auto body, co_await wire::read_whole(*upgrade->response.body, kBodyBytesMax));
  co_return std::unexpected(failure(what, upgrade->response.status, body));
}

Co<> EngineClient::resize_exec(std::string exec, std::uint16_t columns, std::uint16_t rows) {
  co_return co_await resize("/exec/" + exec, columns, rows);
}

Co<> EngineClient::resize_container(std::string name, std::uint16_t columns, std::uint16_t rows) {
  co_return co_await resize("/containers/" + name, columns, rows);
}

Co<> EngineClient::resize(std::string path, std::uint16_t columns, std::uint16_t rows) {
  CO_ASSIGN_OR_RETURN(auto target, co_await versioned(fmt::format("{}/resize?h={}&w={}", path, rows, columns)));
  Call order{"POST", std::move(target), {}, Repeat::kWhileUnreachable};
  CO_ASSIGN_OR_RETURN(const auto answer, co_await call(std::move(order)));
  if (answer.status < 300) co_return Result<>{};
  co_return std::unexpected(failure("resize a terminal", answer.status, answer.body));
}

Co<ExecState> EngineClient::inspect_exec(std::string exec) {
  CO_ASSIGN_OR_RETURN(auto target, co_await versioned("/exec/" + exec + "/json"));
  Call question{.target = std::move(target)};
  CO_ASSIGN_OR_RETURN(const auto answer, co_await call(std::move(question)));
  if (answer.status == 200) co_return parse_exec(answer.body);
  co_return std::unexpected(failure("tell about a command it ran", answer.status, answer.body));
}

Co<std::optional<EngineImage>> EngineClient::inspect_image(std::string reference) {
  CO_ASSIGN_OR_RETURN(auto target, co_await versioned(image_path(reference, "/json")));
  Call question{.target = std::move(target)};
  CO_ASSIGN_OR_RETURN(const auto answer, co_await call(std::move(question)));
  if (answer.status == 404) co_return std::optional<EngineImage>();
  if (answer.status != 200)
    co_return std::unexpected(failure("tell about image " + reference, answer.status, answer.body));
  CO_ASSIGN_OR_RETURN(auto image, parse_image(answer.body));
  co_return std::optional<EngineImage>(std::move(image));
}

Co<> EngineClient::read_progress(wire::ClientResponse response, std::string what, OnProgress on_progress) {
  PullMeter meter;
  if (response.status != 200) {
    CO_ASSIGN_OR_RETURN(const auto body, co_await wire::read_whole(*response.body, kBodyBytesMax));
    co_return std::unexpected(failure(what, response.status, body));
  }
  std::string rest;
  while (true) {
    auto piece = co_await response.body->read();
    if (!piece) co_return std::unexpected(explain(std::move(piece).error()));
    if (*piece) rest += **piece;
    if (!*piece) rest += '\n';
    for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n')) {
      const auto progress = parse_progress(std::string_view(rest).substr(0, end));
      rest.erase(0, end + 1);
      if (!progress.failure.empty())
        co_return base::fail(Code::kInternal, fmt::format("{} could not {}: {}", name(), what, progress.failure));
      if (on_progress && meter.add(progress)) on_progress(meter.done_bytes(), meter.total_bytes());
    }
    if (rest.size() > kBodyBytesMax) rest.clear();  // no line of progress is that long
    if (!*piece) co_return Result<>{};
  }
}

Co<> EngineClient::pull_image(std::string reference, OnProgress on_progress) {
  wire::ClientRequest request;
  request.method = "POST";
  CO_ASSIGN_OR_RETURN(request.target,
                      co_await versioned("/images/create?fromImage=" + wire::encode_percent(reference)));
  auto response = co_await http_.send(std::move(request), limits_.stall);
  if (!response) co_return std::unexpected(explain(std::move(response).error()));
  auto pulled = co_await read_progress(*std::move(response), "pull image " + reference, std::move(on_progress));
  if (pulled) co_return Result<>{};
  auto error = std::move(pulled).error();
  const auto says = [&](const char* part) { return error.message.find(part) != std::string::npos; };
  if (says("not found") || says("manifest unknown") || says("does not exist") || says("access denied") ||
      says("denied: requested"))
    error.code = Code::kNotFound;
  else if (says("dial tcp") || says("no such host") || says("timeout") || says("connection refused"))
    error.code = Code::kUnavailable;
  const char* advice = error.code == Code::kNotFound      ? ": check its name, and the engine's login to the registry"
                       : error.code == Code::kUnavailable ? ": see whether the registry can be reached from here"
                                                          : "";
  error.message += advice;
  co_return std::unexpected(std::move(error));
}

Co<> EngineClient::load_image(std::shared_ptr<wire::BodyReader> archive) {
  wire::ClientRequest request;
  request.method = "POST";
  CO_ASSIGN_OR_RETURN(request.target, co_await versioned("/images/load?quiet=1"));
  request.headers.add("Content-Type", "application/x-tar");
  request.streamed_body = std::move(archive);
  auto response = co_await http_.send(std::move(request), limits_.stall);
  if (!response) co_return std::unexpected(explain(std::move(response).error()));
  co_return co_await read_progress(*std::move(response), "load an image");
}

Co<std::unique_ptr<wire::BodyReader>> EngineClient::save_image(std::string reference) {
  wire::ClientRequest request;
  CO_ASSIGN_OR_RETURN(request.target, co_await versioned(image_path(reference, "/get")));
  auto response = co_await http_.send(std::move(request), limits_.stall);
  if (!response) co_return std::unexpected(explain(std::move(response).error()));
  if (response->status < 300) co_return std::move(response->body);
  CO_ASSIGN_OR_RETURN(const auto body, co_await wire::read_whole(*response->body, kBodyBytesMax));
  co_return std::unexpected(failure("save image " + reference, response->status, body));
}

Co<std::unique_ptr<wire::BodyReader>> EngineClient::read_files(std::string container, std::string path) {
  wire::ClientRequest request;
  CO_ASSIGN_OR_RETURN(request.target,
                      co_await versioned(path_of(container, "/archive?path=") + wire::encode_percent(path)));
  auto response = co_await http_.send(std::move(request), limits_.stall);
  if (!response) co_return std::unexpected(explain(std::move(response).error()));
  if (response->status < 300) co_return std::move(response->body);
  CO_ASSIGN_OR_RETURN(const auto body, co_await wire::read_whole(*response->body, kBodyBytesMax));
  co_return std::unexpected(failure("read " + path, response->status, body));
}

Co<> EngineClient::tag_image(std::string image, std::string repository, std::string tag) {
  CO_ASSIGN_OR_RETURN(auto target,
                      co_await versioned(image_path(image, "/tag?repo=") + wire::encode_percent(repository) +
                                         "&tag=" + wire::encode_percent(tag)));
  Call order{"POST", std::move(target), {}, Repeat::kAlways};
  CO_ASSIGN_OR_RETURN(const auto answer, co_await call(std::move(order)));
  if (answer.status < 300) co_return Result<>{};
  co_return std::unexpected(failure("name an image " + repository + ":" + tag, answer.status, answer.body));
}

}  // namespace orchion::node::engine
