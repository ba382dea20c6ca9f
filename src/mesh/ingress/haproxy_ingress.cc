#include "mesh/ingress/haproxy_ingress.h"

#include <algorithm>

#include <pwd.h>
#include <sys/resource.h>

#include "base/process.h"

namespace orchion::mesh::ingress {

using base::Code;

namespace {

// Of each connection the client's half and the service's; some descriptors are HAProxy's own.
constexpr rlim_t kOwnDescriptors = 200;
constexpr rlim_t kConnectionsMax = 50'000;

unsigned connections_max() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_max <= kOwnDescriptors) return 100;
  return static_cast<unsigned>(std::min((files.rlim_max - kOwnDescriptors) / 2, kConnectionsMax));
}

// Debian's package makes a user for it.
void choose_user(HaproxySettings& settings) {
  for (const auto* name : {"haproxy", "nobody"}) {
    passwd entry{};
    passwd* found = nullptr;
    char buffer[4096];
    if (::getpwnam_r(name, &entry, buffer, sizeof buffer, &found) != 0 || found == nullptr) continue;
    settings.uid = found->pw_uid;
    settings.gid = found->pw_gid;
    return;
  }
}

}  // namespace

HaproxyIngress::HaproxyIngress(HaproxySettings settings, std::string program, std::string engine,
                               base::WorkerPool& workers)
    : settings_(std::move(settings)),
      engine_(std::move(engine)),
      workers_(workers),
      haproxy_(std::make_shared<Haproxy>(settings_, std::move(program))) {}

base::Result<std::unique_ptr<HaproxyIngress>> HaproxyIngress::open(Options options, base::WorkerPool& workers) {
  const auto program = base::find_program("haproxy");
  if (!program)
    return base::fail(
        Code::kFailedPrecondition,
        "an ingress needs HAProxy, which isn't here: install it (`apt install haproxy`), or start without "
        "--ingress");
  ASSIGN_OR_RETURN(auto engine, haproxy_version(*program));
  HaproxySettings settings{.http = options.http, .https = options.https, .folder = options.folder.string()};
  settings.connections_max = connections_max();
  choose_user(settings);
  std::unique_ptr<HaproxyIngress> ingress(new HaproxyIngress(settings, *program, std::move(engine), workers));
  if (!ingress->haproxy_->master_pid()) {
    RETURN_IF_ERROR(check_address(settings.http, "--ingress-http"));
    RETURN_IF_ERROR(check_address(settings.https, "--ingress-https"));
  }
  return ingress;
}

base::Co<bool> HaproxyIngress::apply(std::vector<RoutedService> services) {
  auto job = [haproxy = haproxy_, settings = settings_, services = std::move(services)]() -> base::Result<bool> {
    if (!services.empty()) return haproxy->apply(make_config(settings, services));
    RETURN_IF_ERROR(haproxy->end());
    return true;
  };
  auto done = co_await workers_.run(std::move(job));
  const std::lock_guard lock(mutex_);
  problem_ = done ? "" : done.error().message;
  co_return done;
}

base::Co<bool> HaproxyIngress::is_up() {
  auto job = [haproxy = haproxy_]() -> base::Result<bool> { return haproxy->master_pid().has_value(); };
  co_return co_await workers_.run(std::move(job));
}

v1::IngressInfo HaproxyIngress::info() const {
  v1::IngressInfo info;
  info.set_http(settings_.http);
  info.set_https(settings_.https);
  info.set_engine(engine_);
  const std::lock_guard lock(mutex_);
  info.set_message(problem_);
  return info;
}

base::Result<> end_haproxy(const std::filesystem::path& folder) {
  return Haproxy({.folder = folder.string()}, "").end();
}

}  // namespace orchion::mesh::ingress
