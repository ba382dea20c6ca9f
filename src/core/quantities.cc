#include "core/quantities.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>

#include <fmt/core.h>

namespace orchion::core {

namespace {

constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};

constexpr std::int64_t kNano = 1'000'000'000;

// An unsigned decimal number at the beginning of a text, exactly.
struct Decimal {
  std::int64_t whole = 0;
  std::int64_t nano = 0;
  std::size_t length = 0;  // in the text; 0: no number stood there, or one too long
};

Decimal read_decimal(std::string_view text) {
  Decimal number;
  std::size_t at = 0;
  for (; at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])); ++at) {
    if (number.whole > (std::numeric_limits<std::int64_t>::max() - 9) / 10) return {};
    number.whole = number.whole * 10 + (text[at] - '0');
  }
  std::size_t digits = at;
  if (at < text.size() && text[at] == '.') {
    ++at;
    std::int64_t place = kNano / 10;
    for (; at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])); ++at, ++digits, place /= 10) {
      if (place == 0) return {};
      number.nano += place * (text[at] - '0');
    }
  }
  if (digits > 0) number.length = at;
  return number;
}

// The power of 1024 that a unit stands for; -1: unknown.
int unit_power(std::string unit) {
  std::transform(unit.begin(), unit.end(), unit.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr std::string_view kLetters = "kmgt";
  if (unit.empty() || unit == "b") return 0;
  const auto power = kLetters.find(unit[0]);
  const std::string_view rest = std::string_view(unit).substr(1);
  if (power == std::string_view::npos || !(rest.empty() || rest == "b" || rest == "ib")) return -1;
  return static_cast<int>(power) + 1;
}

std::string trim_zeros(std::string number) {
  if (number.find('.') == std::string::npos) return number;
  number.erase(number.find_last_not_of('0') + 1);
  if (number.back() == '.') number.pop_back();
  return number;
}

std::size_t unit_of(std::int64_t bytes) {
  std::size_t unit = 0;
  while (unit + 1 < kUnits.size() && bytes >= (std::int64_t{1} << (10 * (unit + 1)))) ++unit;
  return unit;
}

// One decimal where the number is below 100 and isn't whole, rounded down.
std::string in_unit(std::int64_t bytes, std::size_t unit) {
  const double value = static_cast<double>(bytes) / std::ldexp(1.0, static_cast<int>(10 * unit));
  const double rounded = std::abs(value) < 100 ? std::floor(value * 10) / 10 : std::floor(value);
  return trim_zeros(fmt::format("{:.1f}", rounded));
}

}  // namespace

base::Result<std::int64_t> parse_bytes(std::string_view text) {
  const Decimal number = read_decimal(text);
  std::string_view unit = text.substr(number.length);
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  const int power = number.length == 0 ? -1 : unit_power(std::string(unit));
  const std::int64_t scale = std::int64_t{1} << (10 * std::max(power, 0));
  if (power < 0 || number.whole > std::numeric_limits<std::int64_t>::max() / scale - 1)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("\"{}\" is no amount of memory: write it like 512m, 1.5g or 4GiB", text));
  const double fraction = static_cast<double>(number.nano) / static_cast<double>(kNano);
  return number.whole * scale + static_cast<std::int64_t>(fraction * static_cast<double>(scale));
}

base::Result<std::int64_t> parse_cpus(std::string_view text) {
  const Decimal number = read_decimal(text);
  if (number.length == 0 || number.length != text.size() || number.whole > 1'000'000)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("\"{}\" is no number of processors: write it like 2, 1.5 or 0.25", text));
  return number.whole * kNano + number.nano;
}

std::string format_bytes(std::int64_t bytes) {
  const std::size_t unit = unit_of(bytes);
  return fmt::format("{} {}", in_unit(bytes, unit), kUnits[unit]);
}

std::string format_cpus(std::int64_t nano_cpus) {
  return trim_zeros(
      fmt::format("{}{}.{:09}", nano_cpus < 0 ? "-" : "", std::abs(nano_cpus / kNano), std::abs(nano_cpus % kNano)));
}

std::string format_need_bytes(std::int64_t need, std::int64_t free) {
  return fmt::format("need {}, free {}", format_bytes(need), in_unit(std::max<std::int64_t>(free, 0), unit_of(need)));
}

}  // namespace orchion::core
