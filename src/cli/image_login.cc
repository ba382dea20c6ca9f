#include <iostream>
#include <iterator>

#include <fmt/core.h>
#include <termios.h>
#include <unistd.h>

#include "base/process.h"
#include "cli/commands.h"
#include "client/connection.h"
#include "core/image_reference.h"

namespace orchion::cli {

namespace {

constexpr auto kLoginLimit = std::chrono::seconds(60);

// While it lives the terminal shows nothing of what is typed.
class NoEcho {
 public:
  NoEcho() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    auto without = before_;
    without.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &without) == 0;
  }
  ~NoEcho() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

base::Result<std::string> ask(const std::string& question, const std::string& otherwise) {
  if (::isatty(STDIN_FILENO) == 0) return base::fail(base::Code::kInvalidArgument, otherwise);
  std::cerr << question << std::flush;
  std::string answer;
  if (!std::getline(std::cin, answer)) return base::fail(base::Code::kCancelled, "nothing was typed");
  return answer;
}

base::Result<std::string> read_password(bool from_input) {
  if (from_input) {
    std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    if (text.empty()) return base::fail(base::Code::kInvalidArgument, "standard input holds no password");
    return text;
  }
  const NoEcho quiet;
  auto password = ask("Password: ", "a password is asked for on a terminal only: give it with --password-stdin");
  std::cerr << "\n";
  return password;
}

// "ghcr.io", "127.0.0.1:5000".
base::Result<core::ImageReference> parse_registry(const std::string& text) {
  const auto parsed = core::parse_image_reference(text + "/any/image");
  if (!parsed || parsed->registry != text)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("{} is no registry: give its name as in images' names, for example ghcr.io or "
                                  "registry.home:5000",
                                  text));
  return parsed;
}

base::Error explain(const std::string& registry, const base::ProcessOutput& output) {
  const auto& talk = output.standard_error;
  const auto has = [&](std::string_view words) { return talk.find(words) != std::string::npos; };
  if (has("invalid username/password") || has("unauthorized") || has("incorrect username or password") ||
      has("StatusCode: 401"))
    return {base::Code::kPermissionDenied,
            fmt::format("{} does not accept this user name and password: check both", registry),
            {}};
  if (has("permission denied"))
    return {base::Code::kPermissionDenied,
            "the data folder cannot be written: log in as the user who runs the server or agent",
            {}};
  return {base::Code::kUnavailable,
          fmt::format("the registry {} does not answer as one (`skopeo login {}` says why): check its name and the "
                      "network",
                      registry, registry),
          {}};
}

}  // namespace

// The registry is asked before anything is kept; the password goes through a pipe.
int run_image_login(Context& context, const std::string& name, std::string user, bool password_from_input) {
  const auto registry = parse_registry(name);
  if (!registry) return context.refuse(registry.error());
  const auto data = client::data_folder(context.options().connection);
  std::error_code error;
  if (!std::filesystem::is_directory(data, error))
    return context.fail({base::Code::kFailedPrecondition,
                         fmt::format("there is no data folder {}: log in on the machine of the server or agent that "
                                     "fetches the images, or say --data",
                                     data.string()),
                         {}});
  if (user.empty()) {
    auto typed = ask("User name: ", "say who logs in, with --username");
    if (!typed) return context.refuse(typed.error());
    user = *std::move(typed);
  }
  const auto password = read_password(password_from_input);
  if (!password) return context.refuse(password.error());
  const auto file = data / "registry-auth.json";
  std::vector<std::string> arguments = {"skopeo",     "login", "--authfile",      file.string(),
                                        "--username", user,    "--password-stdin"};
  if (registry->on_loopback()) arguments.push_back("--tls-verify=false");
  arguments.push_back(name);
  const auto output =
      base::run_process({.arguments = std::move(arguments), .standard_input = *password, .limit = kLoginLimit});
  if (!output && output.error().code == base::Code::kNotFound)
    return context.fail({base::Code::kFailedPrecondition,
                         "registries are reached through skopeo, which is not installed: install it (on Debian: "
                         "apt-get install skopeo)",
                         {}});
  if (!output) return context.fail(output.error());
  if (output->exit_code != 0) return context.fail(explain(name, *output));
  context.tell(fmt::format("logged in to {} as {}, kept in {}", name, user, file.string()));
  return kExitOk;
}

}  // namespace orchion::cli
