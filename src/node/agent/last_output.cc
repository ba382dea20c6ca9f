#include "node/agent/last_output.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "node/logs/log_tail.h"

namespace orchion::node::agent {

namespace {

// Empty lines among them don't count.
constexpr std::int64_t kLinesRead = 40;

// What is shorter occurs in any text and tells nobody anything.
constexpr std::size_t kVariableBytesMin = 4;
constexpr std::size_t kSecretLineBytesMin = 8;

constexpr std::size_t kWorthCutting = 32;
constexpr std::string_view kCut = "…";
constexpr std::string_view kBlot = "<redacted>";
constexpr std::array<std::string_view, 7> kSecretWords = {"PASSWORD", "PASSWD",     "SECRET", "TOKEN",
                                                          "APIKEY",   "CREDENTIAL", "_KEY"};
constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool speaks_of_a_secret(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return std::ranges::any_of(kSecretWords, [&](std::string_view word) { return name.find(word) != std::string::npos; });
}

// The index after the escape sequence that begins at `at`, by ECMA-48: CSI … final, a string up to its end, or two
// bytes with what stands between them.
std::size_t after_escape(std::string_view text, std::size_t at) {
  std::size_t i = at + 1;
  if (i == text.size()) return i;
  const char kind = text[i++];
  if (kind == '[') {
    while (i < text.size() && (text[i] < 0x40 || text[i] > 0x7e)) ++i;
    return std::min(i + 1, text.size());
  }
  if (std::string_view("]PX^_").find(kind) != std::string_view::npos) {
    for (; i < text.size(); ++i) {
      if (text[i] == '\a') return i + 1;
      if (text[i] == '\x1b') return std::min(i + 2, text.size());
    }
    return i;
  }
  if (kind < 0x20 || kind > 0x2f) return i;
  while (i < text.size() && text[i] >= 0x20 && text[i] <= 0x2f) ++i;
  return std::min(i + 1, text.size());
}

// U+0080 to U+009F, which some terminals take for escapes, are C2 80 to C2 9F.
bool is_c1(std::string_view text, std::size_t at) {
  return text[at] == '\xc2' && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xa0;
}

// As it would stand in a terminal that only knows letters: after the last return to the line's beginning.
std::string plain(std::string_view line) {
  line = line.substr(0, line.find_last_not_of('\r') + 1);
  if (const auto last = line.rfind('\r'); last != std::string_view::npos) line.remove_prefix(last + 1);
  std::string out;
  for (std::size_t i = 0; i < line.size();) {
    const auto byte = static_cast<unsigned char>(line[i]);
    if (byte == 0x1b) {
      i = after_escape(line, i);
    } else if (is_c1(line, i)) {
      i += 2;
    } else {
      if (byte == '\t') out += ' ';
      if (byte >= 0x20 && byte != 0x7f) out += line[i];
      ++i;
    }
  }
  return out;
}

void blot(std::string& text, const std::string& secret) {
  for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + kBlot.size()))
    text.replace(at, secret.size(), kBlot);
}

std::string cut(std::string text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  auto end = bytes_max - kCut.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end).append(kCut);
}

}  // namespace

std::vector<std::string> secret_values(const v1::TaskAssignment& assignment) {
  const auto& container = assignment.container();
  const auto& declared = assignment.secret_variables();
  std::vector<std::string> values;
  for (const auto& file : container.files()) {
    if (!file.in_memory()) continue;
    std::string_view rest = trimmed(file.content());
    values.emplace_back(rest);
    while (!rest.empty()) {
      const auto end = rest.find('\n');
      if (const auto line = trimmed(rest.substr(0, end)); line.size() >= kSecretLineBytesMin) values.emplace_back(line);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
  }
  for (const auto& variable : container.environment()) {
    const bool is_declared = std::ranges::find(declared, variable.name()) != declared.end();
    const bool speaks = variable.value().size() >= kVariableBytesMin && speaks_of_a_secret(variable.name());
    if (is_declared || speaks) values.push_back(variable.value());
  }
  std::erase(values, "");
  std::ranges::stable_sort(values, std::ranges::greater(), &std::string::size);
  return values;
}

std::vector<std::string> presentable(const std::vector<std::string>& lines, const std::vector<std::string>& secrets) {
  std::vector<std::string> result;
  std::size_t left = kLastBytesMax;
  for (auto line = lines.rbegin(); line != lines.rend() && result.size() < kLastLinesMax; ++line) {
    auto text = plain(*line);
    for (const auto& secret : secrets) blot(text, secret);
    text = trimmed(text).empty() ? "" : text.substr(0, text.find_last_not_of(kBlanks) + 1);
    if (text.empty()) continue;
    if (text.size() > left && left < kWorthCutting) break;
    result.push_back(cut(std::move(text), left));
    left -= result.back().size();
  }
  std::ranges::reverse(result);
  return result;
}

std::vector<std::string> last_output(const std::filesystem::path& folder, std::uint32_t attempt,
                                     const std::vector<std::string>& secrets) {
  const auto filter = logs::LineFilter::make({});
  if (!filter) return {};
  const auto tail = logs::read_tail(folder, *filter, kLinesRead, logs::Unfinished::kCounts);
  if (!tail) return {};
  std::vector<std::string> lines;
  for (const auto& line : tail->lines)
    if (line.attempt == static_cast<std::uint16_t>(attempt)) lines.push_back(line.text);
  return presentable(lines, secrets);
}

}  // namespace orchion::node::agent
