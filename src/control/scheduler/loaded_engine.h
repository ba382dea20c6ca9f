#pragma once

// Objects as numbers: a PlacementEngine with the nodes, volumes, groups and classes of an input, under the same
// indexes.

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "control/scheduler/engine.h"
#include "control/scheduler/explanation.h"
#include "control/scheduler/scheduler.h"

namespace orchion::control::scheduler {

// `input` outlives it.
class LoadedEngine {
 public:
  explicit LoadedEngine(const PlacementInput& input);
  LoadedEngine(const LoadedEngine&) = delete;
  LoadedEngine& operator=(const LoadedEngine&) = delete;

  PlacementEngine& operator*() { return engine_; }
  const PlacementEngine& operator*() const { return engine_; }
  PlacementEngine* operator->() { return &engine_; }
  const PlacementEngine* operator->() const { return &engine_; }

 private:
  void add_node(const NodeView& view, std::uint32_t index);
  GroupIndex add_group();
  GpuModel model_of(const v1::Gpu& gpu);
  GpuDemand demand_of(const v1::GpuRequest& request) const;  // after all nodes, whose GPUs have the models there are
  DomainColumn column_of(const std::string& key);
  void add_class(const TaskClass& wanted);
  Refusal check(const TaskClass& wanted, std::size_t n) const;

  const PlacementInput& input_;
  PlacementEngine engine_;
  std::size_t groups_ = 0;
  std::map<std::pair<std::string, std::string>, GpuModel> models_;  // by vendor and model
  std::map<std::string, DomainColumn> columns_;
};

}  // namespace orchion::control::scheduler
