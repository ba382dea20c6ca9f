#include "testing/machine.h"

#include <fmt/core.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace orchion::testing {

namespace {

constexpr std::int64_t kCpus = 8;
constexpr std::int64_t kMemoryBytes = std::int64_t{16} << 30;
constexpr auto kStartLatency = std::chrono::milliseconds(20);
constexpr auto kStopLatency = std::chrono::milliseconds(50);

// What befalls its link is another stream of choices than what its agent makes.
constexpr std::uint64_t kLinkSalt = 0x6c696e6b;

v1::NodeCapabilities capabilities() {
  v1::NodeCapabilities all;
  all.set_nano_cpus(kCpus * 1'000'000'000);
  all.set_memory_bytes(kMemoryBytes);
  all.set_memory_available_bytes(kMemoryBytes);
  all.set_operating_system("simulated");
  all.set_architecture("amd64");
  all.add_runtimes()->set_name("fake");
  return all;
}

// A fake that never waits, asked from outside of the loop.
template <class T>
T ask_at_once(base::Co<T> question) {
  boost::asio::io_context io;
  std::optional<T> answer;
  boost::asio::co_spawn(io, std::move(question), [&answer](std::exception_ptr, base::Result<T> result) {
    if (result) answer = *std::move(result);
  });
  io.poll();
  return std::move(answer).value();
}

}  // namespace

base::Co<> Machine::FakeResolver::add_address(std::string address) {
  addresses.insert(address);
  co_return base::Result<>{};
}

Machine::Machine(base::Executor executor, base::Clock& true_clock, std::string hostname, std::filesystem::path folder,
                 std::uint64_t seed)
    : clock(true_clock),
      link(executor, true_clock, seed ^ kLinkSalt),
      hardware(executor, true_clock, {.start_latency = kStartLatency, .stop_latency = kStopLatency}),
      executor_(std::move(executor)),
      hostname_(std::move(hostname)),
      folder_(std::move(folder)),
      random_(seed) {}

node::agent::AgentOptions Machine::agent_options() const {
  node::agent::AgentOptions options;
  options.folder = folder_;
  options.hostname = hostname_;
  options.version = "simulated";
  options.starts_at_once = 4;
  options.boot_id = fmt::format("boot-{}", boots_);
  return options;
}

base::Co<> Machine::start_agent() {
  // What the DNS server knew died with its process.
  records_.emplace();
  resolver_.addresses.clear();
  group_ = std::make_unique<base::TaskGroup>(executor_);
  agent_ = std::make_unique<node::agent::Agent>(executor_, agent_options(),
                                                node::agent::AgentParts{.link = link,
                                                                        .clock = clock,
                                                                        .executors = executors_,
                                                                        .images = images,
                                                                        .networks = networks,
                                                                        .volumes = volumes,
                                                                        .records = *records_,
                                                                        .resolver = resolver_,
                                                                        .capabilities = capabilities},
                                                random_.next());
  CO_RETURN_IF_ERROR(co_await agent_->start());
  group_->spawn("the agent of " + hostname_, agent_->run());
  co_return base::Result<>{};
}

base::Co<> Machine::kill_agent() {
  if (!agent_) co_return base::Result<>{};
  CO_RETURN_IF_ERROR(co_await agent_->shutdown(node::agent::Agent::Goodbye::kSilent));
  CO_RETURN_IF_ERROR(co_await group_->shutdown());
  agent_.reset();
  co_return base::Result<>{};
}

void Machine::lose_power() {
  ++boots_;
  hardware.power_cut();
  networks = {};
}

std::vector<node::runtimes::ContainerInfo> Machine::containers() {
  return ask_at_once(runtime_.list());
}

std::vector<std::string> Machine::leftovers() {
  std::vector<std::string> found;
  for (const auto& container : containers()) found.push_back(fmt::format("{}: container {}", hostname_, container.id));
  for (const auto& [uid, network] : networks.networks) found.push_back(fmt::format("{}: network {}", hostname_, uid));
  for (const auto& [uid, task] : networks.tasks) found.push_back(fmt::format("{}: namespace of {}", hostname_, uid));
  for (const auto& uid : networks.published) found.push_back(fmt::format("{}: ports of {}", hostname_, uid));
  for (const auto& address : resolver_.addresses) found.push_back(fmt::format("{}: resolver {}", hostname_, address));
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(folder_ / "tasks", error))
    found.push_back(fmt::format("{}: checkpoint {}", hostname_, file.path().filename().string()));
  return found;
}

}  // namespace orchion::testing
