#include "cli/job_inputs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <iterator>
#include <utility>

#include <fmt/core.h>
#include <unistd.h>
#include <boost/asio/io_context.hpp>

#include "cli/local_files.h"
#include "client/api_client.h"
#include "core/jobs.h"
#include "core/quantities.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

constexpr std::size_t kSecretBytesMax = 64 << 10;

// What the tar has at its top; the node puts it where the job says.
constexpr const char* kTop = "input";

struct Word {
  std::string name;
  std::string value;
};

base::Result<Word> split(const char* option, const std::string& text, const char* value) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    return base::fail(base::Code::kInvalidArgument, fmt::format("{} {}: write NAME={}", option, text, value));
  return Word{text.substr(0, equals), text.substr(equals + 1)};
}

bool is_secret(const v1::Job& job, const std::string& name) {
  const auto& all = job.spec().parameters();
  return std::any_of(all.begin(), all.end(),
                     [&](const v1::JobParameter& parameter) { return parameter.name() == name && parameter.secret(); });
}

base::Result<std::string> read_input() {
  if (::isatty(STDIN_FILENO) != 0)
    return base::fail(base::Code::kInvalidArgument,
                      "a secret isn't typed where it is shown: send it, as in `pass show token | orchion job run …`");
  std::string text((std::istreambuf_iterator<char>(std::cin)), std::istreambuf_iterator<char>());
  if (text.size() > kSecretBytesMax)
    return base::fail(base::Code::kInvalidArgument, "standard input holds more than 64 KiB, which no variable takes");
  return text;
}

// As a shell's $(…) takes it.
std::string without_line_end(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

base::Result<std::string> read_secret(const Word& word, bool& input_is_taken) {
  if (word.value.starts_with('@') && word.value.size() > 1)
    return base::read_file(word.value.substr(1), kSecretBytesMax);
  if (word.value != "-")
    return base::fail(
        base::Code::kInvalidArgument,
        fmt::format("{0} is secret, and what a command is given is seen by every user of the machine: say "
                    "--param {0}=@FILE, or --param {0}=- and send it to standard input",
                    word.name));
  if (std::exchange(input_is_taken, true))
    return base::fail(base::Code::kInvalidArgument, "two secrets can't come from standard input: give one as @FILE");
  return read_input();
}

}  // namespace

base::Result<ParameterValues> read_parameters(const std::vector<std::string>& words, const v1::Job& job) {
  ParameterValues values;
  bool input_is_taken = false;
  for (const auto& text : words) {
    ASSIGN_OR_RETURN(auto word, split("--param", text, "VALUE"));
    if (!is_secret(job, word.name)) {
      values.open[word.name] = std::move(word.value);
      continue;
    }
    ASSIGN_OR_RETURN(auto secret, read_secret(word, input_is_taken));
    values.secret[word.name] = without_line_end(std::move(secret));
  }
  return values;
}

base::Result<std::vector<LocalInput>> open_inputs(const std::vector<std::string>& words, const v1::Job& job) {
  std::vector<LocalInput> inputs;
  core::Texts given;
  for (const auto& text : words) {
    ASSIGN_OR_RETURN(auto word, split("--input", text, "FILE"));
    LocalInput input{word.name, word.value, base::UniqueFd(::open(word.value.c_str(), O_PATH | O_CLOEXEC))};
    struct stat info{};
    if (!input.node || ::fstat(input.node.get(), &info) != 0) {
      if (errno == ENOENT)
        return base::fail(base::Code::kNotFound, fmt::format("there is no {} on this machine", input.path));
      return base::fail_errno(errno, "cannot read " + input.path);
    }
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
      return base::fail(base::Code::kInvalidArgument, fmt::format("{} is no file and no folder", input.path));
    // Known when it is sent; what is looked at now is the rest.
    if (given.contains(word.name))
      return base::fail(base::Code::kInvalidArgument, fmt::format("--input {} is said twice", word.name));
    given[word.name] = "sha256:" + std::string(64, '0');
    inputs.push_back(std::move(input));
  }
  RETURN_IF_ERROR(core::check_inputs(job.meta().name(), job.spec(), given));
  return inputs;
}

base::Result<std::string> send_input(Context& context, std::shared_ptr<client::ApiClient> api, const v1::Job& job,
                                     const LocalInput& input) {
  auto first = std::make_shared<v1::UploadInputRequest>();
  first->set_stack(job.meta().stack());
  first->set_job(job.meta().name());
  first->set_input(input.name);
  base::UniqueFd node(::fcntl(input.node.get(), F_DUPFD_CLOEXEC, 0));
  if (!node) return base::fail_errno(errno, "cannot read " + input.path);
  auto body = pack_files(context.io().get_executor(), std::move(node), kTop,
                         {.owned_by_root = true, .bytes_max = core::kInputBytesMax});
  ASSIGN_OR_RETURN(const auto json,
                   context.run(api->upload("orchion.v1.JobService.UploadInput", std::move(first), std::move(body))));
  v1::UploadInputResponse response;
  RETURN_IF_ERROR(client::parse_json(json, response));
  context.tell(fmt::format("sent {}, {}", input.path, core::format_bytes(response.bytes())));
  return response.digest();
}

}  // namespace orchion::cli
