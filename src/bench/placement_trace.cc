#include "bench/placement_trace.h"

#include <charconv>
#include <functional>
#include <map>

#include <fmt/core.h>

#include "base/split.h"

namespace orchion::bench {

namespace {

using control::scheduler::Capacity;
using control::scheduler::Demand;
using control::scheduler::kGpusMax;
using control::scheduler::kWholeGpu;

constexpr std::int64_t kNanoPerMilli = 1'000'000;
constexpr std::int64_t kMiB = std::int64_t{1} << 20;
constexpr std::int64_t kCpuMilliMax = 1'000'000'000;
constexpr std::int64_t kMemoryMibMax = std::int64_t{1} << 40;

// A table with a heading, of which the columns that are asked for are read by their place.
class Reader {
 public:
  Reader(std::string_view text, std::string name) : rest_(text), name_(std::move(name)) {}

  base::Result<> open(const std::vector<std::string_view>& columns) {
    if (!next_line()) return fail("is empty: its first line names the columns");
    width_ = fields_.size();
    for (const auto column : columns) {
      std::size_t at = 0;
      while (at < width_ && fields_[at] != column) ++at;
      if (at == width_) return fail(fmt::format("names no column {}", column));
      places_.push_back(at);
    }
    names_.assign(columns.begin(), columns.end());
    return {};
  }

  // False: no further row. Empty lines are none.
  base::Result<bool> next() {
    do {
      if (!next_line()) return false;
    } while (fields_.size() == 1 && fields_[0].empty());
    if (line_text_.find('"') != std::string_view::npos)
      return std::unexpected(fail("has quotes, which aren't read here").error());
    if (fields_.size() != width_)
      return std::unexpected(
          fail(fmt::format("has {} fields where the heading has {}", fields_.size(), width_)).error());
    return true;
  }

  std::string_view text(std::size_t column) const { return fields_[places_[column]]; }

  base::Result<std::int64_t> number(std::size_t column, std::int64_t most) const {
    const auto value = text(column);
    std::int64_t number = -1;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || number < 0 || number > most)
      return std::unexpected(
          fail(fmt::format("{}: `{}` is no number from 0 to {}", names_[column], value, most)).error());
    return number;
  }

  base::Result<> fail(const std::string& what) const {
    return base::fail(base::Code::kInvalidArgument, fmt::format("{}:{} {}", name_, line_, what));
  }

 private:
  bool next_line() {
    ++line_;
    if (rest_.empty()) return false;
    const auto end = rest_.find('\n');
    line_text_ = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (line_text_.ends_with('\r')) line_text_.remove_suffix(1);
    fields_ = base::split(line_text_, ',');
    return true;
  }

  std::string_view rest_, line_text_;
  std::string name_;
  std::size_t line_ = 0, width_ = 0;
  std::vector<std::string_view> fields_;
  std::vector<std::size_t> places_;
  std::vector<std::string> names_;
};

using Models = std::map<std::string, control::scheduler::GpuModel, std::less<>>;

control::scheduler::GpuModel number_of(Models& models, std::string_view name) {
  const auto found = models.find(name);
  if (found != models.end()) return found->second;
  return models.emplace(name, static_cast<control::scheduler::GpuModel>(models.size() + 1)).first->second;
}

base::Result<> read_nodes(Reader reader, Models& models, PlacementTrace& trace) {
  RETURN_IF_ERROR(reader.open({"cpu_milli", "memory_mib", "gpu", "model"}));
  for (;;) {
    ASSIGN_OR_RETURN(const bool more, reader.next());
    if (!more) break;
    ASSIGN_OR_RETURN(const auto cpus, reader.number(0, kCpuMilliMax));
    ASSIGN_OR_RETURN(const auto memory, reader.number(1, kMemoryMibMax));
    ASSIGN_OR_RETURN(const auto gpus, reader.number(2, kGpusMax));
    Capacity node{cpus * kNanoPerMilli, memory * kMiB, 0, {}};
    for (std::int64_t i = 0; i < gpus; ++i) node.gpus.push_back({number_of(models, reader.text(3)), 0});
    trace.gpus += node.gpus.size();
    trace.nodes.push_back(std::move(node));
  }
  return trace.nodes.empty() ? reader.fail("has no node") : base::Result<>{};
}

base::Result<> read_tasks(Reader reader, Models& models, PlacementTrace& trace) {
  RETURN_IF_ERROR(reader.open({"cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec"}));
  std::map<std::string, std::uint32_t> classes;
  for (;;) {
    ASSIGN_OR_RETURN(const bool more, reader.next());
    if (!more) break;
    ASSIGN_OR_RETURN(const auto cpus, reader.number(0, kCpuMilliMax));
    ASSIGN_OR_RETURN(const auto memory, reader.number(1, kMemoryMibMax));
    ASSIGN_OR_RETURN(const auto gpus, reader.number(2, kGpusMax));
    ASSIGN_OR_RETURN(const auto milli, reader.number(3, kWholeGpu));
    if (gpus == 1 && milli == 0) return reader.fail("gpu_milli: a task with one GPU has 1 to 1000 thousandths of it");
    if (gpus != 1 && milli != 0 && milli != kWholeGpu)
      return reader.fail("gpu_milli: shares are of one GPU; several are whole, 1000");
    Demand demand{cpus * kNanoPerMilli, memory * kMiB, 0, {}};
    demand.gpus.count = static_cast<std::uint32_t>(gpus);
    demand.gpus.milli = gpus == 1 ? static_cast<std::uint32_t>(milli) : kWholeGpu;
    const auto spec = gpus > 0 ? reader.text(4) : std::string_view();
    if (!spec.empty())
      for (const auto model : base::split(spec, '|')) demand.gpus.models.push_back(number_of(models, model));
    const auto key = fmt::format("{} {} {} {} {}", cpus, memory, gpus, demand.gpus.milli, spec);
    const auto [it, added] = classes.try_emplace(key, static_cast<std::uint32_t>(trace.classes.size()));
    if (added) trace.classes.push_back(std::move(demand));
    trace.tasks.push_back(it->second);
  }
  return trace.tasks.empty() ? reader.fail("has no task") : base::Result<>{};
}

}  // namespace

base::Result<PlacementTrace> read_trace(std::string_view nodes, const std::string& nodes_name, std::string_view tasks,
                                        const std::string& tasks_name) {
  PlacementTrace trace;
  Models models;
  RETURN_IF_ERROR(read_nodes(Reader(nodes, nodes_name), models, trace));
  RETURN_IF_ERROR(read_tasks(Reader(tasks, tasks_name), models, trace));
  return trace;
}

}  // namespace orchion::bench
