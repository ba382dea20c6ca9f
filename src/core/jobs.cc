#include "core/jobs.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "core/lifecycle.h"
#include "core/naming.h"
#include "core/timestamps.h"

namespace orchion::core {

namespace {

constexpr base::Duration kBackoffMax = std::chrono::minutes(10);

// The kernel takes no longer variable.
constexpr std::size_t kValueBytesMax = 64 << 10;

template <class List>
std::string what_it_takes(const List& list) {
  if (list.empty()) return "it takes none";
  std::vector<std::string_view> names;
  for (const auto& named : list) names.push_back(named.name());
  return fmt::format("it takes {}", fmt::join(names, ", "));
}

std::string in_brackets(const std::string& text) {
  return text.empty() ? "" : " (" + text + ")";
}

// Once through the text, so that a value that looks like a parameter stays what it is.
std::string substituted(const std::string& text, const std::map<std::string, std::string>& values) {
  std::string result;
  std::size_t at = 0;
  while (true) {
    const auto begin = text.find("{{", at);
    const auto end = begin == std::string::npos ? begin : text.find("}}", begin);
    if (end == std::string::npos) return result + text.substr(at);
    const auto found = values.find(text.substr(begin + 2, end - begin - 2));
    // What names no parameter may be meant for the program itself.
    const auto next = found == values.end() ? begin + 2 : end + 2;
    result += text.substr(at, begin - at) + (found == values.end() ? "{{" : found->second);
    at = next;
  }
}

void set_variable(v1::ContainerSpec& container, const std::string& name, const std::string& value) {
  for (auto& variable : *container.mutable_environment())
    if (variable.name() == name) return variable.set_value(value);
  auto& added = *container.add_environment();
  added.set_name(name);
  added.set_value(value);
}

// Of a job's parameters, inputs or outputs; nullptr where there is none of that name.
template <class List>
auto find_named(const List& list, const std::string& name) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const auto& named) { return named.name() == name; });
  return found == list.end() ? nullptr : &*found;
}

// `values` are for parameters of that kind.
template <class Values>
base::Result<> check_values(const std::string& name, const v1::JobSpec& job, const Values& values, bool secret) {
  for (const auto& [key, value] : values) {
    const auto* known = find_named(job.parameters(), key);
    if (known == nullptr)
      return base::fail(base::Code::kInvalidArgument, fmt::format("the job {} has no parameter \"{}\": {}", name, key,
                                                                  what_it_takes(job.parameters())));
    if (known->secret() && !secret)
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("{} of the job {} is secret: say --param {}=@FILE, or --param {}=- and send it to "
                                    "standard input",
                                    key, name, key, key));
    if (!known->secret() && secret)
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("{} of the job {} is not secret: say it among the parameters", key, name));
    if (value.find('\0') != std::string::npos || value.size() > kValueBytesMax)
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("the value of {} holds a zero byte or more than {} KiB: give it as a file", key,
                                    kValueBytesMax >> 10));
  }
  return {};
}

}  // namespace

bool is_ended(v1::RunState state) {
  return state != v1::RUN_QUEUED && state != v1::RUN_ACTIVE && state != v1::RUN_CANCELLING;
}

bool is_waiting(const v1::Run& run) {
  return run.status().state() == v1::RUN_QUEUED && !run.spec().cancelled() && !is_deleted(run.meta());
}

std::string_view state_name(v1::RunState state) {
  switch (state) {
    case v1::RUN_QUEUED: return "queued";
    case v1::RUN_ACTIVE: return "active";
    case v1::RUN_CANCELLING: return "ending";
    case v1::RUN_SUCCEEDED: return "succeeded";
    case v1::RUN_FAILED: return "failed";
    case v1::RUN_CANCELLED: return "cancelled";
    case v1::RUN_SKIPPED: return "skipped";
    case v1::RUN_MISSED: return "missed";
    default: return "unknown";
  }
}

std::string run_name(std::string_view job, std::uint64_t number) {
  return fmt::format("{}.{}", job, number);
}

std::optional<std::uint64_t> run_number(std::string_view job, std::string_view run) {
  return revision_generation(job, run);
}

std::uint64_t next_run_number(const v1::Job& job, const std::vector<std::shared_ptr<const v1::Run>>& runs) {
  std::uint64_t last = run_number(job.meta().name(), job.status().last_run()).value_or(0);
  for (const auto& run : runs) last = std::max(last, run->spec().number());
  return last + 1;
}

std::string short_name(const v1::TaskSpec& task) {
  return task.run().empty() ? slot_name(task.service(), task.slot()) : slot_name(task.run(), task.index());
}

base::Duration retry_delay(const v1::JobSpec& job, unsigned failures) {
  const base::Duration first = job.has_backoff() ? from_duration(job.backoff()) : std::chrono::seconds(1);
  base::Duration delay = std::min(first, kBackoffMax);
  for (unsigned n = 1; n < failures && delay < kBackoffMax; ++n) delay *= 2;
  return std::min(delay, kBackoffMax);
}

base::Result<v1::JobSpec> with_parameters(const std::string& name, const v1::JobSpec& job,
                                          const std::map<std::string, std::string>& values) {
  RETURN_IF_ERROR(check_values(name, job, values, false));
  v1::JobSpec made = job;
  std::map<std::string, std::string> all;
  for (const auto& parameter : job.parameters()) {
    if (parameter.secret()) continue;
    const auto said = values.find(parameter.name());
    if (said == values.end() && !parameter.has_default_value())
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("the job {} needs its parameter {}{}: say --param {}=VALUE", name, parameter.name(),
                                    in_brackets(parameter.description()), parameter.name()));
    all[parameter.name()] = said == values.end() ? parameter.default_value() : said->second;
  }
  auto& container = *made.mutable_container();
  for (const auto& [key, value] : all) set_variable(container, key, value);
  for (auto& word : *container.mutable_command()->mutable_values()) word = substituted(word, all);
  for (auto& word : *container.mutable_entrypoint()->mutable_values()) word = substituted(word, all);
  if (!job.container().has_command()) container.clear_command();
  if (!job.container().has_entrypoint()) container.clear_entrypoint();
  return made;
}

base::Result<> check_secrets(const std::string& name, const v1::JobSpec& job, const Texts& values) {
  RETURN_IF_ERROR(check_values(name, job, values, true));
  for (const auto& parameter : job.parameters())
    if (parameter.secret() && !values.contains(parameter.name()))
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("the job {} needs its secret parameter {}{}: say --param {}=@FILE", name,
                                    parameter.name(), in_brackets(parameter.description()), parameter.name()));
  return {};
}

bool is_input_digest(std::string_view text) {
  constexpr std::string_view kAlgorithm = "sha256:";
  if (!text.starts_with(kAlgorithm)) return false;
  text.remove_prefix(kAlgorithm.size());
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

base::Result<> check_inputs(const std::string& name, const v1::JobSpec& job, const Texts& inputs) {
  for (const auto& [key, digest] : inputs) {
    if (find_named(job.inputs(), key) == nullptr)
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("the job {} has no input \"{}\": {}", name, key, what_it_takes(job.inputs())));
    if (!is_input_digest(digest))
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("\"{}\" is no digest of an input: upload {} first, which answers it", digest, key));
  }
  for (const auto& input : job.inputs())
    if (!input.optional() && !inputs.contains(input.name()))
      return base::fail(base::Code::kInvalidArgument, fmt::format("the job {} needs its input {}: say --input {}=FILE",
                                                                  name, input.name(), input.name()));
  return {};
}

v1::Run make_run(const v1::Job& job, std::uint64_t number, v1::JobSpec made_from, base::WallTime now) {
  v1::Run run;
  auto& meta = *run.mutable_meta();
  meta.set_name(run_name(job.meta().name(), number));
  meta.set_stack(job.meta().stack());
  meta.set_generation(1);
  *meta.mutable_created_at() = to_timestamp(now);
  add_finalizer(meta, kRunFinalizer);
  run.mutable_spec()->set_job(job.meta().name());
  run.mutable_spec()->set_number(number);
  *run.mutable_spec()->mutable_template_() = std::move(made_from);
  run.mutable_status()->set_state(v1::RUN_QUEUED);
  return run;
}

}  // namespace orchion::core
