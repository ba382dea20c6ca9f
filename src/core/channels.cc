#include "core/channels.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/base64.h"
#include "core/timestamps.h"
#include "core/validation.h"

namespace orchion::core {

namespace {

constexpr std::string_view kRedacted = "<redacted>";
constexpr std::string_view kSecretPrefix = "whsec_";
constexpr std::size_t kSecretBytesMin = 24;
constexpr std::size_t kSecretBytesMax = 64;
constexpr std::size_t kTextMax = 2048;
constexpr int kRulesMax = 50;
constexpr int kPatternsMax = 50;
constexpr int kRecipientsMax = 50;
constexpr auto kWaitMax = std::chrono::hours(24 * 7);

// What an URL or "host:port" leads to. Strict: what isn't plain is refused, so that nothing reads it otherwise later.
struct Place {
  std::string scheme;  // empty where none was written
  std::string host;    // "[::1]" in its brackets
  std::string port;    // empty where none was written

  std::string text() const { return port.empty() ? host : host + ":" + port; }
};

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == std::string_view::npos &&
         std::stoul(std::string(text)) >= 1 && std::stoul(std::string(text)) <= 65535;
}

bool is_host(std::string_view text) {
  constexpr std::string_view kName = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  constexpr std::string_view kAddress = "0123456789abcdefABCDEF:.";
  if (text.starts_with('[') && text.ends_with(']') && text.size() > 2)
    return text.substr(1, text.size() - 2).find_first_not_of(kAddress) == std::string_view::npos;
  return !text.empty() && text.find_first_not_of(kName) == std::string_view::npos;
}

base::Result<Place> parse_authority(std::string_view text) {
  Place place;
  const auto bracket = text.rfind(']');
  const auto colon = text.rfind(':');
  const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  place.host = text.substr(0, has_port ? colon : text.size());
  if (has_port) place.port = text.substr(colon + 1);
  if (!is_host(place.host) || (has_port && !is_port(place.port)))
    return base::fail(base::Code::kInvalidArgument, "is no host with or without a port");
  return place;
}

// User names in URLs are refused: they are what an address is most often disguised with.
base::Result<Place> parse_url(std::string_view text) {
  const auto plain = [](char c) { return c > ' ' && c < 0x7f && c != '\\'; };
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos || text.size() > kTextMax || !std::ranges::all_of(text, plain))
    return base::fail(base::Code::kInvalidArgument, "must be an URL that begins with https://");
  auto rest = text.substr(scheme_end + 3);
  rest = rest.substr(0, rest.find_first_of("/?#"));
  ASSIGN_OR_RETURN(auto place, parse_authority(rest));
  place.scheme = text.substr(0, scheme_end);
  return place;
}

std::string url_of(const v1::ChannelSpec& spec) {
  switch (spec.target_case()) {
    case v1::ChannelSpec::kWebhook: return spec.webhook().url();
    case v1::ChannelSpec::kNtfy: return spec.ntfy().url();
    case v1::ChannelSpec::kDiscord: return spec.discord().url();
    case v1::ChannelSpec::kSlack: return spec.slack().url();
    case v1::ChannelSpec::kGotify: return spec.gotify().url();
    default: return "";
  }
}

// Each text of `spec` that is marked secret, with that of `present` in the same place.
void keep(const google::protobuf::Message& present, google::protobuf::Message& message) {
  namespace pb = google::protobuf;
  const auto& reflection = *message.GetReflection();
  std::vector<const pb::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING && field->options().GetExtension(v1::secret)) {
      if (!field->is_repeated()) {
        if (reflection.GetString(message, field) == kRedacted)
          reflection.SetString(&message, field, reflection.GetString(present, field));
        continue;
      }
      const int known = std::min(reflection.FieldSize(present, field), reflection.FieldSize(message, field));
      for (int i = 0; i < known; ++i)
        if (reflection.GetRepeatedString(message, field, i) == kRedacted)
          reflection.SetRepeatedString(&message, field, i, reflection.GetRepeatedString(present, field, i));
    } else if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated()) {
      keep(reflection.GetMessage(present, field), *reflection.MutableMessage(&message, field));
    }
  }
}

class ChannelCheck {
 public:
  explicit ChannelCheck(const v1::ChannelSpec& spec) : spec_(spec) {}

  Violations run() {
    check_target();
    if (spec_.rules_size() > kRulesMax) add("/spec/rules", fmt::format("has more than {} rules", kRulesMax));
    for (int i = 0; i < std::min(spec_.rules_size(), kRulesMax); ++i)
      check_rule(spec_.rules(i), fmt::format("/spec/rules/{}", i));
    return std::move(violations_);
  }

 private:
  void add(std::string at, std::string detail) { violations_.push_back({std::move(at), std::move(detail)}); }

  void check_target() {
    switch (spec_.target_case()) {
      case v1::ChannelSpec::kWebhook: return check_webhook();
      case v1::ChannelSpec::kNtfy:
        check_url("/spec/ntfy/url");
        check_token(spec_.ntfy().topic(), "/spec/ntfy/topic", true);
        return check_token(spec_.ntfy().token(), "/spec/ntfy/token", false);
      case v1::ChannelSpec::kDiscord: return check_url("/spec/discord/url");
      case v1::ChannelSpec::kSlack: return check_url("/spec/slack/url");
      case v1::ChannelSpec::kGotify:
        check_url("/spec/gotify/url");
        return check_token(spec_.gotify().token(), "/spec/gotify/token", true);
      case v1::ChannelSpec::kEmail: return check_email();
      default: return add("/spec", "names no target: one of webhook, ntfy, discord, slack, gotify and email");
    }
  }

  void check_url(const std::string& at) {
    const auto place = parse_url(url_of(spec_));
    if (!place) return add(at, place.error().message);
    if (place->scheme == "https" || (place->scheme == "http" && spec_.allow_private())) return;
    add(at, place->scheme == "http" ? "goes unencrypted: use https://, or allow_private for what is near"
                                    : "must be an URL that begins with https://");
  }

  // Goes into a header or a name: visible characters alone.
  void check_token(const std::string& token, const std::string& at, bool needed) {
    if (token.empty() && needed) return add(at, "must not be empty");
    const auto visible = [](char c) { return c > ' ' && c < 0x7f; };
    if (!std::ranges::all_of(token, visible) || token.size() > kTextMax)
      add(at, "must be plain text without blanks and line breaks");
    if (token == kRedacted) add(at, "reads <redacted>, and there is none yet that could stay");
  }

  void check_webhook() {
    check_url("/spec/webhook/url");
    const auto& secrets = spec_.webhook().secrets();
    if (secrets.empty() || secrets.size() > 2)
      add("/spec/webhook/secrets", "must be one secret, or two to change over");
    for (int i = 0; i < secrets.size(); ++i)
      if (const auto bytes = parse_webhook_secret(secrets[i]); !bytes)
        add(fmt::format("/spec/webhook/secrets/{}", i), bytes.error().message);
  }

  void check_email() {
    const auto& email = spec_.email();
    const auto place = parse_authority(email.server());
    if (!place || place->port.empty()) add("/spec/email/server", "must be HOST:PORT, for example mail.example.org:587");
    if (email.user().empty() != email.password().empty())
      add("/spec/email/user", "needs a password, and a password needs a user");
    check_line(email.user(), "/spec/email/user");
    check_line(email.password(), "/spec/email/password");
    check_mailbox(email.from(), "/spec/email/from");
    if (email.to().empty() || email.to_size() > kRecipientsMax)
      add("/spec/email/to", fmt::format("must be one to {} addresses", kRecipientsMax));
    for (int i = 0; i < std::min(email.to_size(), kRecipientsMax); ++i)
      check_mailbox(email.to(i), fmt::format("/spec/email/to/{}", i));
  }

  void check_line(const std::string& text, const std::string& at) {
    const auto control = [](unsigned char c) { return c < ' ' || c == 0x7f; };
    if (text.size() > kTextMax || std::ranges::any_of(text, control)) add(at, "must be one line of text");
  }

  // It becomes part of SMTP's lines and of headers.
  void check_mailbox(const std::string& text, const std::string& at) {
    const auto plain = [](char c) { return c > ' ' && c < 0x7f && !std::string_view("<>(),;:\\\"[]").contains(c); };
    const auto sign = text.find('@');
    if (sign == std::string::npos || sign == 0 || sign + 1 == text.size() || text.rfind('@') != sign ||
        text.size() > 254 || !std::ranges::all_of(text, plain))
      add(at, "must be an address like ops@example.org");
  }

  void check_rule(const v1::ChannelRule& rule, const std::string& at) {
    check_patterns(rule.reasons(), at + "/reasons");
    check_patterns(rule.stacks(), at + "/stacks");
    check_patterns(rule.services(), at + "/services");
    check_wait(rule.cool_down(), at + "/coolDown");
    check_wait(rule.group_for(), at + "/groupFor");
  }

  template <class Patterns>
  void check_patterns(const Patterns& patterns, const std::string& at) {
    if (patterns.size() > kPatternsMax) return add(at, fmt::format("has more than {} patterns", kPatternsMax));
    for (int i = 0; i < patterns.size(); ++i)
      if (patterns[i].empty() || patterns[i].size() > 100)
        add(fmt::format("{}/{}", at, i), "must be a pattern of 1 to 100 characters, for example Task*");
  }

  void check_wait(const google::protobuf::Duration& wait, const std::string& at) {
    constexpr auto kSecondsMax = std::chrono::duration_cast<std::chrono::seconds>(kWaitMax).count();
    if (wait.seconds() < 0 || wait.nanos() < 0 || wait.seconds() > kSecondsMax)
      add(at, "must be between nothing and a week");
  }

  const v1::ChannelSpec& spec_;
  Violations violations_;
};

}  // namespace

std::string channel_kind(const v1::ChannelSpec& spec) {
  const auto* oneof = v1::ChannelSpec::descriptor()->FindOneofByName("target");
  const auto* field = spec.GetReflection()->GetOneofFieldDescriptor(spec, oneof);
  return field == nullptr ? "" : std::string(field->name());
}

std::string channel_host(const v1::ChannelSpec& spec) {
  const auto place = spec.has_email() ? parse_authority(spec.email().server()) : parse_url(url_of(spec));
  return place ? place->text() : "";
}

void keep_secrets(const v1::ChannelSpec& present, v1::ChannelSpec& spec) {
  keep(present, spec);
}

base::Result<> validate_channel(std::string_view name, const v1::ChannelSpec& spec) {
  auto violations = ChannelCheck(spec).run();
  check_name(name, "/name", "channel", violations);
  return as_result(fmt::format("the channel {}", name), std::move(violations));
}

base::Result<std::string> parse_webhook_secret(std::string_view text) {
  const auto bytes = text.starts_with(kSecretPrefix) ? decode_base64(text.substr(kSecretPrefix.size())) : std::nullopt;
  if (!bytes || bytes->size() < kSecretBytesMin || bytes->size() > kSecretBytesMax)
    return base::fail(base::Code::kInvalidArgument,
                      "must be \"whsec_\" and 24 to 64 random bytes as base64, for example of "
                      "`echo whsec_$(head -c 32 /dev/urandom | base64)`");
  return *bytes;
}

// Linear but for one star that is tried again: no pattern takes longer than its length times the text's.
bool fits_pattern(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace orchion::core
