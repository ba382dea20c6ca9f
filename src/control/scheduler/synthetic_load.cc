#include "control/scheduler/synthetic_load.h"

#include <deque>

namespace orchion::control::scheduler {

namespace {

constexpr std::int64_t kCore = 1'000'000'000;
constexpr std::int64_t kGiB = std::int64_t{1} << 30;
constexpr std::uint32_t kKinds = 16;
constexpr std::uint64_t kClasses = 40;
constexpr std::uint64_t kBoundOfTen = 3;
constexpr std::size_t kReplicas = 500;

}  // namespace

SyntheticLoad::SyntheticLoad(std::size_t nodes, std::uint64_t seed) : random_(seed), engine_(seed) {
  for (std::size_t n = 0; n < nodes; ++n) {
    const std::int64_t cores = std::int64_t{8} << random_.below(4);
    const auto kind = static_cast<std::uint32_t>(random_.below(kKinds));
    const auto memory_per_core = static_cast<std::int64_t>(2 + 2 * random_.below(3));
    engine_.add_node({cores * kCore, cores * memory_per_core * kGiB, 0, {}}, kind);
    kinds_.push_back(kind);
    all_cpus_ += cores * kCore;
  }
  add_classes();
  while (fill() < kLeastFill) decide();
  placed_ = refused_ = 0;
}

// Half of them are services, the others are packed. What is bound may run on two to five of the sixteen kinds.
void SyntheticLoad::add_classes() {
  for (std::uint64_t i = 0; i < kClasses; ++i) {
    ClassRules rules;
    rules.demand.nano_cpus = static_cast<std::int64_t>(1 + random_.below(16)) * kCore / 4;
    rules.demand.memory_bytes = static_cast<std::int64_t>(1 + random_.below(16)) * kGiB / 2;
    rules.strategy = i % 2 == 0 ? Strategy::kService : Strategy::kBinPack;
    rules.group = engine_.add_group();
    const bool bound = i % 3 == 0;
    if (bound) {
      const auto first = static_cast<std::uint32_t>(random_.below(kKinds));
      const auto count = static_cast<std::uint32_t>(2 + random_.below(4));
      rules.allowed = [this, first, count](NodeIndex n) { return (kinds_[n] + kKinds - first) % kKinds < count; };
    }
    const auto index = engine_.add_class(std::move(rules));
    (bound ? bound_classes_ : free_classes_).push_back(index);
  }
}

void SyntheticLoad::decide() {
  const auto& classes = random_.below(10) < kBoundOfTen ? bound_classes_ : free_classes_;
  const auto wanted = classes[random_.below(classes.size())];
  const auto spot = engine_.decide(wanted);
  if (!spot) {
    ++refused_;
    return;
  }
  ++placed_;
  reserved_cpus_ += engine_.rules(wanted).demand.nano_cpus;
  running_.push_back({wanted, *spot});
}

void SyntheticLoad::release_one() {
  auto& leaving = running_[random_.below(running_.size())];
  engine_.release(leaving.wanted, leaving.spot);
  reserved_cpus_ -= engine_.rules(leaving.wanted).demand.nano_cpus;
  leaving = running_.back();
  running_.pop_back();
}

void SyntheticLoad::run(std::size_t decisions) {
  for (std::size_t i = 0; i < decisions; ++i) {
    if (fill() >= kMostFill) filling_ = false;
    if (fill() <= kLeastFill) filling_ = true;
    // Down with two that go for each that comes, up with one for two.
    if (!filling_) release_one();
    if (!filling_ || i % 2 == 0) release_one();
    decide();
  }
}

void SyntheticLoad::run_replicas(std::size_t decisions) {
  const auto wanted = free_classes_.front();
  std::deque<Spot> there;
  for (std::size_t i = 0; i < decisions; ++i) {
    const auto spot = engine_.decide(wanted);
    if (spot) there.push_back(*spot);
    if (there.empty() || (spot && there.size() < kReplicas)) continue;
    engine_.release(wanted, there.front());
    there.pop_front();
  }
  for (const auto& spot : there) engine_.release(wanted, spot);
}

}  // namespace orchion::control::scheduler
