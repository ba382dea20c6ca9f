// What can be wrong with one job, beside its container.

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>

#include <fmt/core.h>

#include "core/constraints.h"
#include "core/cron/cron.h"
#include "core/jobs.h"
#include "core/naming.h"
#include "core/placement_validation.h"
#include "core/shared_network.h"
#include "core/timestamps.h"
#include "core/validation.h"

namespace orchion::core {

namespace {

constexpr int kCronLinesMax = 16;
constexpr std::size_t kVariableBytesMax = 64;
constexpr base::Duration kKeepMax = std::chrono::hours(24 * 3660);

// As a shell takes it for a variable.
bool is_variable(std::string_view name) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
  return !name.empty() && name.size() <= kVariableBytesMax && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
         std::all_of(name.begin(), name.end(), fits);
}

// Neither looks at a disk.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const auto inner = path.lexically_normal();
  const auto outer = (folder / "").lexically_normal().parent_path();
  return std::ranges::mismatch(outer, inner).in1 == outer.end();
}

class JobCheck {
 public:
  JobCheck(const v1::JobSpec& spec, const std::string& at, Violations& violations)
      : spec_(spec), at_(at), violations_(violations) {}

  void run() {
    check_container(spec_.container(), at_ + "/container", violations_);
    if (shares_network(spec_.container()))
      add("/container/networkMode",
          "can't be OF_SERVICE: a job's tasks are on whatever node has room; let the job join the service's networks");
    check_parameters();
    check_numbers();
    check_times();
    check_schedule();
    check_group();
    check_queue();
    check_inputs();
    check_outputs();
    check_placement(spec_.placement_rules(), at_ + "/placementRules", violations_);
    check_gpus(spec_.container().gpus(), at_ + "/container/gpus", violations_);
    for (int i = 0; i < spec_.constraints_size(); ++i)
      if (const auto constraint = parse_constraint(spec_.constraints(i)); !constraint)
        add(fmt::format("/constraints/{}", i), constraint.error().message);
    for (const auto& [key, value] : spec_.labels())
      if (key.empty()) add("/labels", "has a label without a name");
  }

 private:
  void add(const std::string& pointer, std::string detail) {
    violations_.push_back({at_ + pointer, std::move(detail)});
  }

  void check_parameters() {
    std::set<std::string> names;
    for (int i = 0; i < spec_.parameters_size(); ++i) {
      const auto& parameter = spec_.parameters(i);
      const auto pointer = fmt::format("/parameters/{}/name", i);
      if (!is_variable(parameter.name()))
        add(pointer, fmt::format("\"{}\" can't name a parameter: 1 to 64 letters, digits and \"_\", no digit first",
                                 parameter.name()));
      if (parameter.name().starts_with("ORCHION_"))
        add(pointer, fmt::format("{} is one of the names that orchion sets itself", parameter.name()));
      if (!names.insert(parameter.name()).second)
        add(pointer, fmt::format("there is another parameter named {}", parameter.name()));
      if (spec_.has_schedule() && !parameter.has_default_value())
        add(fmt::format("/parameters/{}/defaultValue", i),
            fmt::format("is missing: a scheduled run has nobody to ask for {}{}", parameter.name(),
                        parameter.secret() ? "; what it must not show goes into `secrets`" : ""));
      if (parameter.secret()) check_secret(i, parameter);
    }
  }

  void check_secret(int index, const v1::JobParameter& parameter) {
    const auto at = fmt::format("/parameters/{}", index);
    if (parameter.has_default_value())
      add(at + "/defaultValue",
          fmt::format("can't be said for {}, which is secret: who sees the job would see it", parameter.name()));
    // A program's words are there for every user of its node to read.
    const auto place = "{{" + parameter.name() + "}}";
    const auto names_it = [&](const std::string& word) { return word.find(place) != std::string::npos; };
    const auto& command = spec_.container().command().values();
    const auto& entrypoint = spec_.container().entrypoint().values();
    if (std::any_of(command.begin(), command.end(), names_it) ||
        std::any_of(entrypoint.begin(), entrypoint.end(), names_it))
      add(at + "/secret",
          fmt::format("a secret can't be one of the command's words: leave {} out, the program finds it "
                      "in its environment as {}",
                      place, parameter.name()));
  }

  void check_queue() {
    if (!spec_.queue().empty() && spec_.placement() != v1::JobSpec::LEAST_LOADED)
      add("/placement", fmt::format("is the queue's, {}: leave it out here", spec_.queue()));
    if (spec_.goes_with_runs() && spec_.has_schedule())
      add("/goesWithRuns", "means nothing to a job with a schedule, which always has a next run");
  }

  void check_numbers() {
    const auto check = [this](std::uint32_t number, std::uint32_t max, const char* pointer) {
      if (number > max) add(pointer, fmt::format("{} is more than {}", number, max));
    };
    check(spec_.completions(), kCompletionsMax, "/completions");
    check(spec_.parallelism(), kParallelismMax, "/parallelism");
    check(spec_.retries(), kRetriesMax, "/retries");
  }

  void check_times() {
    if (spec_.has_backoff() && from_duration(spec_.backoff()) < base::Duration::zero())
      add("/backoff", "is less than nothing");
    if (spec_.has_deadline() && from_duration(spec_.deadline()) <= base::Duration::zero())
      add("/deadline", "leaves no time to run: leave it out for no deadline");
    const auto keep = from_duration(spec_.keep());
    if (spec_.has_keep() && (keep < base::Duration::zero() || keep > kKeepMax))
      add("/keep", "must be between nothing and 10 years");
  }

  void check_schedule() {
    if (!spec_.has_schedule()) return;
    const auto& schedule = spec_.schedule();
    if (schedule.cron().empty()) add("/schedule/cron", "is empty: write a line like \"0 3 * * *\"");
    if (schedule.cron_size() > kCronLinesMax)
      add("/schedule/cron", fmt::format("has more than {} lines", kCronLinesMax));
    for (int i = 0; i < schedule.cron_size(); ++i)
      if (const auto line = cron::parse(schedule.cron(i)); !line)
        add(fmt::format("/schedule/cron/{}", i), fmt::format("\"{}\" {}", schedule.cron(i), line.error().message));
    if (const auto zone = cron::Zone::load(schedule.time_zone()); !zone)
      add("/schedule/timeZone", zone.error().message);
    if (schedule.has_starting_deadline() && from_duration(schedule.starting_deadline()) <= base::Duration::zero())
      add("/schedule/startingDeadline", "leaves no time to begin");
  }

  void check_group() {
    if (spec_.concurrency_group().empty()) return;
    if (!is_dns_label(spec_.concurrency_group()))
      add("/concurrencyGroup",
          fmt::format("\"{}\" can't name a group: 1 to 63 of a-z, 0-9 and '-', neither first nor last a '-'",
                      spec_.concurrency_group()));
    if (spec_.concurrency() == v1::JobSpec::SIDE_BY_SIDE)
      add("/concurrencyGroup", "means nothing to runs that go side by side: leave out one of the two");
  }

  void check_artifact(const v1::JobArtifact& artifact, const std::string& at, const char* what,
                      std::set<std::string>& names) {
    check_name(artifact.name(), at_ + at + "/name", what, violations_);
    if (!names.insert(artifact.name()).second)
      add(at + "/name", fmt::format("there is another {} named {}", what, artifact.name()));
    if (!artifact.path().starts_with('/') || artifact.path() == "/" || artifact.path().find('\0') != std::string::npos)
      add(at + "/path",
          fmt::format("\"{}\" is no file or folder of the container: write an absolute path", artifact.path()));
  }

  void check_inputs() {
    std::set<std::string> names, paths;
    for (int i = 0; i < spec_.inputs_size(); ++i) {
      const auto& input = spec_.inputs(i);
      const auto at = fmt::format("/inputs/{}", i);
      check_artifact(input, at, "input", names);
      if (!paths.insert(input.path()).second)
        add(at + "/path", fmt::format("another input goes to {} too", input.path()));
      if (spec_.has_schedule() && !input.optional())
        add(at + "/optional", fmt::format("must be set: a scheduled run has nobody to give it {}", input.name()));
      if (spec_.container().executor() == kProcessExecutor)
        add(at, "can't be given to a program of the node: it has the node's own files");
    }
  }

  void check_outputs() {
    std::set<std::string> names;
    for (int i = 0; i < spec_.outputs_size(); ++i) {
      const auto& output = spec_.outputs(i);
      const auto at = fmt::format("/outputs/{}", i);
      check_artifact(output, at, "output", names);
      if (spec_.container().executor() == kProcessExecutor)
        add(at, "can't be taken from a program of the node: it has the node's own files");
      check_place(output.path(), at + "/path");
    }
  }

  // Executors don't agree on what of a mount an ended container still has.
  void check_place(const std::string& path, const std::string& at) {
    const auto check = [&](const std::string& mounted) {
      if (!mounted.empty() && lies_in(path, mounted))
        add(at, fmt::format("{} is on what is mounted at {}: an output is one of the container's own files, so let it "
                            "be written elsewhere",
                            path, mounted));
    };
    for (const auto& mount : spec_.container().mounts()) check(mount.target());
    for (const auto& file : spec_.container().files()) check(file.target());
    for (const auto& input : spec_.inputs()) check(input.path());
  }

  const v1::JobSpec& spec_;
  const std::string& at_;
  Violations& violations_;
};

}  // namespace

void check_job(const v1::JobSpec& spec, const std::string& at, Violations& violations) {
  JobCheck(spec, at, violations).run();
}

}  // namespace orchion::core
