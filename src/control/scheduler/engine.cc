#include "control/scheduler/engine.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

namespace orchion::control::scheduler {

namespace {

constexpr std::uint8_t kUnknown = 0, kNo = 1, kYes = 2;

// Twenty bytes a node each, so 560 of the 1024 that a node may take.
constexpr std::size_t kRankingsMax = 28;

// A class is ranked when what it has looked at without would have paid for this many looks at all nodes.
constexpr std::size_t kLooksBeforeRanking = 4;

// Catching up with more changes than this costs more than a sample: each is a score and a path through a tree that
// isn't in the cache.
constexpr std::size_t kCatchUpMax = 16;

// Unsigned numbers in the order of the floats.
std::uint32_t ordered(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value + 0.0F);  // no negative zero
  return (bits >> 31) != 0 ? ~bits : bits | 0x8000'0000U;
}

std::uint64_t capped(std::uint64_t value, unsigned bits) {
  return std::min(value, (std::uint64_t{1} << bits) - 1);
}

std::uint32_t count_at(const std::unordered_map<std::uint32_t, std::uint32_t>& counts, std::uint32_t key) {
  if (counts.empty()) return 0;
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

NodeIndex PlacementEngine::add_node(const Capacity& capacity, std::uint32_t kind) {
  for (auto& state : classes_) state.ranking.reset();
  rankings_ = 0;
  ++releases_;
  kinds_.push_back(kind);
  ports_.emplace_back();
  fragmentation_.push_back(-1);
  return nodes_.add(capacity);
}

void PlacementEngine::set_domains(DomainColumn column, std::vector<std::uint32_t> values) {
  if (domains_.size() <= column) domains_.resize(column + 1);
  domains_[column] = std::move(values);
}

void PlacementEngine::reserve(NodeIndex node, const Demand& demand, std::uint32_t tasks, std::vector<HostPort> ports) {
  nodes_.reserve(node, demand, tasks);
  ports_[node].insert(ports_[node].end(), ports.begin(), ports.end());
  touch(node);
}

void PlacementEngine::reserve_gpu(NodeIndex node, std::size_t gpu, std::uint32_t milli, std::int64_t memory_bytes) {
  nodes_.reserve_gpu(node, gpu, milli, memory_bytes);
  touch(node);
}

std::uint32_t PlacementEngine::add_volume(std::int64_t node) {
  volumes_.push_back(node);
  return static_cast<std::uint32_t>(volumes_.size() - 1);
}

GroupIndex PlacementEngine::add_group() {
  groups_.emplace_back();
  return static_cast<GroupIndex>(groups_.size() - 1);
}

void PlacementEngine::count_in(GroupIndex group, NodeIndex node, std::uint32_t tasks) {
  groups_[group][node] += tasks;
  touch(node);
}

ClassIndex PlacementEngine::add_class(ClassRules rules) {
  ClassState state;
  state.avoided.insert(rules.avoided.begin(), rules.avoided.end());
  for (const auto node : rules.unloved) state.unloved[node] = 1;
  state.rules = std::move(rules);
  classes_.push_back(std::move(state));
  return static_cast<ClassIndex>(classes_.size() - 1);
}

void PlacementEngine::arrived(ClassIndex wanted) {
  if (classes_[wanted].rules.demand.gpus.count > 0) mix_.arrived(wanted);
}

void PlacementEngine::touch(NodeIndex node) {
  fragmentation_[node] = -1;
  journal_.push_back(node);
  if (journal_.size() < 2 * nodes_.size() + 2 * kCatchUpMax) return;
  const auto half = journal_.size() / 2;
  journal_.erase(journal_.begin(), journal_.begin() + static_cast<std::ptrdiff_t>(half));
  journal_begin_ += half;
}

std::uint64_t PlacementEngine::next_random() {  // SplitMix64
  std::uint64_t z = (random_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// --- whether a node will do ---

inline bool PlacementEngine::is_allowed(ClassState& state, NodeIndex node) const {
  if (!state.rules.allowed) return true;
  const auto kind = kinds_[node];
  if (kind < state.allowed.size() && state.allowed[kind] != kUnknown) return state.allowed[kind] == kYes;
  if (state.allowed.size() <= kind) state.allowed.resize(kind + 1, kUnknown);
  auto& known = state.allowed[kind];
  if (known == kUnknown) known = state.rules.allowed(node) ? kYes : kNo;
  return known == kYes;
}

inline bool PlacementEngine::has_room(const ClassState& state, NodeIndex node) const {
  const auto& rules = state.rules;
  if (!nodes_.fits(node, rules.demand)) return false;
  if (rules.tasks_per_node_max > 0 && count_at(groups_[rules.group], node) >= rules.tasks_per_node_max) return false;
  if (rules.volumes.empty() && rules.ports.empty()) return true;
  const auto at = static_cast<ClassIndex>(&state - classes_.data());
  return (rules.volumes.empty() || missing_volume(at, node) == nullptr) &&
         (rules.ports.empty() || collision(at, node) == nullptr);
}

const std::uint32_t* PlacementEngine::missing_volume(ClassIndex wanted, NodeIndex node) const {
  for (const auto& volume : classes_[wanted].rules.volumes)
    if (volumes_[volume] != kAnywhere && volumes_[volume] != static_cast<std::int64_t>(node)) return &volume;
  return nullptr;
}

const HostPort* PlacementEngine::collision(ClassIndex wanted, NodeIndex node) const {
  for (const auto& port : classes_[wanted].rules.ports)
    if (std::any_of(ports_[node].begin(), ports_[node].end(), [&](const auto& other) { return port.collides(other); }))
      return &port;
  return nullptr;
}

PlacementEngine::DomainCounts PlacementEngine::count_domains(const ClassRules& rules) const {
  DomainCounts counts;
  const auto count = [this](GroupIndex group, const std::optional<DomainColumn>& column) {
    if (!column) return groups_[group];
    std::unordered_map<std::uint32_t, std::uint32_t> sums;
    for (const auto& [node, tasks] : groups_[group])
      if (domains_[*column][node] != 0 && tasks > 0) sums[domains_[*column][node]] += tasks;
    return sums;
  };
  for (const auto column : rules.spread_over) counts.spread.push_back(count(rules.group, column));
  for (const auto& neighbour : rules.neighbours) counts.near.push_back(count(neighbour.group, neighbour.domain));
  return counts;
}

bool PlacementEngine::accepts_neighbours(const ClassState& state, NodeIndex node, const DomainCounts& counts) const {
  for (std::size_t i = 0; i < state.rules.neighbours.size(); ++i) {
    const auto& neighbour = state.rules.neighbours[i];
    if (neighbour.preferred) continue;
    const auto where = neighbour.domain ? domains_[*neighbour.domain][node] : node;
    const bool near = count_at(counts.near[i], where) > 0;
    // The first of those that want each other near is near enough to nobody.
    const bool first = neighbour.group == state.rules.group && counts.near[i].empty();
    if (near == neighbour.away && !(first && !neighbour.away)) return false;
    if (!neighbour.away && first && neighbour.domain && where == 0) return false;
  }
  return true;
}

std::uint32_t PlacementEngine::unmet(const ClassState& state, NodeIndex node, const DomainCounts& counts) const {
  std::uint32_t unmet = 0;
  for (std::size_t i = 0; i < state.rules.neighbours.size(); ++i) {
    const auto& neighbour = state.rules.neighbours[i];
    if (!neighbour.preferred) continue;
    const auto where = neighbour.domain ? domains_[*neighbour.domain][node] : node;
    if ((count_at(counts.near[i], where) > 0) == neighbour.away) ++unmet;
  }
  return unmet;
}

Filter PlacementEngine::refusal(ClassIndex wanted, NodeIndex node) const {
  const auto& state = classes_[wanted];
  const auto& rules = state.rules;
  if (missing_volume(wanted, node) != nullptr) return Filter::kVolume;
  if (rules.allowed && !rules.allowed(node)) return Filter::kConstraint;
  if (!rules.neighbours.empty() && !accepts_neighbours(state, node, count_domains(rules))) return Filter::kAffinity;
  if (rules.tasks_per_node_max > 0 && count_at(groups_[rules.group], node) >= rules.tasks_per_node_max)
    return Filter::kTasksPerNode;
  if (collision(wanted, node) != nullptr) return Filter::kPorts;
  if (nodes_.lacks_cpus(node, rules.demand)) return Filter::kCpus;
  if (nodes_.lacks_memory(node, rules.demand)) return Filter::kMemory;
  if (nodes_.lacks_disk(node, rules.demand)) return Filter::kDisk;
  if (nodes_.lacks_gpus(node, rules.demand)) return Filter::kGpus;
  return Filter::kPassed;
}

// --- which is the best ---

// What the node's fragmentation grows by, and by which GPUs that is least.
double PlacementEngine::growth(const Demand& demand, NodeIndex node, GpuSet* best) const {
  const auto gpus = nodes_.gpus(node);
  if (gpus.empty()) return 0;
  std::array<GpuState, kGpusMax> after;
  std::copy(gpus.begin(), gpus.end(), after.begin());
  const FragmentationMeasure::Free free{nodes_.free_cpus(node) - demand.nano_cpus,
                                        nodes_.free_memory(node) - demand.memory_bytes,
                                        {after.data(), gpus.size()}};
  double before = fragmentation_[node];
  if (before < 0) before = measure_.of({nodes_.free_cpus(node), nodes_.free_memory(node), gpus});
  if (demand.gpus.count == 0) return measure_.of(free) - before;
  if (!demand.gpus.is_share()) {
    // Those with the least memory, where they differ: larger ones are for who needs them.
    GpuSet chosen = 0;
    const auto wanted = nodes_.gpus_wanted(node, demand.gpus);
    for (std::uint32_t k = 0; k < wanted; ++k) {
      std::size_t least = gpus.size();
      for (std::size_t i = 0; i < gpus.size(); ++i)
        if ((chosen >> i & 1) == 0 && gpus[i].can_give(demand.gpus) &&
            (least == gpus.size() || gpus[i].memory_bytes < gpus[least].memory_bytes))
          least = i;
      chosen |= GpuSet{1} << least;
      after[least].free_milli = 0;
      after[least].free_memory_bytes = 0;
    }
    *best = chosen;
    return measure_.of(free) - before;
  }
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    if (!gpus[i].can_give(demand.gpus)) continue;
    const auto equal = [&](const GpuState& other) {
      return other.free_milli == gpus[i].free_milli && other.model == gpus[i].model &&
             other.free_memory_bytes == gpus[i].free_memory_bytes;
    };
    if (std::any_of(gpus.begin(), gpus.begin() + static_cast<std::ptrdiff_t>(i), equal)) continue;
    after[i].free_milli -= demand.gpus.milli;
    after[i].free_memory_bytes -= demand.gpus.memory_bytes;
    const double grown = measure_.of(free) - before;
    after[i] = gpus[i];
    if (grown >= least) continue;
    least = grown;
    *best = GpuSet{1} << i;
  }
  return least;
}

// Best fit: the fewest thousandths left, then the least memory, then the first.
GpuSet PlacementEngine::choose_gpus(const ClassState& state, NodeIndex node) const {
  const auto& wanted = state.rules.demand;
  if (wanted.gpus.count == 0) return 0;
  GpuSet chosen = 0;
  if (state.rules.strategy == Strategy::kFragmentation) {
    growth(wanted, node, &chosen);
    return chosen;
  }
  const auto gpus = nodes_.gpus(node);
  const auto count = nodes_.gpus_wanted(node, wanted.gpus);
  for (std::uint32_t k = 0; k < count; ++k) {
    std::size_t best = gpus.size();
    for (std::size_t i = 0; i < gpus.size(); ++i) {
      if ((chosen >> i & 1) != 0 || !gpus[i].can_give(wanted.gpus)) continue;
      if (best == gpus.size() || std::pair(gpus[i].free_milli, gpus[i].free_memory_bytes) <
                                     std::pair(gpus[best].free_milli, gpus[best].free_memory_bytes))
        best = i;
    }
    chosen |= GpuSet{1} << best;
  }
  return chosen;
}

// Nodes to avoid, then neighbours and taints, then domains, then tasks of the same group.
std::uint64_t PlacementEngine::reluctance(const ClassState& state, NodeIndex node, const DomainCounts& counts) const {
  const auto& rules = state.rules;
  const bool evenly = rules.strategy == Strategy::kService || rules.strategy == Strategy::kSpread;
  std::uint64_t first = 0;
  if (!state.avoided.empty()) first |= capped(count_at(state.avoided, node), 8) << 56;
  std::uint32_t against = state.unloved.empty() ? 0 : count_at(state.unloved, node);
  if (!rules.neighbours.empty()) against += unmet(state, node, counts);
  first |= capped(against, 8) << 48;
  for (std::size_t i = 0; i < rules.spread_over.size(); ++i) {
    const auto domain = domains_[rules.spread_over[i]][node];
    // Nodes without the label come after those that have it.
    const auto there = domain == 0 ? UINT64_MAX : count_at(counts.spread[i], domain);
    first |= capped(there, 16) << (32 - 16 * i);
  }
  if (evenly) first |= capped(count_at(groups_[rules.group], node), 16);
  return first;
}

std::optional<std::uint64_t> PlacementEngine::reluctance(ClassIndex wanted, NodeIndex node) {
  auto& state = classes_[wanted];
  const auto counts = looks_at_domains(state.rules) ? count_domains(state.rules) : DomainCounts{};
  if (!fits(state, node) || !accepts_neighbours(state, node, counts)) return std::nullopt;
  return reluctance(state, node, counts);
}

ScoreKey PlacementEngine::score(ClassState& state, NodeIndex node, const DomainCounts& counts) const {
  if (!fits(state, node)) return ScoreKey::none();
  const auto& rules = state.rules;
  const auto& demand = rules.demand;
  if (!rules.neighbours.empty() && !accepts_neighbours(state, node, counts)) return ScoreKey::none();
  const std::uint64_t first = reluctance(state, node, counts);
  const double free_cpus = nodes_.cpus_share(node, nodes_.free_cpus(node) - demand.nano_cpus);
  const double free_memory = nodes_.memory_share(node, nodes_.free_memory(node) - demand.memory_bytes);
  const auto gpus = nodes_.gpus(node);
  double free_gpus = 0;  // of those it has, for who wants some
  if (demand.gpus.count > 0 && rules.strategy != Strategy::kFragmentation) {
    for (const auto& gpu : gpus) free_gpus += gpu.free_milli;
    free_gpus = (free_gpus - static_cast<double>(demand.gpus.total_milli())) / (kWholeGpu * double(gpus.size()));
  }
  double measure = 0;
  std::uint32_t tasks = nodes_.tasks(node);
  switch (rules.strategy) {
    case Strategy::kService:  // what the task doesn't reserve says nothing
      measure = (demand.nano_cpus > 0 ? free_cpus : 0) + (demand.memory_bytes > 0 ? free_memory : 0) + free_gpus;
      break;
    case Strategy::kLeastLoaded: {  // what counts is the resource that will be scarcest
      const double free = std::min(free_cpus, free_memory);
      measure = -(demand.gpus.count > 0 ? std::min(free, free_gpus) : free);
      break;
    }
    case Strategy::kBinPack:
      measure = free_cpus + free_memory + free_gpus;
      tasks = ~tasks;
      break;
    case Strategy::kFragmentation: {
      GpuSet ignored = 0;
      measure = growth(demand, node, &ignored);
      tasks = ordered(static_cast<float>(free_cpus + free_memory));
      break;
    }
    case Strategy::kSpread:
    case Strategy::kRoundRobin: break;
  }
  return {first, std::uint64_t{ordered(static_cast<float>(measure))} << 32 | tasks};
}

// --- how it is found ---

void PlacementEngine::renew_measure() {
  if (measured_version_ == mix_.version()) return;
  measured_version_ = mix_.version();
  std::vector<FragmentationMeasure::Work> works;
  for (const auto& kind : mix_.kinds()) works.push_back({classes_[kind.work].rules.demand, kind.popularity});
  measure_ = FragmentationMeasure(works);
  for (NodeIndex node = 0; node < nodes_.size(); ++node)
    fragmentation_[node] = measure_.of({nodes_.free_cpus(node), nodes_.free_memory(node), nodes_.gpus(node)});
}

std::optional<NodeIndex> PlacementEngine::next_in_turn(ClassState& state) {
  const auto size = nodes_.size();
  std::optional<NodeIndex> best;
  std::uint32_t least = 0;
  const auto counts = looks_at_domains(state.rules) ? count_domains(state.rules) : DomainCounts{};
  for (std::size_t i = 0; i < size; ++i) {
    const auto node = static_cast<NodeIndex>((state.rules.turn + state.placed + i) % size);
    if (!fits(state, node)) continue;
    if (!state.rules.neighbours.empty() && !accepts_neighbours(state, node, counts)) continue;
    const auto avoided = count_at(state.avoided, node);
    if (best && avoided >= least) continue;
    best = node;
    least = avoided;
    if (avoided == 0) break;
  }
  return best;
}

std::optional<NodeIndex> PlacementEngine::best_of_all(ClassState& state) {
  const auto counts = looks_at_domains(state.rules) ? count_domains(state.rules) : DomainCounts{};
  ScoreKey best = ScoreKey::none();
  NodeIndex found = 0;
  for (std::size_t place = 0; place < nodes_.size(); ++place) {
    const auto node = node_at(place);
    const auto key = score(state, node, counts);
    if (!(key < best)) continue;
    best = key;
    found = node;
  }
  state.looked += nodes_.size();
  if (best == ScoreKey::none()) return std::nullopt;
  return found;
}

std::optional<NodeIndex> PlacementEngine::best_of_sample(ClassState& state) {
  const auto size = nodes_.size();
  ScoreKey best = ScoreKey::none();
  NodeIndex found = 0, node = static_cast<NodeIndex>(next_random() % size);
  const auto wanted = state.rules.strategy == Strategy::kFragmentation ? kSampledForGpus : kSampled;
  std::size_t able = 0, looked = 0;
  for (; looked < size && able < wanted; ++looked, node = node + 1 < size ? node + 1 : 0) {
    const auto key = score(state, node, {});
    if (key == ScoreKey::none()) continue;
    ++able;
    if (!(key < best)) continue;
    best = key;
    found = node;
  }
  state.looked += looked;
  if (able == 0) return std::nullopt;
  return found;
}

void PlacementEngine::drop_oldest_ranking() {
  ClassState* oldest = nullptr;
  for (auto& state : classes_)
    if (state.ranking && (oldest == nullptr || state.ranking->used < oldest->ranking->used)) oldest = &state;
  oldest->ranking.reset();
  --rankings_;
}

void PlacementEngine::rank_all(ClassState& state) {
  auto& ranking = *state.ranking;
  for (NodeIndex node = 0; node < nodes_.size(); ++node) ranking.tree.put(place_of(node), score(state, node, {}));
  ranking.tree.play_all();
  ranking.seen = journal_begin_ + journal_.size();
  ranking.mix_version = mix_.version();
}

void PlacementEngine::make_ranking(ClassState& state) {
  if (rankings_ >= kRankingsMax) drop_oldest_ranking();
  state.ranking = std::make_unique<Ranking>(nodes_.size());
  ++rankings_;
  rank_all(state);
}

std::optional<NodeIndex> PlacementEngine::best_ranked(ClassState& state) {
  if (!state.ranking) make_ranking(state);
  auto& ranking = *state.ranking;
  ranking.used = decisions_;
  const auto end = journal_begin_ + journal_.size();
  const bool other_mix = state.rules.strategy == Strategy::kFragmentation && ranking.mix_version != mix_.version();
  if (other_mix || ranking.seen < journal_begin_ || end - ranking.seen >= nodes_.size()) {
    rank_all(state);
  } else {
    for (auto i = ranking.seen; i < end; ++i) {
      const auto node = journal_[i - journal_begin_];
      ranking.tree.change(place_of(node), score(state, node, {}));
    }
    ranking.seen = end;
  }
  const auto winner = ranking.tree.winner();
  if (ranking.tree.key(winner) == ScoreKey::none()) return std::nullopt;
  return node_at(winner);
}

std::optional<NodeIndex> PlacementEngine::find(ClassState& state) {
  if (nodes_.size() == 0) return std::nullopt;
  if (state.rules.strategy == Strategy::kRoundRobin) return next_in_turn(state);
  // A volume's place and a domain's count change many nodes at once.
  if (looks_at_domains(state.rules) || !state.rules.volumes.empty()) return best_of_all(state);
  const auto now = journal_begin_ + journal_.size();
  if (now - state.decided_at > kCatchUpMax) state.looked = 0;
  state.decided_at = now;
  if (state.ranking && now - state.ranking->seen <= kCatchUpMax) return best_ranked(state);
  if (state.looked >= kLooksBeforeRanking * nodes_.size()) {
    state.looked = 0;
    return best_ranked(state);
  }
  return nodes_.size() <= kExactNodes ? best_of_all(state) : best_of_sample(state);
}

std::optional<Spot> PlacementEngine::decide(ClassIndex wanted) {
  auto& state = classes_[wanted];
  ++decisions_;
  if (state.failed_at == releases_) return std::nullopt;
  renew_measure();
  const auto node = find(state);
  if (!node) {
    // Until something is given back. What wants neighbours may find them without that.
    if (!looks_at_domains(state.rules)) state.failed_at = releases_;
    return std::nullopt;
  }
  const Spot spot{*node, choose_gpus(state, *node)};
  take(wanted, spot);
  ++state.placed;
  return spot;
}

void PlacementEngine::take(ClassIndex wanted, const Spot& spot) {
  const auto& rules = classes_[wanted].rules;
  nodes_.take(spot.node, rules.demand, spot.gpus);
  ++groups_[rules.group][spot.node];
  ports_[spot.node].insert(ports_[spot.node].end(), rules.ports.begin(), rules.ports.end());
  for (const auto volume : rules.volumes) volumes_[volume] = spot.node;
  touch(spot.node);
}

void PlacementEngine::release(ClassIndex wanted, const Spot& spot) {
  const auto& rules = classes_[wanted].rules;
  nodes_.give_back(spot.node, rules.demand, spot.gpus);
  auto& group = groups_[rules.group];
  if (const auto found = group.find(spot.node); found != group.end() && --found->second == 0) group.erase(found);
  for (const auto& port : rules.ports) {
    auto& taken = ports_[spot.node];
    if (const auto found = std::find(taken.begin(), taken.end(), port); found != taken.end()) taken.erase(found);
  }
  ++releases_;
  touch(spot.node);
}

std::size_t PlacementEngine::bytes() const {
  std::size_t total = nodes_.bytes() + kinds_.capacity() * sizeof(std::uint32_t) +
                      ports_.capacity() * sizeof(ports_[0]) + fragmentation_.capacity() * sizeof(double) +
                      journal_.capacity() * sizeof(NodeIndex);
  for (const auto& ports : ports_) total += ports.capacity() * sizeof(HostPort);
  for (const auto& column : domains_) total += column.capacity() * sizeof(std::uint32_t);
  for (const auto& state : classes_) {
    total += state.allowed.capacity();
    if (state.ranking) total += state.ranking->tree.bytes();
  }
  return total;
}

}  // namespace orchion::control::scheduler
