#include "wire/http.h"

namespace orchion::wire {

namespace {

// A field's value cannot hold a line break; data may, as several lines.
std::string one_line(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c == '\n' || c == '\r' || c == '\0') c = ' ';
  }
  return out;
}

// A line break of any kind in `data` begins a new "data:" line; the reader joins them by "\n".
void append_data(std::string_view data, std::string& out) {
  out += "data: ";
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (data[i] == '\r' || data[i] == '\n') {
      if (data[i] == '\r' && i + 1 < data.size() && data[i + 1] == '\n') ++i;
      out += "\ndata: ";
    } else {
      out += data[i];
    }
  }
  out += '\n';
}

}  // namespace

std::string format_event(const ServerSentEvent& event) {
  std::string out;
  out.reserve(event.data.size() + event.id.size() + event.event.size() + 32);
  if (!event.id.empty()) out += "id: " + one_line(event.id) + "\n";
  if (!event.event.empty()) out += "event: " + one_line(event.event) + "\n";
  append_data(event.data, out);
  out += '\n';
  return out;
}

void EventParser::take_line(std::vector<ServerSentEvent>& events) {
  const std::string line = std::exchange(line_, {});
  if (line.empty()) {
    if (any_) {
      if (!event_.data.empty()) event_.data.pop_back();  // the last line's "\n"
      event_.id = last_id_;
      events.push_back(std::move(event_));
    }
    event_ = {};
    any_ = false;
    return;
  }
  const auto colon = line.find(':');
  const std::string name = line.substr(0, colon);
  std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
  if (!value.empty() && value.front() == ' ') value.erase(0, 1);
  if (name == "data") {
    event_.data += value + "\n";
    any_ = true;
  } else if (name == "event") {
    event_.event = value;
  } else if (name == "id" && value.find('\0') == std::string::npos) {
    last_id_ = value;
  }
}

std::vector<ServerSentEvent> EventParser::feed(std::string_view bytes) {
  std::vector<ServerSentEvent> events;
  for (const char c : bytes) {
    const bool after_cr = std::exchange(last_was_cr_, c == '\r');
    if (c == '\n' && after_cr) continue;
    if (c == '\n' || c == '\r') {
      take_line(events);
    } else {
      line_ += c;
    }
  }
  return events;
}

}  // namespace orchion::wire
