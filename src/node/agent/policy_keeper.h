#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/co.h"
#include "node/agent/change_signal.h"
#include "node/agent/policy_table.h"
#include "node/networks/networks.h"

namespace orchion::node::agent {

// Brings into force what the policy table says. One executor.
class PolicyKeeper {
 public:
  PolicyKeeper(base::Executor executor, base::Clock& clock, networks::Networks& networks)
      : clock_(clock), networks_(networks), changed_(std::move(executor)) {}

  // Who changes it calls enforce(), or notify() where nothing waits for it.
  PolicyTable& table() { return table_; }
  void notify() { changed_.notify(); }

  // All that the table says is in force when it returns: called before a task's first packet.
  base::Co<> enforce();

  // The same of what the machine may have lost: its rules were made anew.
  base::Co<> enforce_again();

  // What a name outside was just told to mean, which policies may ask for: its addresses are let through when it
  // returns.
  bool asks_for(std::string_view name) const { return table_.asks_for(name); }
  base::Co<> learn(std::string name, std::vector<std::string> addresses, std::chrono::seconds ttl);

  // Until cancelled; one of it runs: what failed is tried again, what has expired is taken back.
  base::Co<> keep();

 private:
  PolicyTable table_;
  base::Clock& clock_;
  networks::Networks& networks_;
  ChangeSignal changed_;
  bool busy_ = false;   // somebody tells the machine
  bool untold_ = true;  // it may hold something else than what was taken from the table
};

}  // namespace orchion::node::agent
