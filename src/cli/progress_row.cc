#include "cli/progress_row.h"

#include <algorithm>

#include <fmt/core.h>

#include "cli/output.h"

namespace orchion::cli {

namespace {

using Mark = ProgressRow::Mark;

struct Look {
  const char* sign;
  const char* colour;
};

Look look_of(Mark mark) {
  switch (mark) {
    case Mark::kDone: return {"✔", "\x1b[32m"};
    case Mark::kFailed: return {"✖", "\x1b[31m"};
    case Mark::kWaiting: return {"·", "\x1b[2m"};
    default: return {"…", "\x1b[36m"};
  }
}

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

// Those that are shown, in their order.
std::vector<ProgressRow> chosen(std::vector<ProgressRow> rows, std::size_t most) {
  auto surplus = rows.size() > most ? rows.size() - most : 0;
  std::erase_if(rows, [&](const ProgressRow& row) { return row.mark == Mark::kDone && surplus > 0 && surplus-- > 0; });
  if (rows.size() > most) rows.resize(most);
  return rows;
}

}  // namespace

std::string fitted(std::string text, std::size_t columns) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  if (width_of(text) <= columns) return text;
  std::size_t width = 0;
  std::size_t at = 0;
  while (at < text.size() && (!begins_character(text[at]) || ++width < columns)) ++at;
  return columns == 0 ? "" : text.substr(0, at) + "…";
}

std::vector<std::string> progress_lines(const std::vector<ProgressRow>& rows, ScreenSize size, Colours colours) {
  // One line stays for the cursor, one for the count.
  const auto most = std::max<std::size_t>(size.rows, 3) - 2;
  const auto shown = chosen(rows, most);
  std::size_t names = 0;
  for (const auto& row : shown) names = std::max(names, width_of(row.name));
  names = std::min(names, size.columns / 2);
  std::vector<std::string> lines;
  for (const auto& row : shown) {
    const auto [sign, colour] = look_of(row.mark);
    const auto name = fitted(row.name, names);
    const auto padding = std::string(names - width_of(name), ' ');
    auto rest = fitted(fmt::format(" {}{}  {}", name, padding, row.text), size.columns < 3 ? 0 : size.columns - 2);
    rest.erase(rest.find_last_not_of(' ') + 1);
    lines.push_back(colours == Colours::kAnsi ? fmt::format("{}{}\x1b[0m{}", colour, sign, rest) : sign + rest);
  }
  if (shown.size() < rows.size())
    lines.push_back(fitted(fmt::format("  and {} more", rows.size() - shown.size()), size.columns - 1));
  return lines;
}

std::string redraw(std::size_t drawn, const std::vector<std::string>& lines) {
  std::string out;
  if (drawn > 0) out += fmt::format("\x1b[{}A", drawn);
  for (const auto& line : lines) out += "\r" + line + "\x1b[K\n";
  // What is left of more lines than these.
  if (drawn > lines.size()) out += "\x1b[J";
  return out;
}

std::string elapsed_text(std::int64_t seconds) {
  return seconds < 60 ? fmt::format("{}s", seconds) : fmt::format("{}m {:02}s", seconds / 60, seconds % 60);
}

}  // namespace orchion::cli
