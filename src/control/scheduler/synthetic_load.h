#pragma once

// A cluster under churn, made up from a seed: for measuring the engine. Nodes of several sizes and kinds; services with
// many replicas and tasks that come once; three of ten tasks allowed on some kinds of nodes alone. Tasks come until 95
// % of the processors are reserved, then go in random order down to 70 %, and so on.

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "control/scheduler/engine.h"

namespace orchion::control::scheduler {

class SyntheticLoad {
 public:
  static constexpr double kLeastFill = 0.70, kMostFill = 0.95;

  // Fills the cluster to kLeastFill.
  SyntheticLoad(std::size_t nodes, std::uint64_t seed);

  // Decides until `decisions` were made, and lets tasks go in between.
  void run(std::size_t decisions);

  // Decides for replicas of one service, of which the oldest goes as one comes once there are 500.
  void run_replicas(std::size_t decisions);

  const PlacementEngine& engine() const { return engine_; }
  std::size_t placed() const { return placed_; }
  std::size_t refused() const { return refused_; }
  double fill() const { return static_cast<double>(reserved_cpus_) / static_cast<double>(all_cpus_); }

 private:
  struct Running {
    ClassIndex wanted;
    Spot spot;
  };

  void add_classes();
  void decide();
  void release_one();

  base::Random random_;
  PlacementEngine engine_;
  std::vector<std::uint32_t> kinds_;
  std::vector<ClassIndex> free_classes_, bound_classes_;
  std::vector<Running> running_;
  std::int64_t all_cpus_ = 0, reserved_cpus_ = 0;
  std::size_t placed_ = 0, refused_ = 0;
  bool filling_ = true;
};

}  // namespace orchion::control::scheduler
