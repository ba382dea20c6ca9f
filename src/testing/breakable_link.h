#pragma once

// The way from one simulated machine to the control plane.

#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "base/task_group.h"
#include "core/methods.h"
#include "daemon/local_link.h"
#include "node/agent/control_link.h"

namespace orchion::testing {

// What befalls the messages of a session, each by itself and both ways. One that is lost takes its connection with it,
// as with every protocol that delivers in order or not at all.
struct Disturbance {
  std::uint32_t lost_per_mille = 0;
  std::uint32_t doubled_per_mille = 0;
  std::uint32_t delayed_per_mille = 0;
  base::Duration delay_max{};
};

// A way to a control plane that may be away, or be another one by the next call. One executor.
class BreakableLink final : public node::agent::ControlLink {
 public:
  // `clock` outlives it.
  BreakableLink(base::Executor executor, base::Clock& clock, std::uint64_t seed);
  ~BreakableLink() override;

  // From now on calls reach `methods`, which stays until cut() has returned.
  void connect(const core::MethodTable& methods);

  // Ends every call; from now on nobody answers.
  base::Co<> cut();

  bool connected() const { return link_ != nullptr; }

  // Also of the session that is open.
  void disturb(const Disturbance& disturbance);

  base::Co<std::unique_ptr<node::agent::SessionStream>> open_session() override;
  base::Co<std::unique_ptr<node::agent::DataStream>> open_stream() override;

 private:
  struct Weather;

  base::Executor executor_;
  std::shared_ptr<Weather> weather_;
  std::unique_ptr<base::TaskGroup> calls_;
  std::unique_ptr<daemon::LocalLink> link_;
};

}  // namespace orchion::testing
