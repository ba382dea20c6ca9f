#include "node/agent/mesh_keeper.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/log.h"
#include "base/timeout.h"
#include "node/agent/blocking.h"

namespace orchion::node::agent {

namespace {

// By the wall, which goes on while the machine sleeps: no timer does.
constexpr auto kLook = std::chrono::seconds(1);

// The control plane waits for agents that are away, but for less than this.
constexpr auto kAnswerLimit = std::chrono::minutes(10);

}  // namespace

v1::NodeMesh MeshKeeper::mesh_of(std::string public_key) const {
  v1::NodeMesh mesh;
  mesh.set_public_key(std::move(public_key));
  mesh.set_endpoint(fmt::format("{}:{}", parts_.address ? parts_.address() : "", parts_.keys->port()));
  mesh.set_engine(parts_.keys->engine());
  return mesh;
}

base::Co<std::optional<v1::NodeMesh>> MeshKeeper::describe() {
  if (parts_.keys == nullptr) co_return std::nullopt;
  auto read = [keys = parts_.keys]() -> base::Result<std::string> { return keys->public_key(); };
  CO_ASSIGN_OR_RETURN(auto key, co_await run_blocking(parts_.workers, std::move(read)));
  co_return mesh_of(std::move(key));
}

void MeshKeeper::session_began() {
  told_at_.reset();
  heard_.notify();
}

void MeshKeeper::answered(base::Time asked, bool is_told) {
  if (!told_at_ || asked <= *told_at_ || !is_told) return;
  was_told_ = true;
  heard_.notify();
}

base::Co<> MeshKeeper::keep() {
  if (parts_.keys == nullptr) co_return base::Result<>{};
  lifetime_ = choose_lifetime();
  std::string said;
  while (true) {
    CO_RETURN_IF_ERROR(co_await parts_.clock.sleep(kLook));
    auto due = co_await is_due();
    auto done = due ? base::Result<>{} : base::Result<>(std::unexpected(due.error()));
    if (due && *due && parts_.connected()) done = co_await change_key();
    if (!done && done.error().message != said)
      base::log::warn("this node's key for the mesh: {}", done.error().message);
    said = done ? "" : done.error().message;
  }
}

base::Duration MeshKeeper::choose_lifetime() {
  const auto spread = parts_.key_lifetime / 8;
  return parts_.key_lifetime - base::Duration(parts_.random.below(static_cast<std::uint64_t>(spread.count()) + 1));
}

base::Co<bool> MeshKeeper::is_due() {
  auto read = [keys = parts_.keys] { return keys->made_at(); };
  CO_ASSIGN_OR_RETURN(const auto made, co_await run_blocking(parts_.workers, std::move(read)));
  co_return parts_.clock.wall() - made >= lifetime_;
}

base::Co<> MeshKeeper::change_key() {
  auto make = [keys = parts_.keys] { return keys->make_next(); };
  CO_ASSIGN_OR_RETURN(auto key, co_await run_blocking(parts_.workers, std::move(make)));
  told_at_ = parts_.clock.now();
  was_told_ = false;
  parts_.outbox.put_mesh(mesh_of(std::move(key)));
  auto told = co_await base::with_timeout(parts_.clock, kAnswerLimit, "the control plane's answer to it", wait_told());
  told_at_.reset();
  CO_RETURN_IF_ERROR(std::move(told));
  auto use = [keys = parts_.keys] { return keys->use_next(); };
  CO_RETURN_IF_ERROR(co_await run_blocking(parts_.workers, std::move(use)));
  lifetime_ = choose_lifetime();
  base::log::info("this node has another key for the mesh");
  co_return base::Result<>{};
}

base::Co<> MeshKeeper::wait_told() {
  while (!was_told_) {
    const auto seen = heard_.count();
    if (!told_at_)
      co_return base::fail(base::Code::kAborted, "the session ended before all others had heard of the next one");
    CO_RETURN_IF_ERROR(co_await heard_.wait(seen));
  }
  co_return base::Result<>{};
}

}  // namespace orchion::node::agent
