#include <fstream>
#include <iostream>
#include <iterator>

#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/duration.h"
#include "core/timestamps.h"
#include "v1/channels.pb.h"

namespace orchion::cli {

namespace {

// The lines of the file that aren't empty.
base::Result<std::vector<std::string>> read_secrets(const std::string& file) {
  std::vector<std::string> lines;
  if (file.empty()) return lines;
  std::ifstream opened;
  if (file != "-") {
    opened.open(file);
    if (!opened)
      return base::fail(base::Code::kNotFound,
                        fmt::format("the secret file {} can't be read: name one that can with --secret-file", file));
  }
  std::istream& input = file == "-" ? std::cin : opened;
  for (std::string line; std::getline(input, line);) {
    while (line.ends_with('\r') || line.ends_with(' ')) line.pop_back();
    if (!line.empty()) lines.push_back(std::move(line));
  }
  if (lines.empty()) return base::fail(base::Code::kInvalidArgument, "the secret file is empty");
  return lines;
}

base::Result<> fill_target(const ChannelOptions& options, v1::ChannelSpec& spec) {
  ASSIGN_OR_RETURN(const auto secrets, read_secrets(options.secret_file));
  const auto secret = secrets.empty() ? std::string() : secrets.front();
  if (!options.webhook.empty()) {
    spec.mutable_webhook()->set_url(options.webhook);
    spec.mutable_webhook()->mutable_secrets()->Assign(secrets.begin(), secrets.end());
  } else if (!options.ntfy.empty()) {
    spec.mutable_ntfy()->set_url(options.ntfy);
    spec.mutable_ntfy()->set_topic(options.topic);
    spec.mutable_ntfy()->set_token(secret);
  } else if (options.discord) {
    spec.mutable_discord()->set_url(secret);
  } else if (options.slack) {
    spec.mutable_slack()->set_url(secret);
  } else if (!options.gotify.empty()) {
    spec.mutable_gotify()->set_url(options.gotify);
    spec.mutable_gotify()->set_token(secret);
  } else {
    auto& email = *spec.mutable_email();
    email.set_server(options.email);
    email.set_tls(options.implicit_tls ? v1::EmailTarget::IMPLICIT : v1::EmailTarget::STARTTLS);
    email.set_user(options.user);
    email.set_password(secret);
    email.set_from(options.from);
    email.mutable_to()->Assign(options.to.begin(), options.to.end());
  }
  return {};
}

void fill_rule(const ChannelOptions& options, v1::ChannelRule& rule) {
  rule.mutable_reasons()->Assign(options.on.begin(), options.on.end());
  if (options.severity == "info") rule.set_severity(v1::Event::INFO);
  if (options.severity == "warning") rule.set_severity(v1::Event::WARNING);
  if (options.severity == "error") rule.set_severity(v1::Event::ERROR);
  rule.mutable_stacks()->Assign(options.stacks.begin(), options.stacks.end());
  rule.mutable_services()->Assign(options.services.begin(), options.services.end());
  // The parser has looked at both.
  if (const auto wait = parse_duration(options.cool_down); wait) *rule.mutable_cool_down() = core::to_duration(*wait);
  if (const auto wait = parse_duration(options.group); wait) *rule.mutable_group_for() = core::to_duration(*wait);
  rule.set_recovery(options.recovery);
}

}  // namespace

int run_channel_set(Context& context, const ChannelOptions& options) {
  const auto targets = int{!options.webhook.empty()} + int{!options.ntfy.empty()} + int{options.discord} +
                       int{options.slack} + int{!options.gotify.empty()} + int{!options.email.empty()};
  if (targets != 1)
    return context.refuse({base::Code::kInvalidArgument,
                           "say where messages go, by one of --webhook, --ntfy, --discord, --slack, --gotify and "
                           "--email",
                           {}});
  v1::PutChannelRequest request;
  request.set_name(options.name);
  auto& spec = *request.mutable_spec();
  if (auto filled = fill_target(options, spec); !filled) return context.refuse(filled.error());
  fill_rule(options, *spec.add_rules());
  spec.set_allow_private(options.allow_private);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto made = context.run((*api)->call<v1::Channel>("orchion.v1.ChannelService.PutChannel", request));
  if (!made) return context.fail(made.error());
  context.tell(
      fmt::format("channel {0} leads to {1}; `orchion channel test {0}` tries it", options.name, made->spec().host()));
  return kExitOk;
}

}  // namespace orchion::cli
