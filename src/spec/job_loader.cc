#include "spec/job_loader.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "core/cron/cron.h"
#include "core/jobs.h"
#include "core/naming.h"
#include "core/timestamps.h"
#include "core/validation.h"
#include "spec/choices.h"
#include "spec/keys.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

// What a job says at its top, and a service in its `x-orchion`.
constexpr std::array<std::string_view, 7> kOrchionWords = {"executor",  "on_node_loss", "tolerations", "near",
                                                           "away_from", "together",     "gpus"};

// Of `deploy` the rest is about replicas.
constexpr std::array<std::string_view, 3> kDeployParts = {"resources", "placement", "labels"};

constexpr Choices<v1::JobSpec::Concurrency, 4> kConcurrency = {{{"queue", v1::JobSpec::QUEUE_BEHIND},
                                                                {"skip", v1::JobSpec::SKIP},
                                                                {"replace", v1::JobSpec::REPLACE_RUNNING},
                                                                {"side-by-side", v1::JobSpec::SIDE_BY_SIDE}}};
class JobLoader {
 public:
  JobLoader(const std::string& name, const Node& node, LoadContext& context)
      : name_(name), node_(node), context_(context), problems_(context.problems) {}

  v1::JobSpec run() {
    check_keys(node_, kJobKeys, problems_);
    for (const auto& entry : node_.entries)
      if (entry.key == kOwnExtension)
        problems_.add(entry.key_at, "`x-orchion` means nothing in a job: write its keys into the job itself");
    check_deploy();
    load_numbers();
    load_times();
    load_choices();
    if (const auto* node = find("schedule")) load_schedule(*node, *spec_.mutable_schedule());
    load_parameters();
    if (const auto* map = find("inputs")) load_artifacts(*map, "input", kInputKeys, *spec_.mutable_inputs());
    if (const auto* map = find("outputs")) load_artifacts(*map, "output", kOutputKeys, *spec_.mutable_outputs());
    check_program();
    return std::move(spec_);
  }

 private:
  const Node* find(std::string_view key) const { return find_value(node_, key); }

  void check_deploy() {
    const auto* deploy = find("deploy");
    if (!deploy || !deploy->is_map()) return;
    for (const auto& entry : deploy->entries)
      if (!is_extension(entry.key) && std::ranges::find(kDeployParts, entry.key) == kDeployParts.end())
        problems_.add(entry.key_at, fmt::format("`{}` means nothing to a job: remove it; a job has `completions`, "
                                                "`parallelism` and `retries`",
                                                entry.key));
  }

  void load_numbers() {
    const auto take = [this](std::string_view key, std::int64_t least, std::int64_t most) -> std::int64_t {
      const auto* node = find(key);
      return node ? read_integer(*node, key, least, most, problems_).value_or(least) : 0;
    };
    spec_.set_completions(static_cast<std::uint32_t>(take("completions", 1, core::kCompletionsMax)));
    spec_.set_parallelism(static_cast<std::uint32_t>(take("parallelism", 1, core::kParallelismMax)));
    spec_.set_retries(static_cast<std::uint32_t>(take("retries", 0, core::kRetriesMax)));
    spec_.set_priority(static_cast<std::int32_t>(take("priority", -1'000'000, 1'000'000)));
    if (const auto* node = find("preempts"))
      spec_.set_preempts(read_bool(*node, "preempts", problems_).value_or(false));
  }

  void load_times() {
    const auto take = [this](std::string_view key, auto set) {
      const auto* node = find(key);
      const auto duration = node ? read_duration(*node, key, problems_) : std::nullopt;
      if (duration) set(core::to_duration(*duration));
    };
    take("backoff", [this](const auto& value) { *spec_.mutable_backoff() = value; });
    take("keep", [this](const auto& value) { *spec_.mutable_keep() = value; });
    take("deadline", [this](const auto& value) { *spec_.mutable_deadline() = value; });
    if (spec_.has_deadline() && core::from_duration(spec_.deadline()) <= base::Duration::zero())
      problems_.add(find("deadline")->at, "`deadline` leaves no time to run: leave it out for no deadline");
  }

  void load_choices() {
    if (const auto choice = choose(node_, "concurrency", "a job", kConcurrency, problems_))
      spec_.set_concurrency(*choice);
    if (const auto choice = choose(node_, "placement", "a job", kPlacementChoices, problems_))
      spec_.set_placement(*choice);
    if (const auto* node = find("queue")) load_queue_name(*node);
    if (const auto* node = find("concurrency_group")) {
      spec_.set_concurrency_group(read_text(*node, "concurrency_group", problems_).value_or(""));
      if (spec_.concurrency() == v1::JobSpec::SIDE_BY_SIDE)
        problems_.add(node->at, "`concurrency_group` means nothing to runs that go side by side: keep one of the two");
    }
  }

  // Its slots say how many runs go side by side, where the job itself says nothing.
  void load_queue_name(const Node& node) {
    spec_.set_queue(read_text(node, "queue", problems_).value_or(""));
    if (!find("concurrency") && !find("concurrency_group")) spec_.set_concurrency(v1::JobSpec::SIDE_BY_SIDE);
    if (const auto* placement = find("placement"))
      problems_.add(placement->at, fmt::format("`placement` is said by the queue `{}`: remove it here", spec_.queue()));
  }

  // "0 3 * * *", a list of such lines, or a map.
  void load_schedule(const Node& node, v1::JobSchedule& schedule) {
    if (!node.is_map()) return load_lines(node, schedule);
    check_keys(node, kScheduleKeys, problems_);
    const auto* lines = find_value(node, "cron");
    if (!lines) problems_.add(node.at, "`schedule` has no `cron`: write a line like \"0 3 * * *\"");
    if (lines) load_lines(*lines, schedule);
    if (const auto* zone = find_value(node, "time_zone")) {
      schedule.set_time_zone(read_text(*zone, "time_zone", problems_).value_or(""));
      if (const auto loaded = core::cron::Zone::load(schedule.time_zone()); !loaded)
        problems_.add(zone->at, loaded.error().message);
    }
    if (const auto* paused = find_value(node, "paused"))
      schedule.set_paused(read_bool(*paused, "paused", problems_).value_or(false));
    if (const auto* deadline = find_value(node, "starting_deadline"))
      if (const auto duration = read_duration(*deadline, "starting_deadline", problems_))
        *schedule.mutable_starting_deadline() = core::to_duration(*duration);
  }

  void load_lines(const Node& node, v1::JobSchedule& schedule) {
    for (auto& text : read_list(node, "cron", Single::kIsAList, problems_)) {
      if (const auto line = core::cron::parse(text); !line)
        problems_.add(node.at, fmt::format("the line `{}` {}", text, line.error().message));
      schedule.add_cron(std::move(text));
    }
  }

  // NAME: DEFAULT, NAME with nothing, or a map.
  void load_parameters() {
    const auto* map = find("parameters");
    if (!map || !expect_map(*map, "parameters", problems_)) return;
    for (const auto& entry : map->entries) {
      auto& parameter = *spec_.add_parameters();
      parameter.set_name(entry.key);
      if (entry.value.is_null()) continue;
      const auto* value = &entry.value;
      if (entry.value.is_map()) {
        check_keys(entry.value, kParameterKeys, problems_);
        if (const auto* text = find_value(entry.value, "description"))
          parameter.set_description(read_text(*text, "description", problems_).value_or(""));
        if (const auto* flag = find_value(entry.value, "secret"))
          parameter.set_secret(read_bool(*flag, "secret", problems_).value_or(false));
        value = find_value(entry.value, "default");
      }
      if (!value) continue;
      if (const auto text = read_text(*value, entry.key, problems_)) parameter.set_default_value(*text);
    }
  }

  // NAME: PATH, or a map.
  void load_artifacts(const Node& map, std::string_view what, const KeyTable& keys,
                      google::protobuf::RepeatedPtrField<v1::JobArtifact>& artifacts) {
    if (!expect_map(map, fmt::format("{}s", what), problems_)) return;
    for (const auto& entry : map.entries) {
      auto& artifact = *artifacts.Add();
      artifact.set_name(entry.key);
      const auto* path = &entry.value;
      if (entry.value.is_map()) {
        check_keys(entry.value, keys, problems_);
        if (const auto* optional = find_value(entry.value, "optional"))
          artifact.set_optional(read_bool(*optional, "optional", problems_).value_or(false));
        path = find_value(entry.value, "path");
      }
      if (path) artifact.set_path(read_text(*path, "path", problems_).value_or(""));
      if (!artifact.path().starts_with('/') || artifact.path() == "/")
        problems_.add(path ? path->at : entry.key_at,
                      fmt::format("the {} `{}` needs a file or folder of the container: write its absolute path", what,
                                  entry.key));
    }
  }

  void check_program() {
    const auto* executor = find("executor");
    if (!executor || !executor->is_scalar() || executor->text != core::kProcessExecutor) return;
    for (const auto* key : {"inputs", "outputs"})
      if (const auto* node = find(key))
        problems_.add(node->at, fmt::format("`{}` mean nothing to a program of the node, which has the node's own "
                                            "files: remove them, or the executor",
                                            key));
  }

  const std::string& name_;
  const Node& node_;
  LoadContext& context_;
  Problems& problems_;
  v1::JobSpec spec_;
};

}  // namespace

Node service_part(const Node& job) {
  Node service = job;
  Node orchion{Node::Kind::kMap, job.at};
  for (const auto& entry : job.entries)
    if (std::ranges::find(kOrchionWords, entry.key) != kOrchionWords.end()) orchion.entries.push_back(entry);
  // What is its own, and what was complained about.
  std::erase_if(service.entries, [](const Node::Entry& entry) {
    if (entry.key == "deploy") return false;
    if (entry.key == kOwnExtension) return true;
    return std::ranges::find(kJobKeys.keys, entry.key, &Key::name) != kJobKeys.keys.end() ||
           std::ranges::find(kServiceKeys.keys, entry.key, &Key::name) == kServiceKeys.keys.end();
  });
  for (auto& entry : service.entries)
    if (entry.key == "deploy" && entry.value.is_map())
      std::erase_if(entry.value.entries, [](const Node::Entry& part) {
        return std::ranges::find(kDeployParts, part.key) == kDeployParts.end();
      });
  if (!orchion.entries.empty()) service.entries.push_back({std::string(kOwnExtension), job.at, std::move(orchion)});
  return service;
}

v1::NamedQueue load_queue(const Node::Entry& entry, LoadContext& context) {
  auto& problems = context.problems;
  v1::NamedQueue queue;
  queue.set_name(entry.key);
  queue.mutable_spec();
  if (!core::is_dns_label(entry.key))
    problems.add(entry.key_at,
                 fmt::format("`{}` can't name a queue: use a-z, 0-9 and `-`, neither first nor last a `-`", entry.key));
  if (entry.value.is_null() || !expect_map(entry.value, entry.key, problems)) return queue;
  check_keys(entry.value, kQueueKeys, problems);
  if (const auto* slots = find_value(entry.value, "slots"))
    queue.mutable_spec()->set_slots(
        static_cast<std::uint32_t>(read_integer(*slots, "slots", 1, core::kSlotsMax, problems).value_or(1)));
  if (const auto choice = choose(entry.value, "placement", "a queue", kPlacementChoices, problems))
    queue.mutable_spec()->set_placement(*choice);
  return queue;
}

v1::JobSpec load_job(const std::string& name, const Node& job, LoadContext& context) {
  return JobLoader(name, job, context).run();
}

}  // namespace orchion::spec
