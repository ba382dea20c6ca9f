#include "cli/command_tree.h"

#include <fmt/format.h>

#include "cli/value_check.h"

namespace orchion::cli {

namespace {

// Examples, which are kept as the footer, come first.
class HelpFormatter final : public CLI::Formatter {
 public:
  std::string make_description(const CLI::App* app) const override {
    return CLI::Formatter::make_description(app) + (app->get_footer().empty() ? "" : app->get_footer() + "\n");
  }
  std::string make_footer(const CLI::App* /*app*/) const override { return ""; }
};

}  // namespace

CommandTree::CommandTree(const std::string& description, const std::string& name) : app_(description, name) {
  app_.formatter(std::make_shared<HelpFormatter>());
}

CLI::App* CommandTree::add(CLI::App& parent, const std::string& name, const std::string& help, Action action) {
  auto* command = parent.add_subcommand(name, help);
  command->fallthrough();
  command->footer("");  // it would be the parent's
  if (action) command->callback([this, action = std::move(action)] { action_ = action; });
  return command;
}

CLI::App* CommandTree::add_group(const std::string& name, const std::string& help) {
  auto* group = add(app_, name, help, nullptr);
  group->require_subcommand(1);
  return group;
}

void add_file_options(CLI::App* command, FileOptions& files) {
  command->add_option("-f,--file", files.files,
                      "Compose file or vorc.json; several are merged (default: ./compose.yaml)");
  command->add_option("--env-file", files.env_files, "File with variables, instead of .env")->allow_extra_args(false);
  command->add_option("--profile", files.profiles, "Profile whose services belong to the stack; `*` for all");
  command->add_option("--project-directory", files.project_folder, "Where relative paths begin");
  command->add_flag("--allow-outside-files", files.allow_outside_files,
                    "Files that are included, or read for variables and secrets, may lie outside the project folder");
}

void add_agent_options(CLI::App* command, AgentFlags& flags) {
  command->add_option("--hostname", flags.hostname, "The node's name (default: the machine's)")->check(check_name);
  command->add_option("--label", flags.labels, "NAME=VALUE, for placement")
      ->allow_extra_args(false)
      ->check(check_variable);
  command->add_option("--advertise", flags.advertise, "IPv4 address at which other nodes reach this one");
  add_mesh_options(command, flags.mesh);
  add_ingress_options(command, flags.ingress);
  add_log_level(command, flags.log_level);
}

void add_mesh_options(CLI::App* command, MeshFlags& mesh) {
  command->add_flag("--mesh", mesh.on, "Encrypt what goes to other nodes that have this too, by WireGuard");
  bound(command->add_option("--mesh-port", mesh.port, "UDP port for that")->capture_default_str(), 1, 65535);
}

void add_ingress_options(CLI::App* command, IngressFlags& flags) {
  command->add_flag("--ingress", flags.on, "Take HTTP for services with routes, by HAProxy")
      ->envname("ORCHION_INGRESS");
  command->add_option("--ingress-http", flags.http, "Where it takes HTTP")
      ->capture_default_str()
      ->envname("ORCHION_INGRESS_HTTP");
  command->add_option("--ingress-https", flags.https, "Where it takes HTTPS")
      ->capture_default_str()
      ->envname("ORCHION_INGRESS_HTTPS");
}

void add_store_options(CLI::App* command, StoreFlags& flags) {
  command
      ->add_option(
          "--store", flags.address,
          "etcd://HOST:PORT,HOST:PORT/PREFIX, where several servers share the state (default: in the data folder)")
      ->envname("ORCHION_STORE");
  command->add_option("--store-ca", flags.authority, "The certificate of the authority that vouches for etcd's members")
      ->envname("ORCHION_STORE_CA");
  command->add_option("--store-cert", flags.certificate, "The certificate that is shown to etcd")
      ->envname("ORCHION_STORE_CERT");
  command->add_option("--store-key", flags.key, "The file with its key")->envname("ORCHION_STORE_KEY");
  command->add_option("--store-user", flags.user, "A user of etcd")->envname("ORCHION_STORE_USER");
  command->add_option("--store-password-file", flags.password_file, "The file with that user's password")
      ->envname("ORCHION_STORE_PASSWORD_FILE");
}

void add_log_level(CLI::App* command, std::string& level) {
  offer(command->add_option("--log-level", level, "debug, info, warn or error")->capture_default_str(),
        {"debug", "info", "warn", "error"});
}

void add_timeout(CLI::App* command, std::string& timeout, const std::string& help) {
  command->add_option("--timeout", timeout, help)->capture_default_str()->check(check_duration);
}

void offer(CLI::Option* option, const std::vector<std::string>& choices) {
  option->check([choices](const std::string& text) { return check_choice(text, choices); },
                fmt::format("{{{}}}", fmt::join(choices, ",")));
}

void bound(CLI::Option* option, std::int64_t least, std::int64_t most) {
  option->check([=](const std::string& text) { return check_number(text, least, most); });
}

}  // namespace orchion::cli
