#include "cli/live_lines.h"

#include <sys/ioctl.h>

#include <cstdlib>
#include <iostream>
#include <string_view>

#include <unistd.h>

#include "base/notifier.h"

namespace orchion::cli {

namespace {

constexpr auto kInterval = std::chrono::milliseconds(100);

ScreenSize screen_size() {
  winsize window{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0) return {};
  return {window.ws_col, window.ws_row};
}

bool can_draw() {
  const char* terminal = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) != 0 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

}  // namespace

void LiveLines::show(const std::vector<ProgressRow>& rows) {
  auto lines = progress_lines(rows, screen_size(), colours_);
  if (lines == drawn_) return;
  std::cerr << redraw(drawn_.size(), lines) << std::flush;
  drawn_ = std::move(lines);
}

std::shared_ptr<LiveLines> live_lines(const Context& context) {
  const auto mode = context.options().progress;
  if (mode != ProgressMode::kTty && (mode != ProgressMode::kAuto || !can_draw())) return nullptr;
  const char* no_colour = std::getenv("NO_COLOR");
  const bool plain = no_colour != nullptr && *no_colour != '\0';
  return std::make_shared<LiveLines>(plain ? Colours::kNone : Colours::kAnsi);
}

base::Co<> keep_drawn(base::Clock* clock, std::shared_ptr<LiveLines> live, ProgressRows rows) {
  if (!live) co_return co_await base::wait_for_ever();
  const auto began = clock->now();
  while (true) {
    live->show(rows(clock->now() - began));
    CO_RETURN_IF_ERROR(co_await clock->sleep(kInterval));
  }
}

}  // namespace orchion::cli
