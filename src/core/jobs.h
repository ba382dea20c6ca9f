#pragma once

// What the rooms agree on about jobs and their runs.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "v1/objects.pb.h"

namespace orchion::core {

constexpr std::uint32_t kCompletionsMax = 10'000;
constexpr std::uint32_t kParallelismMax = 1'000;
constexpr std::uint32_t kRetriesMax = 1'000;
constexpr std::uint32_t kSlotsMax = 10'000;  // of a queue

// Of each input, as a tar.
constexpr std::int64_t kInputBytesMax = std::int64_t{4} << 30;

// Runs of one job that may wait.
constexpr std::size_t kRunsQueuedMax = 1'000;

// It is over, and changes no more.
bool is_ended(v1::RunState state);

// It waits for its turn, and nobody asked it to go.
bool is_waiting(const v1::Run& run);

// "succeeded": for people.
std::string_view state_name(v1::RunState state);

// "encode.7".
std::string run_name(std::string_view job, std::uint64_t number);

// The number in a run's name; nullopt where it isn't the name of one of this job's runs.
std::optional<std::uint64_t> run_number(std::string_view job, std::string_view run);

// Of the job's next run: one more than of any that there was. `runs` are all of it that are there.
std::uint64_t next_run_number(const v1::Job& job, const std::vector<std::shared_ptr<const v1::Run>>& runs);

// "web.3", or "encode.7.0" for a run's task: what its newest is called for short.
std::string short_name(const v1::TaskSpec& task);

// Before the retry that follows so many failures of one index.
base::Duration retry_delay(const v1::JobSpec& job, unsigned failures);

// The job as a run with these values makes its tasks: each parameter is an environment variable of its name, and stands
// in place of `{{name}}` in the words of the command and the entrypoint. kInvalidArgument, in a sentence, where the job
// has no such parameter, or one without a value. `name` is the job's, for people.
// Secret ones are left out: see check_secrets().
base::Result<v1::JobSpec> with_parameters(const std::string& name, const v1::JobSpec& job,
                                          const std::map<std::string, std::string>& values);

using Texts = google::protobuf::Map<std::string, std::string>;

// Whether these are values for all of the job's secret parameters, and for nothing else.
base::Result<> check_secrets(const std::string& name, const v1::JobSpec& job, const Texts& values);

// "sha256:" and 64 hexadecimal digits, in lower case: nothing else becomes a file's name.
bool is_input_digest(std::string_view text);

// Whether these digests are for inputs of the job, and for all that a run can't go without.
base::Result<> check_inputs(const std::string& name, const v1::JobSpec& job, const Texts& inputs);

// A new run as it is stored, QUEUED; the caller gives it its uid.
v1::Run make_run(const v1::Job& job, std::uint64_t number, v1::JobSpec made_from, base::WallTime now);

}  // namespace orchion::core
